import { getDiffieHellman } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadNative } from '../../src/gateway/native.ts'
import { NativeArithmetic } from '../../src/gateway/native-arithmetic.ts'
import { nodeArithmetic } from '../../src/ike/node-arithmetic.ts'
import type { Group } from '../../src/ike/policy.ts'
import { fromHex, toHex } from '../../src/packet/bytes.ts'
import { seededDice } from '../support/dice.ts'

const native = new NativeArithmetic(loadNative())
const ways = [
  ['as fast as it can', native],
  ['without vectors', new NativeArithmetic(loadNative(), false)],
] as const
const dice = seededDice('arithmetic')

/** Bytes of a private key, a public value and a secret. */
const groups = {
  1: [32, 96, 96],
  2: [32, 128, 128],
  5: [32, 192, 192],
  14: [40, 256, 256],
  19: [32, 64, 32],
  20: [48, 96, 48],
} as const satisfies Record<Group, readonly [number, number, number]>
const numbers = Object.keys(groups).map(g => Number(g) as Group)

/** As dh.ts throws it. */
function privateKey(group: Group): Uint8Array {
  const key = dice(groups[group][0])
  key[0] = (key[0]! & 0x7f) | 0x40
  return key
}

const cases = numbers.flatMap(group => ways.map(([way, native]) => ({ group, way, native })))

describe.each(cases)('Diffie-Hellman group $group, $way', ({ group, native }) => {
  it('is what node:crypto computes', () => {
    for (let i = 0; i < (group === 20 ? 200 : 60); i++) {
      const [ours, theirs] = [privateKey(group), privateKey(group)]
      const value = native.publicValue(group, ours)
      expect(value).toEqual(nodeArithmetic.publicValue(group, ours))
      const peer = nodeArithmetic.publicValue(group, theirs)
      const secret = native.sharedSecret(group, ours, peer)
      expect(secret).toEqual(nodeArithmetic.sharedSecret(group, ours, peer))
      expect(native.sharedSecret(group, theirs, value)).toEqual(secret)
      expect(secret).toHaveLength(groups[group][2])
    }
  })

  it('is what node:crypto computes for exponents with runs of equal bits', () => {
    const [length] = groups[group]
    const peer = nodeArithmetic.publicValue(group, privateKey(group))
    for (const byte of [0x00, 0x0f, 0xf0, 0xff]) {
      for (let at = 0; at <= length; at += 5) {
        const key = new Uint8Array(length).fill(byte).fill(byte ^ 0xff, at)
        key[0] = (key[0]! & 0x7f) | 0x40
        expect(native.publicValue(group, key)).toEqual(nodeArithmetic.publicValue(group, key))
        expect(native.sharedSecret(group, key, peer)).toEqual(nodeArithmetic.sharedSecret(group, key, peer))
      }
    }
  })

  it('refuses values that are not fair', () => {
    const [, length] = groups[group]
    const key = privateKey(group)
    expect(native.sharedSecret(group, key, new Uint8Array(length))).toBeUndefined()
    expect(native.sharedSecret(group, key, new Uint8Array(length).fill(0xff))).toBeUndefined()
    const fair = native.publicValue(group, key)
    if (group < 19) return expect(native.sharedSecret(group, key, one(length))).toBeUndefined()
    // Every other point next to a fair one is off the curve.
    for (const at of [0, 7, length / 2 - 1, length / 2, length - 1]) {
      const off = fair.slice()
      off[at]! ^= 1
      expect(native.sharedSecret(group, key, off)).toBeUndefined()
    }
  })
})

const isModp = ({ group }: { group: Group }) => group < 19

describe.each(cases.filter(isModp))('MODP group $group, $way', ({ group, native }) => {
  it('is what node:crypto computes for the smallest and greatest values there are', () => {
    const [length, valueLength] = groups[group]
    const p = fromHex(getDiffieHellman(`modp${group}`).getPrime('hex'))
    const values = [number(2n, valueLength), number(3n, valueLength), number(1n << 52n, valueLength), above(p, -2)]
    const keys = [number(1n, length), number(2n, length), new Uint8Array(length).fill(0xff), privateKey(group)]
    for (const key of keys) {
      expect(native.publicValue(group, key)).toEqual(nodeArithmetic.publicValue(group, key))
      for (const value of values)
        expect(native.sharedSecret(group, key, value)).toEqual(nodeArithmetic.sharedSecret(group, key, value))
    }
    for (const unfair of [above(p, -1), p, above(p, 1)])
      expect(native.sharedSecret(group, privateKey(group), unfair)).toBeUndefined()
  })
})

