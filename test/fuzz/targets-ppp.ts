/** PPP to the fuzzer: frames and their insides, a link that hears a whole dialogue, and DHCPINFORM. */

import { fromHex } from '../../src/packet/bytes.ts'
import { emitIpv4, emitUdp, ipv4, readIpv4 } from '../../src/packet/ip.ts'
import { answerInform } from '../../src/ppp/dhcp.ts'
import type { PppEffect, PppInput } from '../../src/ppp/effects.ts'
import { PppError } from '../../src/ppp/error.ts'
import {
  emitFrame,
  emitOptions,
  emitPacket,
  optionNumber,
  parseFrame,
  parseOptions,
  parsePacket,
} from '../../src/ppp/frame.ts'
import { PppLink } from '../../src/ppp/link.ts'
import { readResponse } from '../../src/ppp/mschap.ts'
import { microsoftError, terminateReason } from '../../src/ppp/terminate-reason.ts'
import { countingDice, Pair, template } from '../ppp/pair.ts'
import type { Target } from './guided.ts'
import { messagesOf, must, own, same, several } from './must.ts'
import { join } from './random.ts'
import { printableText } from './targets-ike.ts'

const CLIENT = ipv4('192.168.8.50')

function pppFrame(bytes: Uint8Array): void {
  const frame = own(PppError, () => parseFrame(bytes))
  if (!frame) return
  must(same(parseFrame(emitFrame(frame.protocol, frame.payload)).payload, frame.payload), 'a frame changes')
  const packet = own(PppError, () => parsePacket(frame.payload))
  if (!packet) return
  must(same(emitPacket(packet), frame.payload.subarray(0, 4 + packet.data.length)), 'a packet changes')
  const options = own(PppError, () => parseOptions(packet.data))
  if (options) must(same(emitOptions(options), packet.data), 'options change')
  for (const o of options ?? []) for (const length of [2, 4] as const) must((optionNumber(o, length) ?? 0) >= 0, 'sign')
  own(PppError, () => readResponse(packet.data))
  must(printableText(terminateReason(packet.data)), 'a reason that no log can hold')
  must((microsoftError(packet.data) ?? 0) >= 0, 'an error number below 0')
}

const authentications = ['chap', 'mschap2', 'either', 'none'] as const

/** The first byte chooses the template and what AAA says; then come frames, with time between some of them. */
function pppLink(bytes: Uint8Array): void {
  const [choice = 0] = bytes
  const link = new PppLink({
    template: {
      ...template,
      authentication: authentications[choice & 3]!,
      rechallengeSeconds: choice & 4 ? [10, 20] : undefined,
    },
    dice: countingDice(),
  })
  let now = 0
  let accepted = false
  let ends = 0
  const give = (input: PppInput | { kind: 'deadline' }) => {
    const effects: PppEffect[] = []
    link.handle(input, now, effects)
    must(effects.length < 16, 'too much comes of one frame')
    for (const e of effects) {
      if (e.kind === 'send') must(e.bytes.length <= 1600, 'an answer larger than the link takes')
      if (e.kind === 'networkUp') must(accepted, 'a network for somebody who is not known')
      if (e.kind === 'networkUp') must(e.peerMru >= 64 && e.peerMru <= template.mru, 'an absurd MRU')
      if (e.kind === 'event') must(printableText(e.text), 'an event that no log can hold')
      if (e.kind === 'down') ends++
      if (e.kind === 'authenticate') answer(e)
    }
    must(ends <= 1, 'a link that ends twice')
  }
  const answer = (e: Extract<PppEffect, { kind: 'authenticate' }>) => {
    const result =
      choice & 8
        ? ({ kind: 'rejected', reason: choice & 16 ? 'pool-empty' : 'wrong-password', message: 'no' } as const)
        : ({
            kind: 'accepted',
            user: 'u',
            address: CLIENT,
            localAddress: ipv4('192.168.8.1'),
            dns: [ipv4('192.168.8.2'), undefined],
            wins: [undefined, undefined],
            message: 'yes',
            proof: e.method === 'mschap2' ? `S=${'0'.repeat(40)}` : undefined,
          } as const)
    accepted ||= result.kind === 'accepted'
    give({ kind: 'authenticated', request: e.request, result })
  }
  give({ kind: 'start' })
  for (const [wait = 0, ...rest] of messagesOf(bytes.subarray(1), 24)) {
    give({ kind: 'frame', bytes: Uint8Array.from(rest) })
    const until = now + (wait & 0x1f) * 200
    for (let at = link.deadline; at !== undefined && at <= until; at = link.deadline) {
      now = Math.max(now, at)
      give({ kind: 'deadline' })
    }
    now = until
  }
  // Nobody answers any more: it comes to an end by itself.
  for (let turns = 0; link.deadline !== undefined; turns++) {
    must(turns < 500, 'a link that never ends')
    now = Math.max(now, link.deadline)
    give({ kind: 'deadline' })
  }
  must(ends === 1, 'a link without an end')
}

