/** A client's whole visit in virtual time with fixed dice, and all of it that crosses the public network. */

import { expect, vi } from 'vitest'
import { toHex } from '../../src/packet/bytes.ts'
import { type GuestOptions, LAN_HOST, ping, SERVER, World } from '../gateway/world.ts'
import type { InitiatorPair } from '../support/initiator.ts'
import type { Datagram, Transcript } from './transcript.ts'

/** Connects, pings from both ends, and hangs up. */
export function play(about: string, options: GuestOptions): Transcript {
  const w = new World()
  const guest = w.guest(options)
  const begin = w.clock.now()
  const datagrams: Datagram[] = []
  guest.pass = (direction, port, bytes) => {
    const ports = port === 0 ? undefined : { client: guest.outerPort(port), gateway: port }
    return datagrams.push({ millis: w.clock.now() - begin, direction, ports, bytes: bytes.slice() }) > 0
  }
  const installed = vi.spyOn(guest.client.esp, 'install')

  w.connect(guest)
  expect(guest.client.phase).toBe('up')
  const { address } = guest.client
  const ike = w.control.ike.exportKeys().map(k => ({
    cookie: k.initiatorCookie,
    key: toHex(k.encryptionKey.reveal()),
  }))

  w.advance(1000)
  w.act(guest, { kind: 'ipPacket', bytes: ping(address, LAN_HOST) })
  w.fromLan(ping(LAN_HOST, address, true))
  w.advance(1000)
  w.fromLan(ping(LAN_HOST, address))
  w.act(guest, { kind: 'ipPacket', bytes: ping(address, LAN_HOST, true) })
  expect([w.toLan.length, guest.received.length]).toEqual([2, 2])

  w.advance(1000)
  w.act(guest, { kind: 'disconnect' })
  w.advance(5000)
  expect(guest.down).toMatchObject({ failed: undefined })
  expect(w.control.peers.all.size).toBe(0)

  const esp = installed.mock.calls.flatMap(([pair]) => espKeys(pair))
  return { about, client: guest.outer, gateway: SERVER, ike, esp, datagrams }
}

function espKeys({ suite, ...pair }: InitiatorPair): Transcript['esp'] {
  const key = (spi: number, { encryption, integrity }: InitiatorPair['inboundKeys']) => ({
    spi: spi.toString(16).padStart(8, '0'),
    encryption: suite.cipher,
    encryptionKey: toHex(encryption),
    integrity: suite.integrity,
    integrityKey: toHex(integrity),
  })
  return [key(pair.outboundSpi, pair.outboundKeys), key(pair.inboundSpi, pair.inboundKeys)]
}
