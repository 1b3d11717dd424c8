/** What a PPP frame was wrong about: it is counted and dropped, as RFC 1661 section 5 asks of invalid packets. */
export class PppError extends Error {
  override readonly name = 'PppError'
}
