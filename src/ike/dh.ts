/** Diffie-Hellman groups (RFC 2409 section 6, RFC 3526, RFC 5903): MODP 1, 2, 5 and 14, elliptic curves 19 and 20. */

import { createDiffieHellman, createECDH, type DiffieHellman, type ECDH, getDiffieHellman } from 'node:crypto'
import type { Dice } from '../machine.ts'
import { concat } from '../packet/writer.ts'
import { Notify } from './constants.ts'
import { IkeError } from './error.ts'
import type { Group } from './policy.ts'

interface Modp {
  readonly kind: 'modp'
  readonly openssl: string
  /** Bytes of the prime, and of every public value and shared secret. */
  readonly length: number
  /** Bytes of our exponent: at least twice the strength that the group has, which RFC 3526 section 8 asks for. */
  readonly exponentLength: number
}

interface Curve {
  readonly kind: 'curve'
  readonly openssl: string
  /** Bytes of one coordinate. */
  readonly length: number
}

const groups: Readonly<Record<Group, Modp | Curve>> = {
  1: { kind: 'modp', openssl: 'modp1', length: 96, exponentLength: 32 },
  2: { kind: 'modp', openssl: 'modp2', length: 128, exponentLength: 32 },
  5: { kind: 'modp', openssl: 'modp5', length: 192, exponentLength: 32 },
  14: { kind: 'modp', openssl: 'modp14', length: 256, exponentLength: 40 },
  19: { kind: 'curve', openssl: 'prime256v1', length: 32 },
  20: { kind: 'curve', openssl: 'secp384r1', length: 48 },
}

export interface KeyPair {
  readonly group: Group
  readonly privateKey: Uint8Array
  /** As a KE payload holds it. */
  readonly publicValue: Uint8Array
  /** On a curve, the private key as OpenSSL has it: to give it again would cost another multiplication of a point. */
  readonly curve?: ECDH
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
  if (g.kind === 'curve') {
    const e = createECDH(g.openssl)
    e.setPrivateKey(privateKey)
    // RFC 5903 section 7: both coordinates, without the byte that says "uncompressed".
    return { group, privateKey, publicValue: new Uint8Array(e.getPublicKey()).slice(1), curve: e }
  }
  const d = calculator(g)
  d.setPrivateKey(privateKey)
  return { group, privateKey, publicValue: leftPad(d.generateKeys(), g.length) }
}

/** g^xy at full group length, leading zeros kept (RFC 2409 section 5). Throws IkeError where the peer's value is not a fair one. */
export function sharedSecret(own: KeyPair, peer: Uint8Array): Uint8Array {
  const g = groups[own.group]
  checkPublicValue(own.group, peer)
  if (g.kind === 'curve') {
    try {
      // RFC 5903 section 9: the x coordinate alone. OpenSSL checks that the point is on the curve.
      return leftPad(own.curve!.computeSecret(concat(Uint8Array.of(4), peer)), g.length)
    } catch {
      throw invalidKey('public value is not a point of the curve')
    }
  }
  const d = calculator(g)
  d.setPrivateKey(own.privateKey)
  return leftPad(d.computeSecret(peer), g.length)
}

/** Checks the length, and in a MODP group 1 < y < p - 1. Throws IkeError. */
export function checkPublicValue(group: Group, value: Uint8Array): void {
  if (value.length !== publicLength(group))
    throw invalidKey(`public value of ${value.length} bytes in group ${group}, which has ${publicLength(group)}`)
  const g = groups[group]
  if (g.kind === 'curve') return
  const y = BigInt(`0x${Buffer.from(value).toString('hex')}`)
  const p = prime(g)
  if (y <= 1n || y >= p - 1n) throw invalidKey('public value is 0, 1, p-1 or beyond the prime')
}

const calculators = new Map<string, DiffieHellman>()

/** One calculator a group: making one costs OpenSSL a primality test of the small primes. Keys are set before each use. */
function calculator(g: Modp): DiffieHellman {
  let d = calculators.get(g.openssl)
  if (!d) {
    d = createDiffieHellman(getDiffieHellman(g.openssl).getPrime(), 2)
    calculators.set(g.openssl, d)
  }
  return d
}

const primes = new Map<string, bigint>()

function prime(g: Modp): bigint {
  let p = primes.get(g.openssl)
  if (p === undefined) primes.set(g.openssl, (p = BigInt(`0x${calculator(g).getPrime('hex')}`)))
  return p
}

function leftPad(bytes: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length)
  out.set(bytes, length - bytes.length)
  return out
}

function invalidKey(detail: string): IkeError {
  return new IkeError('bad-public-value', Notify.InvalidKeyInformation, detail)
}
