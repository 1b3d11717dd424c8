/** IKE to the fuzzer: messages, an endpoint that hears them, fragments, certificates. */

import { createHash } from 'node:crypto'
import { type Certificate, parseCertificate, parseRevocationList } from '../../src/ike/certificate.ts'
import { judgeCertificates } from '../../src/ike/certificate-path.ts'
import { choosePhase1, choosePhase2 } from '../../src/ike/choose.ts'
import { PayloadType } from '../../src/ike/constants.ts'
import { DerError } from '../../src/ike/der.ts'
import { nameText } from '../../src/ike/distinguished-name.ts'
import { IkeError } from '../../src/ike/error.ts'
import { cut, emitFragment, parseFragment, Reassembler, whole } from '../../src/ike/fragment.ts'
import {
  emitMessage,
  emitPayloads,
  type Payload,
  parseHeader,
  parseMessage,
  parsePayloads,
} from '../../src/ike/message.ts'
import { chooseNatFlavour } from '../../src/ike/nat.ts'
import {
  describeIdentity,
  emitDeletion,
  emitIdentification,
  emitNotification,
  parseDeletion,
  parseIdentification,
  parseNatOa,
  parseNotification,
} from '../../src/ike/payload.ts'
import { certificatesOf } from '../../src/ike/pkcs7.ts'
import { emitSa, type Proposal, parseSa } from '../../src/ike/proposal.ts'
import { checkPayloads, type MessageName, messageRules } from '../../src/ike/rules.ts'
import { describeClient } from '../../src/ike/vendor.ts'
import { fromHex } from '../../src/packet/bytes.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { baseConfig, Gateway, of, phase2Policy, policy } from '../ike/gateway.ts'
import { authIp, windows7First, windows10First, windows2000First, xpFirst, xpSession } from '../ike/samples.ts'
import { seededDice } from '../support/dice.ts'
import { Initiator } from '../support/initiator.ts'
import { windows10, windowsXp } from '../support/windows.ts'
import type { Target } from './guided.ts'
import { fast, Insider } from './insider.ts'
import { messagesOf, must, own, same, several } from './must.ts'
import { stored } from './stored.ts'

const words = (...hex: string[]) => hex.map(h => fromHex(h))
const dictionary = [
  ...words('0110', '0110020000000000', '0000000100000001'),
  ...words('0d000014', '04000084', '0a000018', '05000018', '8001000780', '800e0080', '800b0001000c000400007080'),
  ...words('80010005', '80020002', '80030001', '80040002', '8004000e', '80030003', '80040013', '80010001'),
  ...words('0000000c00000001', '0000001c00000001', '01108d28', '0304', '0000ffff', '8000', 'ffff', '84000004'),
  fromHex('4a131c81070358455c5728f20e95452f'),
  fromHex('4048b7d56ebce88525e7de7f00d6c2d3'),
  fromHex('90cb80913ebb696e086381b5ec427b1f'),
]

const names = Object.keys(messageRules) as MessageName[]

/** What control does with the payloads of a message, encrypted or not, short of keys. */
function readPayloads(payloads: readonly Payload[]): void {
  for (const name of names) own(IkeError, () => checkPayloads(name, payloads))
  for (const p of payloads) {
    switch (p.type) {
      case PayloadType.Sa:
        readSa(p.body)
        break
      case PayloadType.Identification: {
        const id = own(IkeError, () => parseIdentification(p.body))
        if (!id) break
        must(same(emitIdentification(id), p.body), 'an identity changes when it is written')
        must(printableText(describeIdentity(id)), 'an identity that no log can hold')
        break
      }
      case PayloadType.Notification: {
        const n = own(IkeError, () => parseNotification(p.body))
        if (n) must(same(emitNotification(n), p.body), 'a notify changes when it is written')
        break
      }
      case PayloadType.Delete: {
        const d = own(IkeError, () => parseDeletion(p.body))
        if (d && d.spiSize > 0) must(same(emitDeletion(d), p.body), 'a DELETE changes when it is written')
        break
      }
      default:
        parseNatOa(p.body)
    }
  }
  const vendorIds = payloads.filter(p => p.type === PayloadType.VendorId).map(p => p.body)
  must(printableText(describeClient(vendorIds)), 'a client that no log can hold')
  chooseNatFlavour(vendorIds)
}

function readSa(body: Uint8Array): void {
  const proposals = own(IkeError, () => parseSa(body))
  if (!proposals) return
  must(alike(proposals, parseSa(emitSa(proposals))), 'proposals change when they are written')
  for (const authentication of ['psk', 'rsa'] as const) {
    const choice = own(IkeError, () => choosePhase1(proposals, { ...policy, authentication }))
    if (choice?.kind === 'chosen') must(policy.groups.includes(choice.suite.group), 'a group that the policy has not')
  }
  for (const keyExchange of [false, true])
    for (const udp of [false, true])
      own(IkeError, () => choosePhase2(proposals, phase2Policy, { keyExchange, udp, plain: !udp }))
}

