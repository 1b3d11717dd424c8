/** Which payloads each message must and may hold, as a table (RFC 2409 sections 5 and 5.5, RFC 3947 sections 3 and 5). */

import { Notify, PayloadType } from './constants.ts'
import { IkeError } from './error.ts'
import type { Payload } from './message.ts'

/** How often a payload type may stand in a message. */
type Counts = Readonly<Record<number, readonly [least: 0 | 1, most: number]>>

const P = PayloadType
const many = 64

/** Every flavour's NAT-D: which of them counts was settled by vendor IDs. */
const natDs: Counts = { [P.NatD]: [0, many], [P.NatDDraft]: [0, many], [P.NatDApple]: [0, many] }
const natOas: Counts = { [P.NatOa]: [0, 2], [P.NatOaDraft]: [0, 2], [P.NatOaApple]: [0, 2] }
/** Payloads that any peer may add anywhere. */
const asides: Counts = { [P.VendorId]: [0, many], [P.Notification]: [0, 8] }

export const messageRules = {
  main1: { ...asides, [P.Sa]: [1, 1] },
  main2: { ...asides, [P.Sa]: [1, 1] },
  main3: { ...asides, ...natDs, [P.KeyExchange]: [1, 1], [P.Nonce]: [1, 1], [P.CertificateRequest]: [0, many] },
  main4: { ...asides, ...natDs, [P.KeyExchange]: [1, 1], [P.Nonce]: [1, 1], [P.CertificateRequest]: [0, many] },
  main5: { ...asides, [P.Identification]: [1, 1], [P.Hash]: [1, 1], [P.CertificateRequest]: [0, many] },
  /** Message 5 and 6 where signatures take the place of hashes. */
  main5signed: {
    ...asides,
    [P.Identification]: [1, 1],
    [P.Signature]: [1, 1],
    [P.Certificate]: [0, 16],
    [P.CertificateRequest]: [0, many],
  },
  main6signed: { ...asides, [P.Identification]: [1, 1], [P.Signature]: [1, 1], [P.Certificate]: [0, 16] },
  main6: { ...asides, [P.Identification]: [1, 1], [P.Hash]: [1, 1] },
  quick1: {
    ...asides,
    ...natOas,
    [P.Hash]: [1, 1],
    [P.Sa]: [1, 1],
    [P.Nonce]: [1, 1],
    [P.KeyExchange]: [0, 1],
    [P.Identification]: [0, 2],
  },
  quick2: {
    ...asides,
    ...natOas,
    [P.Hash]: [1, 1],
    [P.Sa]: [1, 1],
    [P.Nonce]: [1, 1],
    [P.KeyExchange]: [0, 1],
    [P.Identification]: [0, 2],
  },
  quick3: { ...asides, [P.Hash]: [1, 1] },
  informational: {
    [P.Hash]: [1, 1],
    [P.Nonce]: [0, 1],
    [P.Notification]: [0, 16],
    [P.Delete]: [0, 16],
    [P.VendorId]: [0, many],
  },
} as const satisfies Readonly<Record<string, Counts>>

export type MessageName = keyof typeof messageRules

/** Messages whose first payload must be HASH (RFC 2409 section 5.5, section 5.7). */
const hashFirst: ReadonlySet<MessageName> = new Set(['quick1', 'quick2', 'quick3', 'informational'])

/** First number of the payload types of private use. */
const PRIVATE_USE = 128

/** A rule as it is looked up. */
interface Compiled {
  /** By payload type. */
  readonly most: Uint32Array
  readonly needed: readonly number[]
}

function compile(rule: Counts): Compiled {
  const most = new Uint32Array(256)
  // Whoever does not know a payload of private use ignores it, however often it stands there.
  most.fill(0xffffffff, PRIVATE_USE)
  const types = Object.keys(rule).map(Number)
  for (const type of types) most[type] = rule[type]![1]
  return { most, needed: types.filter(type => rule[type]![0] > 0) }
}

const compiled = Object.fromEntries(
  Object.entries(messageRules).map(([name, rule]) => [name, compile(rule)]),
) as Readonly<Record<MessageName, Compiled>>

/** How many payloads of each type the message in hand has. */
const counts = new Uint32Array(256)

/** Checks a message against its rule. Throws IkeError. */
export function checkPayloads(name: MessageName, payloads: readonly Payload[]): void {
  const { most, needed } = compiled[name]
  counts.fill(0)
  for (const { type } of payloads) {
    if (most[type] === 0) throw fault('unexpected-payload', `payload ${type} in ${name}`)
    counts[type]! += 1
    if (counts[type]! > most[type]!)
      throw fault('repeated-payload', `more than ${most[type]} payloads ${type} in ${name}`)
  }
  for (const type of needed) if (counts[type] === 0) throw fault('missing-payload', `no payload ${type} in ${name}`)
  if (hashFirst.has(name) && payloads[0]!.type !== P.Hash)
    throw fault('unexpected-payload', `${name} without HASH in front`)
}

function fault(reason: string, detail: string): IkeError {
  return new IkeError(reason, Notify.InvalidPayloadType, detail)
}
