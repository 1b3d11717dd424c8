/** ISAKMP messages in words, for an operator who debugs: what may be told of each payload, and never a key or a hash of one. */

import { toHex } from '../packet/bytes.ts'
import { formatIpv4 } from '../packet/ip.ts'
import {
  Encapsulation,
  EspAuthentication,
  EspTransform,
  Exchange,
  Flag,
  PayloadType,
  Phase1Attribute,
  Phase1Encryption,
  Phase1HashId,
  Phase2Attribute,
  Protocol,
} from './constants.ts'
import { IkeError } from './error.ts'
import type { ParsedHeader, Payload } from './message.ts'
import {
  describeIdentity,
  notifyName,
  parseDeletion,
  parseIdentification,
  parseNatOa,
  parseNotification,
} from './payload.ts'
import { type Attribute, parseAttributes, parseSa } from './proposal.ts'

const payloadNames: Readonly<Record<number, string>> = {
  [PayloadType.Sa]: 'SA',
  [PayloadType.KeyExchange]: 'KE',
  [PayloadType.Identification]: 'ID',
  [PayloadType.Certificate]: 'CERT',
  [PayloadType.CertificateRequest]: 'CERTREQ',
  [PayloadType.Hash]: 'HASH',
  [PayloadType.Signature]: 'SIG',
  [PayloadType.Nonce]: 'NONCE',
  [PayloadType.Notification]: 'N',
  [PayloadType.Delete]: 'D',
  [PayloadType.VendorId]: 'VID',
  [PayloadType.NatDApple]: 'NAT-D',
  [PayloadType.NatOaApple]: 'NAT-OA',
  [PayloadType.NatD]: 'NAT-D',
  [PayloadType.NatOa]: 'NAT-OA',
  [PayloadType.NatDDraft]: 'NAT-D',
  [PayloadType.NatOaDraft]: 'NAT-OA',
  [PayloadType.Fragment]: 'FRAG',
}

/** `MAIN 7aa40d465ecacb2c:0000000000000000 msgid 00000000, encrypted`. */
export function describeHeader(h: ParsedHeader): string {
  const type = Object.entries(Exchange).find(([, n]) => n === h.exchange)?.[0] ?? `exchange ${h.exchange}`
  const cookies = `${toHex(h.initiatorCookie)}:${toHex(h.responderCookie)}`
  const message = h.messageId.toString(16).padStart(8, '0')
  return `${type.toUpperCase()} ${cookies} msgid ${message}${h.flags & Flag.Encryption ? ', encrypted' : ''}`
}

/** The walk through the payloads: `SA(200) VID(20) VID(16)`, lengths in bytes without the generic header. */
export function describeWalk(payloads: readonly Payload[]): string {
  return payloads.map(p => `${payloadName(p)}(${p.body.length})`).join(' ')
}

/** Each payload decoded, a line or more; what is secret by its length alone. */
export function describePayloads(payloads: readonly Payload[], phase: 1 | 2): string[] {
  return payloads.flatMap(p => {
    try {
      return describeBody(p, phase)
    } catch (e) {
      if (!(e instanceof IkeError)) throw e
      return [`${payloadName(p)}: malformed: ${e.message}`]
    }
  })
}

function payloadName(p: Payload): string {
  return payloadNames[p.type] ?? `payload ${p.type}`
}

function describeBody(p: Payload, phase: 1 | 2): string[] {
  const name = payloadName(p)
  switch (p.type) {
    case PayloadType.Sa:
      return parseSa(p.body).flatMap(proposal => [
        `SA: proposal ${proposal.number} ${protocolName(proposal.protocol)} spi ${toHex(proposal.spi) || 'none'}`,
        ...proposal.transforms.map(
          t => `  transform ${t.number}: ${describeTransform(phase, t.id, parseAttributes(t.attributes))}`,
        ),
      ])
    case PayloadType.Identification:
      return [`ID: ${describeIdentity(parseIdentification(p.body))}`]
    case PayloadType.Notification: {
      const n = parseNotification(p.body)
      return [`N: ${notifyName(n.type)} ${protocolName(n.protocol)} spi ${toHex(n.spi) || 'none'}`]
    }
    case PayloadType.Delete: {
      const d = parseDeletion(p.body)
      return [`D: ${protocolName(d.protocol)} ${d.spis.map(toHex).join(', ')}`]
    }
    case PayloadType.VendorId:
      return [`VID: ${toHex(p.body.subarray(0, 32))}`]
    case PayloadType.NatOa:
    case PayloadType.NatOaDraft:
    case PayloadType.NatOaApple: {
      const address = parseNatOa(p.body)
      return [`NAT-OA: ${address === undefined ? 'none' : formatIpv4(address)}`]
    }
    default:
      return [`${name}: ${p.body.length} bytes`]
  }
}

function describeTransform(phase: 1 | 2, id: number, attributes: readonly Attribute[]): string {
  const words = phase === 2 ? [nameIn(EspTransform, id)] : []
  return [...words, ...attributes.map(a => describeAttribute(phase, a))].join(', ')
}

const attributeNames = { 1: Phase1Attribute, 2: Phase2Attribute } as const

function describeAttribute(phase: 1 | 2, a: Attribute): string {
  const name = nameIn(attributeNames[phase], a.type)
  const registry =
    phase === 1
      ? { [Phase1Attribute.Encryption]: Phase1Encryption, [Phase1Attribute.Hash]: Phase1HashId }[a.type]
      : { [Phase2Attribute.Authentication]: EspAuthentication, [Phase2Attribute.EncapsulationMode]: Encapsulation }[
          a.type
        ]
  const value = a.value === undefined ? `${a.bytes?.length ?? 0} bytes` : registry ? nameIn(registry, a.value) : a.value
  return `${name} ${value}`
}

function protocolName(protocol: number): string {
  return nameIn(Protocol, protocol).toUpperCase()
}

function nameIn(registry: Readonly<Record<string, number>>, number: number): string {
  return Object.entries(registry).find(([, n]) => n === number)?.[0] ?? String(number)
}