const FLAVOURS = ['xp', 'win7', 'plain'] as const

/** What each kind of client says, in order. */
function dialogues(): Uint8Array[][] {
  return FLAVOURS.flatMap(flavour =>
    authentications.map(authentication => {
      const frames: Uint8Array[] = []
      const pair = new Pair({ client: { flavour }, template: { authentication } })
      const forward = pair.fromClient.bind(pair)
      pair.fromClient = sent => {
        frames.push(...sent.map(f => f.slice()))
        forward(sent)
      }
      pair.start().run(4_000)
      return frames
    }),
  )
}

const inform = (options: string) => {
  const head = fromHex('01080600deadbeef00078000c0a80832000000000000000000000000')
  const message = join(
    head,
    fromHex('0053450000000000000000000000000000'.slice(0, 32)),
    new Uint8Array(192),
    fromHex(`63825363${options}ff`),
  )
  const ends = { source: CLIENT, destination: ipv4('255.255.255.255') }
  return emitIpv4({ ...ends, protocol: 17, payload: emitUdp(68, 67, message, ends) })
}

function dhcp(bytes: Uint8Array): void {
  const answer = answerInform(bytes, {
    server: ipv4('192.168.8.1'),
    client: CLIENT,
    dns: [ipv4('192.168.8.2'), undefined],
    wins: [undefined, ipv4('192.168.8.4')],
    dnsSuffix: 'office.example',
    routes: [{ network: ipv4('192.168.8.0'), length: 24 }],
  })
  if (!answer) return
  must(answer.length <= 600, 'a long answer')
  must(readIpv4(answer, 16) === CLIENT, 'an answer to another')
}

const dictionary = [
  ...['ff03c021', 'ff03c223', 'ff038021', 'ff0380fd', 'ff038057', 'c021', '8021', 'c223', 'c227', 'c023'].map(h =>
    fromHex(h),
  ),
  ...[
    '01040578',
    '0305c22305',
    '0305c22381',
    '0304c023',
    '0304c227',
    '0506deadbeef',
    '0702',
    '0802',
    '0d0306',
    '1104064e',
  ].map(h => fromHex(h)),
  ...[
    '030600000000',
    '810600000000',
    '0206002d0f01',
    '01010004',
    '05010004',
    '06010004',
    '08010006',
    '0901000800000000',
  ].map(h => fromHex(h)),
]

export const pppTargets: readonly Target[] = [
  {
    name: 'ppp-frame',
    seeds: () => dialogues().flat(),
    dictionary,
    covers: ['/src/ppp/', '/src/packet/'],
    run: pppFrame,
  },
  {
    name: 'ppp-link',
    seeds: () =>
      dialogues().flatMap((frames, i) =>
        [0, 4, 8, 24].map(bits =>
          join(Uint8Array.of((i % 4) | bits), several(frames.slice(0, 20).map(f => join(Uint8Array.of(0), f)))),
        ),
      ),
    dictionary,
    covers: ['/src/ppp/'],
    run: pppLink,
  },
  {
    name: 'dhcp',
    seeds: () => [
      inform('3501083d070100534500000037090f0306012c2e2f792b'),
      inform('350108'),
      inform('350108370179ff'),
      inform('35010137020f03'),
    ],
    dictionary: ['63825363', '350108', '3500', '37', '3702', '0000', 'ff', '3401', '4500', '00440043'].map(h =>
      fromHex(h),
    ),
    covers: ['/src/ppp/dhcp', '/src/packet/'],
    run: dhcp,
  },
]
