/** DHCPINFORM through the tunnel: what a client hears of the office. */

import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/packet/bytes.ts'
import { emitIpv4, emitUdp, formatIpv4, type Ipv4, ipv4, readIpv4, writeIpv4 } from '../../src/packet/ip.ts'
import { windows10 } from '../support/profiles.ts'
import { LAN_HOST, ping, World } from './world.ts'

const office = { dnsSuffix: 'office.example', routes: [{ network: ipv4('192.168.8.0'), length: 24 }] }

function inform(client: Ipv4): Uint8Array {
  const message = new Uint8Array(300)
  message.set([1, 8, 6, 0, 1, 2, 3, 4])
  writeIpv4(message, 12, client)
  message.set([99, 130, 83, 99, 53, 1, 8, 55, 4, 6, 15, 121, 249, 255], 236)
  const ends = { source: client, destination: ipv4('255.255.255.255') }
  return emitIpv4({ ...ends, protocol: 17, payload: emitUdp(68, 67, message, ends) })
}

function connected() {
  const w = new World({ office })
  const guest = w.guest({ profile: windows10, user: 'anna', password: 'apples', address: ipv4('203.0.113.77') })
  w.connect(guest)
  return { w, guest }
}

describe('a DHCPINFORM through the tunnel', () => {
  it('is answered with the office’s routes, suffix and name servers', () => {
    const { w, guest } = connected()
    w.act(guest, { kind: 'ipPacket', bytes: inform(guest.client.address) })
    expect(guest.received).toHaveLength(1)
    const answer = guest.received[0]!
    expect(readIpv4(answer, 16)).toBe(guest.client.address)
    expect(formatIpv4(readIpv4(answer, 12))).toBe('192.168.8.1')
    const options = toHex(answer.subarray(28 + 240))
    expect(options).toContain(`0f0e${toHex(Buffer.from('office.example'))}`)
    expect(options).toContain('790818c0a808c0a80801')
    expect(options).toContain('f90818c0a808c0a80801')
    expect(options).toContain('0604c0a80802')
    expect(w.toLan).toEqual([])
    expect(w.control.bugs).toBe(0)
  })

  it('in another’s name, or broken, is not; the session goes on', () => {
    const { w, guest } = connected()
    const { address } = guest.client
    const other = inform(address)
    writeIpv4(other, 20 + 8 + 12, ipv4('192.168.8.99'))
    w.act(guest, { kind: 'ipPacket', bytes: other })
    w.act(guest, { kind: 'ipPacket', bytes: inform(ipv4('192.168.8.99')) })
    expect(guest.received).toEqual([])
    w.act(guest, { kind: 'ipPacket', bytes: ping(address, LAN_HOST) })
    expect(w.toLan).toHaveLength(1)
    expect(w.control.bugs).toBe(0)
  })
})
