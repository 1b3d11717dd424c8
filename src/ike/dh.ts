/** Diffie-Hellman groups (RFC 2409 section 6, RFC 3526, RFC 5903): MODP 1, 2, 5 and 14, elliptic curves 19 and 20. */

import { getDiffieHellman } from 'node:crypto'
import type { Dice } from '../machine.ts'
import { arithmetic } from './arithmetic.ts'
import { Notify } from './constants.ts'
import { IkeError } from './error.ts'
import type { Group } from './policy.ts'

interface Modp {
  readonly kind: 'modp'
  /** Bytes of the prime, and of every public value and shared secret. */
  readonly length: number
  /** Bytes of our exponent: at least twice the strength that the group has, which RFC 3526 section 8 asks for. */
  readonly exponentLength: number
}

interface Curve {
  readonly kind: 'curve'
  /** Bytes of one coordinate. */
  readonly length: number
}

const groups: Readonly<Record<Group, Modp | Curve>> = {
  1: { kind: 'modp', length: 96, exponentLength: 32 },
  2: { kind: 'modp', length: 128, exponentLength: 32 },
  5: { kind: 'modp', length: 192, exponentLength: 32 },
  14: { kind: 'modp', length: 256, exponentLength: 40 },
  19: { kind: 'curve', length: 32 },
  20: { kind: 'curve', length: 48 },
}

export interface KeyPair {
  readonly group: Group
  readonly privateKey: Uint8Array
  /** As a KE payload holds it. */
  readonly publicValue: Uint8Array
}

/** Bytes of a KE payload in this group: the prime's length, or both coordinates of a point. */
export function publicLength(group: Group): number {
  const g = groups[group]
  return g.kind === 'modp' ? g.length : 2 * g.length
}

/** The group that costs us most of those whose public values are so long; 1 where there is none, and nothing is computed. */
export function costliestGroup(length: number): Group {
  return ([20, 14, 5, 19, 2] as const).find(group => publicLength(group) === length) ?? 1
}

export function isGroup(value: number | undefined): value is Group {
  return value !== undefined && Object.hasOwn(groups, value)
}

/** A fresh key pair whose private key is thrown with the dice. */
export function generateKeyPair(group: Group, dice: Dice): KeyPair {
  const g = groups[group]
  const privateKey = dice(g.kind === 'modp' ? g.exponentLength : g.length).slice()
  // Below 2^(n-1) an exponent is below the order of either curve, and never 0 or 1 in any group.
  privateKey[0] = (privateKey[0]! & 0x7f) | 0x40
  return { group, privateKey, publicValue: arithmetic().publicValue(group, privateKey) }
}

/** g^xy at full group length, leading zeros kept (RFC 2409 section 5). Throws IkeError where the peer's value is not a fair one. */
export function sharedSecret(own: KeyPair, peer: Uint8Array): Uint8Array {
  checkPublicValue(own.group, peer)
  const secret = arithmetic().sharedSecret(own.group, own.privateKey, peer)
  if (secret === undefined) throw invalidKey('public value is not a point of the curve')
  return secret
}

/** Checks the length, and in a MODP group 1 < y < p - 1. Throws IkeError. */
export function checkPublicValue(group: Group, value: Uint8Array): void {
  if (value.length !== publicLength(group))
    throw invalidKey(`public value of ${value.length} bytes in group ${group}, which has ${publicLength(group)}`)
  const g = groups[group]
  if (g.kind === 'curve') return
  const isAboveOne = value.at(-1)! > 1 || value.some((byte, i) => byte !== 0 && i < value.length - 1)
  if (!isAboveOne || Buffer.compare(value, primeLessOne(group)) >= 0)
    throw invalidKey('public value is 0, 1, p-1 or beyond the prime')
}

const primesLessOne = new Map<Group, Uint8Array>()

function primeLessOne(group: Group): Uint8Array {
  let bytes = primesLessOne.get(group)
  if (bytes === undefined) {
    bytes = new Uint8Array(getDiffieHellman(`modp${group}`).getPrime())
    // A prime is odd.
    bytes[bytes.length - 1]! -= 1
    primesLessOne.set(group, bytes)
  }
  return bytes
}

function invalidKey(detail: string): IkeError {
  return new IkeError('bad-public-value', Notify.InvalidKeyInformation, detail)
}
