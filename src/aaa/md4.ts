/** MD4 (RFC 1320): nobody's choice today, but the Windows password hash is made of it. OpenSSL 3 has put it away. */

const SHIFTS = [
  [3, 7, 11, 19],
  [3, 5, 9, 13],
  [3, 9, 11, 15],
] as const

/** Which word of the block each step of a round takes (RFC 1320 section 3.4). */
const ORDERS = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
  [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
] as const

const CONSTANTS = [0, 0x5a827999, 0x6ed9eba1] as const

/** The digest of `message`, 16 bytes. */
export function md4(message: Uint8Array): Uint8Array {
  const blocks = padded(message)
  const words = new DataView(blocks.buffer)
  const state = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476)
  for (let at = 0; at < blocks.length; at += 64) compress(state, words, at)
  const digest = new Uint8Array(16)
  const out = new DataView(digest.buffer)
  for (const [i, word] of state.entries()) out.setUint32(4 * i, word, true)
  return digest
}

/** One bit, zeros, and the length in bits: a whole number of 64-byte blocks. */
function padded(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const blocks = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64)
  blocks.set(message)
  blocks[message.length] = 0x80
  new DataView(blocks.buffer).setBigUint64(blocks.length - 8, BigInt(message.length) * 8n, true)
  return blocks
}

function compress(state: Uint32Array, words: DataView, at: number): void {
  let [a, b, c, d] = state as unknown as [number, number, number, number]
  for (let round = 0; round < 3; round++) {
    for (let step = 0; step < 16; step++) {
      const word = words.getUint32(at + 4 * ORDERS[round]![step]!, true)
      const sum = (a + mix(round, b, c, d) + word + CONSTANTS[round]!) >>> 0
      const shift = SHIFTS[round]![step % 4]!
      const next = ((sum << shift) | (sum >>> (32 - shift))) >>> 0
      a = d
      d = c
      c = b
      b = next
    }
  }
  for (const [i, word] of [a, b, c, d].entries()) state[i]! += word
}

function mix(round: number, x: number, y: number, z: number): number {
  if (round === 0) return (x & y) | (~x & z)
  if (round === 1) return (x & y) | (x & z) | (y & z)
  return x ^ y ^ z
}
