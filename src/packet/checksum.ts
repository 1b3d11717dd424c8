/** The Internet checksum (RFC 1071) and its incremental update (RFC 1624). */

/** The running one's-complement sum of `length` bytes, not folded, not complemented; feed it back as `sum` to go on. */
export function sum16(bytes: Uint8Array, offset: number, length: number, sum = 0): number {
  const even = offset + (length & ~1)
  let at = offset
  for (; at < even; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!
  if (length & 1) sum += bytes[at]! << 8
  return sum
}

/** Folds and complements a sum into the checksum field's value. */
export function fold(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}

/** The checksum of `length` bytes. Over bytes that hold a right checksum it is 0. */
export function checksum(bytes: Uint8Array, offset: number, length: number, sum = 0): number {
  return fold(sum16(bytes, offset, length, sum))
}

/** The new checksum after a 16-bit word changed (RFC 1624 eqn. 3). */
export function update16(check: number, before: number, after: number): number {
  let sum = (~check & 0xffff) + (~before & 0xffff) + after
  sum = (sum & 0xffff) + (sum >>> 16)
  sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** The new checksum after a 32-bit word changed. */
export function update32(check: number, before: number, after: number): number {
  return update16(update16(check, before >>> 16, after >>> 16), before & 0xffff, after & 0xffff)
}
