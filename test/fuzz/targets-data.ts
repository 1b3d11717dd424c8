/** The data path's stages and the command language to the fuzzer. */

import { readFileSync } from 'node:fs'
import { applyCommand } from '../../src/alliedware/apply.ts'
import { formatFault, readScript } from '../../src/alliedware/script.ts'
import { writeScript } from '../../src/alliedware/write.ts'
import { filterIn, filterOut } from '../../src/firewall/filter.ts'
import { Batch, MAX_PACKET, SLOT_SIZE } from '../../src/packet/batch.ts'
import { fromHex } from '../../src/packet/bytes.ts'
import { readIpv4 } from '../../src/packet/ip.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import {
  ALICE,
  ALICE_ROW,
  BOB,
  BOB_ROW,
  fragments,
  INTERNET,
  icmp,
  icmpError,
  LAN_HOST,
  TCP,
  tcp,
  udp,
} from '../firewall/office.ts'
import { inbound, openedSamples, path } from './data-path.ts'
import type { Target } from './guided.ts'
import { messagesOf, must, several } from './must.ts'
import { join } from './random.ts'

const sessions = path()
const batch = new Batch()
let now = 0

/** The tables as if they were new, without the time that making them takes: an hour later, and all flows forgotten. */
function fresh() {
  const { firewall } = sessions
  now += 3_600_000
  for (const row of [ALICE_ROW, BOB_ROW]) firewall.install(row)
  batch.clear()
  return { firewall, now, batch }
}

/** Packets from Alice (0), from Bob (1), of no session (2), and to the sessions (3), one behind the other. */
function headers(bytes: Uint8Array): void {
  const { firewall, now, batch } = fresh()
  for (const [from = 0, ...rest] of messagesOf(bytes, 12)) {
    const packet = Uint8Array.from(rest).subarray(0, MAX_PACKET)
    batch.clear()
    const i = batch.push(packet)
    const out = (from & 3) === 3
    if (out) filterOut(batch, firewall, now)
    else {
      batch.session[i] = [ALICE_ROW.session, BOB_ROW.session, 9][from & 3]!
      filterIn(batch, firewall, now)
    }
    if (batch.verdict[i] !== Verdict.Forward) continue
    const at = batch.offset[i]!
    must(at + batch.length[i]! <= SLOT_SIZE * (i + 1), 'a packet that leaves its slot')
    must(batch.length[i]! >= 20 && batch.length[i]! <= packet.length, 'a packet that grows')
    const source = readIpv4(batch.bytes, at + 12)
    const destination = readIpv4(batch.bytes, at + 16)
    if (out) must(destination === (batch.session[i] === 1 ? ALICE : BOB), 'a packet to the wrong session')
    else must(source === ((from & 3) === 0 ? ALICE : BOB), 'a packet under a false source')
  }
}

/** A UDP packet as ESP's open hands it on, of Alice or Bob. */
function l2tpData(bytes: Uint8Array): void {
  const [who = 0] = bytes
  const { firewall, now, batch } = fresh()
  const i = batch.push(bytes.subarray(1, 1 + MAX_PACKET))
  batch.peer[i] = who & 1 ? BOB_ROW.peer : ALICE_ROW.peer
  batch.protocol[i] = who & 64 ? who : 17
  inbound(batch, { ...sessions, firewall }, now)
  if (batch.verdict[i] !== Verdict.Forward) return
  must(readIpv4(batch.bytes, batch.offset[i]! + 12) === (who & 1 ? BOB : ALICE), 'a packet under a false source')
  must(batch.session[i] === (who & 1 ? BOB_ROW.session : ALICE_ROW.session), "another's session")
}

const note = () => readFileSync('test/alliedware/fixtures/ar450s-note.cfg', 'utf8')

/** A script, written back and read again; then each of its lines at the prompt. */
function script(bytes: Uint8Array): void {
  const text = Buffer.from(bytes).toString('utf8')
  const { configuration, faults } = readScript(text, { values: {} })
  const lines = text.split(/\r\n|\n|\r/).length
  for (const f of faults) {
    must(f.line >= 1 && f.line <= lines + 1, 'a fault without its line')
    must(!hasControls(formatFault(f)), 'a fault that no terminal should see')
  }
  const written = writeScript(configuration)
  const again = readScript(written, { values: {} })
  must(writeScript(again.configuration) === written, `written and read again it is another: ${written.slice(0, 400)}`)
  const [first = ''] = text.split('\n')
  const outcome = applyCommand(configuration, first)
  if (outcome.kind === 'refused') must(outcome.configuration === configuration, 'a refused command changed something')
}

function hasControls(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c < 0x20 && c !== 9) return true
  }
  return false
}

/** Every few lines of the note for themselves, and all of it. */
function scripts(): Uint8Array[] {
  const lines = note().split('\n')
  const pieces: string[] = []
  for (let at = 0; at < lines.length; at += 6) pieces.push(lines.slice(at, at + 6).join('\n'))
  return pieces.map(p => new Uint8Array(Buffer.from(p)))
}

const keywords = () =>
  [...new Set(note().split(/[\s=]+/))].filter(w => w !== '').map(w => new Uint8Array(Buffer.from(w)))

export const dataTargets: readonly Target[] = [
  {
    name: 'ip-headers',
    seeds: () => {
      const of = (from: number, ...packets: Uint8Array[]) => several(packets.map(p => join(Uint8Array.of(from), p)))
      const question = udp(ALICE, 1000, INTERNET, 53)
      return [
        of(0, question, tcp(ALICE, 2000, LAN_HOST, 80, TCP.SYN, fromHex('020405b4')), icmp(ALICE, INTERNET, 8, 9)),
        join(of(0, question), of(3, udp(INTERNET, 53, ALICE, 1000), icmpError(INTERNET, ALICE, question))),
        of(1, ...fragments(udp(BOB, 1000, INTERNET, 2000, 900), 600, 77)),
        of(3, tcp(LAN_HOST, 80, BOB, 3000, TCP.SYN, fromHex('020405b40101')), udp(LAN_HOST, 9, BOB, 9, 1400)),
        of(0, tcp(ALICE, 5, INTERNET, 6, TCP.SYN), tcp(ALICE, 5, INTERNET, 6, TCP.RST)),
      ]
    },
    dictionary: [
      '4500',
      '4600',
      '4f00',
      '4000',
      '2000',
      '1fff',
      '0001',
      '44040000',
      '83070400000000',
      '0101',
      '06',
      '11',
      '01',
      'c0a80832',
      'ffffffff',
      'e0000001',
      '7f000001',
    ].map(h => fromHex(h)),
    covers: ['/src/firewall/', '/src/packet/'],
    run: headers,
  },
  {
    name: 'l2tp-data',
    seeds: openedSamples,
    dictionary: [
      '06a506a5',
      '0002',
      '4002',
      '4802',
      '0202',
      '4a02',
      'c802',
      'ff030021',
      '0021',
      '21',
      'ff03c021',
      '11110007',
      '22220007',
    ].map(h => fromHex(h)),
    covers: ['/src/l2tp/', '/src/ppp/', '/src/firewall/'],
    run: l2tpData,
  },
  {
    name: 'script',
    seeds: scripts,
    dictionary: [
      ...keywords(),
      ...['=', '"', '\n', ' ', '#', '<x>', '\r\n', '4294967296', '-', ',', '0', '255.255.255.255'].map(
        w => new Uint8Array(Buffer.from(w)),
      ),
    ],
    covers: ['/src/alliedware/'],
    run: script,
  },
]
