/** Bytes that look random and are the same for everyone, so that what arrives can be compared with what was sent. */
export function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let x = 0x2545f491
  for (let i = 0; i < length; i++) {
    // Marsaglia's xorshift, 32 bits
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    bytes[i] = x
  }
  return bytes
}
