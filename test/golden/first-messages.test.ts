/** What the gateway answers to the first messages of well-known clients, byte for byte. */

import { describe, expect, it } from 'vitest'
import { Exchange, PayloadType } from '../../src/ike/constants.ts'
import { bodies, parseMessage } from '../../src/ike/message.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { Gateway, of, SERVER } from '../ike/gateway.ts'
import { authIp, windows7First, windows10First, windows2000First, xpFirst } from '../ike/samples.ts'
import { expectStored, noWireshark, readByWireshark, readStored, saysTheSame } from './stored.ts'
import type { Datagram, Transcript } from './transcript.ts'

const file = 'first-messages'
const client = ipv4('203.0.113.7')

/** Each from a port of its own, as hosts behind one NAT. */
const clients = [
  { name: 'Windows XP', port: 1001, message: xpFirst },
  { name: 'Windows 2000', port: 1002, message: windows2000First },
  { name: 'Windows 7', port: 1003, message: windows7First },
  { name: 'Windows 10', port: 1004, message: windows10First },
  { name: 'AuthIP of Windows 7', port: 1005, message: authIp },
] as const

function play(): Transcript {
  const gateway = new Gateway()
  const datagrams = clients.flatMap(({ port, message }, i): Datagram[] => {
    const common = { millis: i * 1000, ports: { client: port, gateway: 500 } }
    gateway.now = common.millis
    // Samples share a cookie: each comes from a boot of its own.
    const bytes = message.slice()
    bytes[7] = bytes[7]! + i
    const answers = of(gateway.datagram({ address: client, port }, 500, bytes), 'send')
    return [
      { ...common, direction: 'up', bytes },
      ...answers.map(({ bytes }): Datagram => ({ ...common, direction: 'down', bytes })),
    ]
  })
  return {
    about: 'First messages of Main Mode and their answers',
    client,
    gateway: SERVER,
    ike: [],
    esp: [],
    datagrams,
  }
}

describe('the answer to a first message', () => {
  it(saysTheSame, () => {
    expectStored(file, play())
  })

  it('chooses one of the transforms that were offered, unaltered, and is silent at AuthIP', () => {
    const { datagrams } = readStored(file)
    for (const { name, port, message } of clients) {
      const answers = datagrams.filter(d => d.direction === 'down' && d.ports?.client === port)
      expect(answers, name).toHaveLength(message === authIp ? 0 : 1)
      for (const { bytes } of answers) {
        const sa = (m: Uint8Array) => bodies(parseMessage(m).payloads, PayloadType.Sa)[0]!
        // DOI, situation, the head of the one proposal, and its one transform but for the word of what follows.
        const offered = Buffer.from(sa(message)).toString('hex')
        const chosen = Buffer.from(sa(bytes)).toString('hex')
        expect(offered, name).toContain(chosen.slice(2 * (8 + 8 + 4)))
      }
    }
  })

  it.skipIf(noWireshark)('is read by Wireshark', async () => {
    const packets = await readByWireshark(readStored(file), true)
    const mainMode = packets.filter(p => p.exchange === Exchange.Main)
    expect(mainMode).toHaveLength(8)
    expect(mainMode.filter(p => p.malformed || p.error)).toEqual([])
  })
})
