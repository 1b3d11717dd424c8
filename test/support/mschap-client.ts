/** The client's part of MS-CHAPv2 (RFC 2759 section 8), written apart from the gateway's: DES is node-forge's. */

import { createHash } from 'node:crypto'
import forge from 'node-forge'

export interface MsChapTry {
  readonly name: string
  readonly password: string
  readonly challenge: Buffer
  readonly peerChallenge: Buffer
}

/** The 49 bytes of a Response's value. */
export function responseValue(t: MsChapTry): Buffer {
  return Buffer.concat([t.peerChallenge, Buffer.alloc(8), ntResponse(t), Buffer.alloc(1)])
}

/** What a server that knows the password says: `S=` and 40 digits. */
export function expectedProof(t: MsChapTry): string {
  const sha1 = (...parts: (Buffer | string)[]) =>
    createHash('sha1').update(Buffer.concat(parts.map(b => Buffer.from(b))))
  const inner = sha1(md4(passwordHash(t)), ntResponse(t), 'Magic server to client signing constant').digest()
  const outer = sha1(inner, challengeHash(t), 'Pad to make it do more than one iteration').digest('hex')
  return `S=${outer.toUpperCase()}`
}

const passwordHash = (t: MsChapTry) => md4(Buffer.from(t.password, 'utf16le'))

function challengeHash({ peerChallenge, challenge, name }: MsChapTry): Buffer {
  const withoutDomain = name.split('\\').at(-1)!
  return createHash('sha1').update(peerChallenge).update(challenge).update(withoutDomain).digest().subarray(0, 8)
}

function ntResponse(t: MsChapTry): Buffer {
  const keys = Buffer.concat([passwordHash(t), Buffer.alloc(5)])
  return Buffer.concat([0, 7, 14].map(at => des(keys.subarray(at, at + 7), challengeHash(t))))
}

function des(seven: Buffer, block: Buffer): Buffer {
  const bits = [...seven].map(byte => byte.toString(2).padStart(8, '0')).join('')
  const key = Array.from({ length: 8 }, (_, i) => parseInt(`${bits.slice(7 * i, 7 * i + 7)}0`, 2))
  const cipher = forge.cipher.createCipher('DES-ECB', Buffer.from(key).toString('binary'))
  cipher.start({})
  cipher.update(forge.util.createBuffer(block.toString('binary')))
  cipher.finish()
  // The padding that forge adds is a block of its own.
  return Buffer.from(cipher.output.getBytes(), 'binary').subarray(0, 8)
}

/** RFC 1320, word by word as its reference code goes. */
function md4(message: Buffer): Buffer {
  const length = Buffer.alloc(8)
  length.writeUInt32LE(message.length * 8)
  const filled = Buffer.concat([message, Buffer.from([0x80]), Buffer.alloc((119 - (message.length % 64)) % 64), length])
  let [A, B, C, D] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]
  for (let at = 0; at < filled.length; at += 64) {
    const x = (k: number) => filled.readUInt32LE(at + 4 * k)
    let [a, b, c, d] = [A, B, C, D]
    const step = (f: number, k: number, constant: number, s: number) => {
      const t = (a + (f >>> 0) + x(k) + constant) % 2 ** 32
      ;[a, d, c, b] = [d, c, b, ((t << s) | (t >>> (32 - s))) >>> 0]
    }
    for (let i = 0; i < 16; i++) step((b & c) | (~b & d), i, 0, [3, 7, 11, 19][i % 4]!)
    for (let i = 0; i < 16; i++)
      step((b & c) | (b & d) | (c & d), (i % 4) * 4 + (i >> 2), 0x5a827999, [3, 5, 9, 13][i % 4]!)
    const reversed = [0, 2, 1, 3]
    for (let i = 0; i < 16; i++)
      step(b ^ c ^ d, reversed[i % 4]! * 4 + reversed[i >> 2]!, 0x6ed9eba1, [3, 9, 11, 15][i % 4]!)
    ;[A, B, C, D] = [(A + a) >>> 0, (B + b) >>> 0, (C + c) >>> 0, (D + d) >>> 0]
  }
  const digest = Buffer.alloc(16)
  for (const [i, word] of [A, B, C, D].entries()) digest.writeUInt32LE(word, 4 * i)
  return digest
}
