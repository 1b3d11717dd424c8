/** Which payloads each message must and may hold, as a table (RFC 2409 sections 5 and 5.5, RFC 3947 sections 3 and 5). */

import { Notify, PayloadType } from './constants.ts'
import { IkeError } from './error.ts'
import type { Payload } from './message.ts'

/** How often a payload type may stand in a message. */
type Counts = Readonly<Record<number, readonly [least: number, most: number]>>

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

/** First number of the payload types of private use: whoever does not know one ignores it. */
const PRIVATE_USE = 128

/** Checks a message against its rule. Throws IkeError. */
export function checkPayloads(name: MessageName, payloads: readonly Payload[]): void {
  const rule: Counts = messageRules[name]
  const counts = new Map<number, number>()
  for (const { type } of payloads) {
    if (!rule[type] && type < PRIVATE_USE) throw fault('unexpected-payload', `payload ${type} in ${name}`)
    counts.set(type, (counts.get(type) ?? 0) + 1)
  }
  for (const [type, [least, most]] of Object.entries(rule)) {
    const count = counts.get(Number(type)) ?? 0
    if (count < least) throw fault('missing-payload', `no payload ${type} in ${name}`)
    if (count > most) throw fault('repeated-payload', `${count} payloads ${type} in ${name}`)
  }
  if (hashFirst.has(name) && payloads[0]!.type !== P.Hash)
    throw fault('unexpected-payload', `${name} without HASH in front`)
}

function fault(reason: string, detail: string): IkeError {
  return new IkeError(reason, Notify.InvalidPayloadType, detail)
}