const alike = (a: readonly Proposal[], b: readonly Proposal[]) => JSON.stringify(a) === JSON.stringify(b)

/** Whether text may stand in a log: no control characters. */
export function printableText(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c < 0x20 || c === 0x7f) return false
  }
  return true
}

function ikeMessage(bytes: Uint8Array): void {
  // The first byte chooses between a message and the inside of an encrypted one.
  if (bytes.length === 0) return
  const rest = bytes.subarray(1)
  if (bytes[0]! >= 128) {
    const inside = own(IkeError, () => parsePayloads(bytes[0]! & 127, rest))
    if (inside) must(inside.length <= rest.length, 'more payloads than bytes')
    if (inside) readPayloads(inside.payloads)
    return
  }
  own(IkeError, () => parseHeader(rest))
  const message = own(IkeError, () => parseMessage(rest))
  if (!message) return
  must(same(emitMessage(message), rest), 'a message changes when it is written')
  readPayloads(message.payloads)
}

const WHERE = { address: ipv4('203.0.113.7'), port: 500 }
/** One cheap group, so that most of the time is spent in reading. */
const cheap = { ...baseConfig, policies: [{ ...policy, groups: [19, 2] as const }] }

/** Datagrams from one place to a gateway that has heard nothing yet. */
function ikeEndpoint(bytes: Uint8Array): void {
  const gateway = new Gateway({}, cheap)
  let heard = 0
  let said = 0
  for (const message of messagesOf(bytes, 6)) {
    heard += message.length
    const effects = gateway.datagram(WHERE, 500, message)
    must(effects.length < 32, 'too much comes of one datagram')
    for (const e of of(effects, 'send')) said += e.bytes.length
    must(said <= heard, `amplification: ${said} bytes for ${heard}`)
    must(of(effects, 'installInbound').length === 0, 'a security association for a stranger')
  }
  must(of(gateway.pass(300), 'send').length === 0, 'a timer spoke to a stranger')
  must(gateway.endpoint.snapshot().exchanges.length === 0, 'a stranger left something behind')
}

/** Message 1 and 3 of a client, and something behind them. The gateway's dice are fixed, so its cookie is known. */
function dialogue(options: typeof windowsXp | typeof windows10): Uint8Array {
  const gateway = new Gateway({}, cheap)
  const client = new Initiator({
    ...options,
    dice: seededDice('fuzz'),
    presharedKey: 'the key',
    address: ipv4('192.168.1.10'),
    server: ipv4('198.51.100.1'),
  })
  const one = client.message1()
  const two = of(gateway.datagram(WHERE, 500, one), 'send')[0]!.bytes
  const three = client.message3(two)
  const four = of(gateway.datagram(WHERE, 500, three), 'send')[0]!.bytes
  return several([one, three, client.message5(four)])
}

/**
 * What a client says that is let in: in each message the exchange, the message ID, the type of the first payload, and
 * payloads, all well protected.
 */
function ikeInside(bytes: Uint8Array): void {
  const gateway = new Gateway({}, cheap)
  const evil = new Insider(gateway, { ...fast, seed: 'inside' }).mainMode()
  gateway.take()
  for (const [exchange = 0, id = 0, type = 1, ...rest] of messagesOf(bytes, 8)) {
    const chain = Uint8Array.from(rest)
    const parsed = own(IkeError, () => parsePayloads(type, chain))?.payloads ?? [{ type: type || 1, body: chain }]
    const effects = evil.throw(exchange, id + 1, parsed)
    must(effects.length < 80, 'too much comes of one message')
    for (const e of of(effects, 'send')) must(e.bytes.length < 1500, 'a long answer')
    for (const e of of(effects, 'event'))
      if ('detail' in e.event) must(printableText(String(e.event.detail)), 'a detail that no log can hold')
  }
  must(gateway.endpoint.snapshot().children.length <= 16, 'more security associations than one peer may have')
  gateway.give({ kind: 'closePeer', peer: 1, reason: 'over' })
  gateway.pass(100)
  must(gateway.endpoint.snapshot().children.length === 0, 'an SA outlives its peer')
}

/** What a client says under its ISAKMP SA: two Quick Modes, a question whether we live, DELETEs. */
function insideSeeds(): Uint8Array[] {
  const client = new Insider(new Gateway({}, cheap), { ...fast, seed: 'inside' }).mainMode()
  const said: Uint8Array[] = []
  client.heard = (exchange, payloads) =>
    said.push(Uint8Array.of(exchange, said.length, payloads[0]!.type, ...emitPayloads(payloads)))
  const { inboundSpi } = client.quickMode()
  client.quickMode()
  client.ike.areYouThere(1)
  client.ike.deleteEsp(inboundSpi)
  client.ike.deleteIsakmp()
  return [...said.map(m => several([m])), several(said), several([...said].reverse())]
}

