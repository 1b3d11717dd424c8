/** Whole dialogues byte for byte: with fixed dice and in virtual time every visit of a client is the same. */

import { describe, expect, it } from 'vitest'
import { ipv4 } from '../../src/packet/ip.ts'
import type { GuestOptions } from '../gateway/world.ts'
import { windows10, windowsXp } from '../support/profiles.ts'
import { summarize } from '../support/tshark.ts'
import { play } from './dialogue.ts'
import { step, visit } from './ladder.ts'
import { expectStored, noWireshark, readByWireshark, readStored, saysTheSame } from './stored.ts'
import type { Datagram } from './transcript.ts'

const natted: Pick<GuestOptions, 'address' | 'outer' | 'ports'> = {
  address: ipv4('10.1.0.11'),
  outer: ipv4('203.0.113.101'),
  ports: { 500: 31_001, 4500: 31_002 },
}

const dialogues: readonly {
  file: string
  about: string
  ladder: Parameters<typeof visit>[0]
  options: GuestOptions
}[] = [
  {
    file: 'xp-behind-nat',
    about: 'Windows XP behind a NAT: draft-02, group 14, 3DES with SHA-1, ESP in UDP 4500',
    ladder: { identifications: 2, ipv6: false },
    options: { profile: windowsXp, user: 'anna', password: 'apples', ...natted },
  },
  {
    file: 'xp-without-nat',
    about: 'Windows XP without a NAT: IKE stays on port 500, ESP is IP protocol 50',
    ladder: { identifications: 2, ipv6: false },
    options: { profile: windowsXp, user: 'carl', password: 'cherries', address: ipv4('203.0.113.50') },
  },
  {
    file: 'windows10-behind-nat',
    about: 'Windows 10 behind a NAT: RFC 3947, elliptic curve, AES-256 with SHA-1, ESP in UDP 4500',
    ladder: { identifications: 3, ipv6: true },
    options: { profile: windows10, user: 'ben', password: 'bananas', ...natted },
  },
]

describe.each(dialogues)('$about', ({ file, about, ladder, options }) => {
  it(saysTheSame, () => {
    expectStored(file, play(about, options))
  })

  it.skipIf(noWireshark)('is read by Wireshark, message by message', async () => {
    const transcript = readStored(file)
    const direct = options.outer === undefined
    const packets = await readByWireshark(transcript, direct)
    expect(packets).toHaveLength(transcript.datagrams.length)
    expect(packets.map(p => step(p, transcript))).toEqual(visit(ladder))
    const esp = packets.filter(p => p.protocols.includes('esp')).length
    expect(summarize(packets)).toEqual({
      // The last two of Main Mode, Quick Mode, and a Delete of each SA.
      ikeEncrypted: 7,
      ikeRead: 7,
      esp,
      espGood: esp,
      l2tp: esp,
      inside: expect.arrayContaining(['lcp', 'chap', 'ipcp', 'ccp', 'ip', 'icmp']),
      malformed: [],
      errors: [],
    })
    // All but the first four of Main Mode, which find out that there is a NAT.
    const encapsulated = packets.filter(p => p.protocols.includes('udpencap'))
    expect(encapsulated.length).toBe(direct ? 0 : packets.length - 4)
  })
})

describe.skipIf(noWireshark)('Wireshark is no yes-man: it notices', () => {
  const transcript = readStored('xp-without-nat')
  const isEsp = (d: Datagram) => d.ports === undefined
  const sound = transcript.datagrams.filter(isEsp).length

  /** One bit is wrong in the first datagram of its kind, in the byte `where`. */
  function damaged(kind: (d: Datagram) => boolean, where: number) {
    const at = transcript.datagrams.findIndex(kind)
    const datagrams = transcript.datagrams.map((d, i) => {
      return i === at ? { ...d, bytes: d.bytes.with(where, d.bytes.at(where)! ^ 1) } : d
    })
    return { ...transcript, datagrams }
  }

  it('a damaged ESP packet', async () => {
    const reading = summarize(await readByWireshark(damaged(isEsp, -1)))
    expect([reading.esp, reading.espGood]).toEqual([sound, sound - 1])
  })

  it('a damaged Quick Mode, where it hits the head of a payload', async () => {
    const reading = summarize(await readByWireshark(damaged(d => d.bytes[18] === 32, 28)))
    expect(reading.malformed.length + reading.errors.length).toBeGreaterThan(0)
  })

  it('an IKE key that is not the one', async () => {
    const ike = transcript.ike.map(({ cookie, key }) => ({
      cookie,
      key: key.replace(/^./, c => (c === 'a' ? 'b' : 'a')),
    }))
    const reading = summarize(await readByWireshark({ ...transcript, ike }))
    expect(reading.malformed.length + reading.errors.length).toBeGreaterThan(0)
  })

  it('a missing ESP key', async () => {
    const reading = summarize(await readByWireshark({ ...transcript, esp: transcript.esp.slice(1) }))
    expect(reading.espGood).toBeLessThan(sound)
    expect(reading.l2tp).toBe(reading.espGood)
  })

  it('a wrong checksum inside', async () => {
    // Behind a NAT the client makes its UDP checksum over addresses that nobody else sees.
    const reading = summarize(await readByWireshark(readStored('xp-behind-nat'), true))
    expect(reading.errors.length).toBeGreaterThan(0)
  })
})