describe('P-384', () => {
  it('has the multiples of the generator that are published', () => {
    // 2G, from the list of point multiples that NIST gave out with the curves.
    const two = new Uint8Array(48)
    two[47] = 2
    expect(toHex(native.publicValue(20, two))).toBe(
      '08d999057ba3d2d969260045c55b97f089025959a6f434d651d207d19fb96e9e4fe0e86ebe0e64f85b96a9c75295df61' +
        '8e80f1fa5b1b3cedb7bfe8dffd6dba74b275d875bc6cc43e904e505f256ab4255ffd43e94d39e22d61501e700a940e80',
    )
  })

  it('takes no coordinate that is not below the prime', () => {
    // x = 0 is on the curve where b is a square, and p would be the same number in another encoding.
    const p = 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n
    const b = 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn
    const y = power(b, (p + 1n) / 4n, p)
    expect((y * y) % p).toBe(b)
    const point = (x: bigint) => fromHex([x, y].map(n => n.toString(16).padStart(96, '0')).join(''))
    expect(native.sharedSecret(20, privateKey(20), point(0n))).toBeDefined()
    expect(native.sharedSecret(20, privateKey(20), point(p))).toBeUndefined()
  })
})

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  for (let square = base, e = exponent; e > 0n; e >>= 1n, square = (square * square) % modulus)
    if (e & 1n) result = (result * square) % modulus
  return result
}

/** Big-endian. */
function number(value: bigint, length: number): Uint8Array {
  return fromHex(value.toString(16).padStart(2 * length, '0'))
}

function above(value: Uint8Array, by: number): Uint8Array {
  return number(BigInt(`0x${toHex(value)}`) + BigInt(by), value.length)
}

function one(length: number): Uint8Array {
  const value = new Uint8Array(length)
  value[length - 1] = 1
  return value
}

const bytes = (most: number) => fc.uint8Array({ minLength: 0, maxLength: most })

describe('hashes and ciphers', () => {
  it.each(['md5', 'sha1', 'sha256'] as const)('%s and its HMAC are those of node:crypto', algorithm => {
    fc.assert(
      fc.property(bytes(200), fc.array(bytes(300), { maxLength: 8 }), (key, parts) => {
        expect(native.hash(algorithm, parts)).toEqual(nodeArithmetic.hash(algorithm, parts))
        expect(native.hmac(algorithm, key, parts)).toEqual(nodeArithmetic.hmac(algorithm, key, parts))
      }),
    )
    const long = dice(40_000)
    expect(native.hash(algorithm, [long])).toEqual(nodeArithmetic.hash(algorithm, [long]))
    expect(native.hmac(algorithm, long, [])).toEqual(nodeArithmetic.hmac(algorithm, long, []))
  })

  it.each([
    ['des', 8, 8],
    ['3des', 24, 8],
    ['aes128', 16, 16],
    ['aes192', 24, 16],
    ['aes256', 32, 16],
  ] as const)('%s is that of node:crypto', (cipher, keyLength, block) => {
    for (let blocks = 1; blocks < 80; blocks++) {
      const [key, iv, text] = [dice(keyLength).slice(), dice(block).slice(), dice(blocks * block).slice()]
      const [sealed, opened, byNode] = [text.slice(), new Uint8Array(text.length), new Uint8Array(text.length)]
      native.crypt(cipher, true, key, iv, sealed, sealed)
      nodeArithmetic.crypt(cipher, true, key, iv, text, byNode)
      expect(sealed).toEqual(byNode)
      native.crypt(cipher, false, key, iv, sealed, opened)
      expect(opened).toEqual(text)
    }
  })
})