function ikeFragment(bytes: Uint8Array): void {
  const table = new Reassembler()
  for (const [i, datagram] of messagesOf(bytes, 40).entries())
    own(IkeError, () => {
      const header = parseHeader(datagram)
      const fragment = parseFragment(datagram)
      must(same(emitFragment(header, fragment).subarray(32, 34), datagram.subarray(32, 34)), 'another fragment')
      const joined = table.add('sa', i & 1, header.messageId, fragment, i)
      if (joined) whole(joined, header, (header.flags & 1) !== 0)
    })
  must(table.size <= 8, 'more sets than one peer may have')
  table.expire(90_100)
  must(table.size === 0 && table.deadline === undefined, 'pieces outlive their time')
}

/** An authority's certificate, one that it signed, a list of revoked ones, a PKCS #7 message with both, and a name. */
const certificates = stored('certificate', 'seeds')
let anchors: readonly Certificate[] | undefined

function certificate(bytes: Uint8Array): void {
  const rest = bytes.subarray(1)
  switch (bytes[0]! & 3) {
    case 0: {
      const c = own(DerError, () => parseCertificate(rest))
      if (c) must(printableText(c.name), 'a name that no log can hold')
      anchors ??= certificates.slice(0, 1).map(b => parseCertificate(b.subarray(1)))
      const trust = { anchors, revocationLists: [], maxDepth: 3 }
      const verdict = judgeCertificates([rest], trust, { now: Date.UTC(2026, 6, 1), names: undefined })
      const known = certificates.some(k => same(k.subarray(1), rest))
      must(verdict.kind === 'bad' || known, 'a certificate that nobody signed is let in')
      return
    }
    case 1:
      own(DerError, () => parseRevocationList(rest))
      return
    case 2:
      for (const c of own(DerError, () => certificatesOf(rest)) ?? []) own(DerError, () => parseCertificate(c))
      return
    default:
      must(printableText(nameText(rest) ?? ''), 'a name that no log can hold')
  }
}

const clear = (m: Uint8Array) => Uint8Array.of(0, ...m)

export const ikeTargets: readonly Target[] = [
  {
    name: 'ike-message',
    seeds: () => [
      ...[authIp, xpFirst, windows2000First, windows7First, windows10First, xpSession.message5].map(clear),
      Uint8Array.of(
        128 + 8,
        ...fromHex('0c000018'),
        ...createHash('sha1').update('h').digest(),
        ...fromHex('0000001c000000010304000100000000'),
      ),
      Uint8Array.of(
        128 + 5,
        ...fromHex('0800000c01110000c0a8010a'),
        ...fromHex('00000018'),
        ...createHash('sha1').update('h').digest(),
      ),
      Uint8Array.of(
        128 + 11,
        ...fromHex('0c00001800000001010060021122334455667788aabb'),
        ...fromHex('0000001000000001030400011234567800'),
      ),
    ],
    dictionary,
    covers: ['/src/ike/', '/src/packet/'],
    run: ikeMessage,
  },
  {
    name: 'ike-endpoint',
    seeds: () => [
      several([windows10First, windows10First]),
      several([xpFirst]),
      several([windows7First, authIp]),
      dialogue(windows10),
      dialogue(windowsXp),
    ],
    dictionary: [...dictionary, fromHex('0510020100000000'), fromHex('0810050100000001'), fromHex('0b10050000000000')],
    covers: ['/src/ike/'],
    run: ikeEndpoint,
  },
  {
    name: 'ike-inside',
    slow: true,
    seeds: insideSeeds,
    dictionary: [...dictionary, fromHex('20010100'), fromHex('05010c00'), fromHex('05010b00')],
    covers: ['/src/ike/'],
    run: ikeInside,
  },
  {
    name: 'ike-fragment',
    seeds: () => {
      const long = new Uint8Array(1300).fill(7)
      long.set(xpFirst.subarray(0, 28))
      new DataView(long.buffer).setUint32(24, long.length)
      const pieces = cut(long)
      const header = parseHeader(xpFirst)
      const small = [1, 2, 3].map(number =>
        emitFragment(header, {
          id: 9,
          number,
          last: number === 3,
          data: xpFirst.slice(40 * (number - 1), 40 * number),
        }),
      )
      return [several(pieces), several([...pieces].reverse()), several(small), several([...small, ...small])]
    },
    dictionary: [...dictionary, fromHex('8410020000000000'), fromHex('00090101'), fromHex('00090200')],
    covers: ['/src/ike/fragment', '/src/ike/message', '/src/packet/'],
    run: ikeFragment,
  },
  {
    name: 'certificate',
    seeds: () => certificates,
    dictionary: words(
      '3082',
      '3080',
      '3000',
      '3003020100',
      '0603551d',
      '0603551d13',
      '0603551d0f',
      '0603551d25',
      '0603551d11',
      '170d',
      '180f',
      '0500',
      'a003020102',
      '0101ff',
      '0c',
      '1e',
      '03020780',
    ),
    covers: ['/src/ike/'],
    run: certificate,
  },
]
