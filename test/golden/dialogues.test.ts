/**
 * Whole dialogues byte for byte: with fixed dice and in virtual time every visit of a client is the same, and stands in a
 * file beside this one. UPDATE_GOLDEN=1 writes the files anew, for a change of the bytes that is meant.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ipv4 } from '../../src/packet/ip.ts'
import { emitPcapng } from '../../src/packet/pcap.ts'
import type { GuestOptions } from '../gateway/world.ts'
import { which } from '../support/command.ts'
import { windows10, windowsXp } from '../support/profiles.ts'
import { dissect, summarize } from '../support/tshark.ts'
import { play } from './dialogue.ts'
import { step, visit } from './ladder.ts'
import { emitTranscript, parseTranscript, toPackets } from './transcript.ts'

const update = process.env['UPDATE_GOLDEN'] === '1'
if (update && process.env['CI']) throw new Error('UPDATE_GOLDEN rewrites what a check compares with: not in CI')

const tshark = await which('tshark')
if (!tshark) console.warn('the dialogues are not read by an independent program: there is no tshark on this host')

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

const directory = mkdtempSync(join(tmpdir(), 'floatgate-golden-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe.each(dialogues)('$about', ({ file, about, ladder, options }) => {
  const path = join(import.meta.dirname, `${file}.txt`)
  const stored = () => parseTranscript(readFileSync(path, 'utf8'))

  it(update ? 'WRITES its transcript anew (UPDATE_GOLDEN)' : 'says the same bytes as ever', () => {
    const text = emitTranscript(play(about, options))
    if (update) {
      writeFileSync(path, text)
      console.warn(`UPDATE_GOLDEN: wrote ${path}; nothing was compared`)
    }
    expect(text.split('\n')).toEqual(readFileSync(path, 'utf8').split('\n'))
    expect(emitTranscript(stored())).toBe(text)
  })

  it.skipIf(!tshark)('is read by Wireshark, message by message', async () => {
    const transcript = stored()
    const capture = join(directory, `${file}.pcapng`)
    writeFileSync(capture, emitPcapng(toPackets(transcript), 'pub0'))
    const packets = await dissect(capture, transcript, options.outer === undefined)
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
    const encapsulated = packets.filter(p => p.protocols.includes('udpencap'))
    expect(encapsulated.length).toBe(options.outer === undefined ? 0 : packets.length - 4)
  })
})
