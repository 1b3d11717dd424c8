/** What the targets are built of: conditions that end a case as a find, and inputs that hold several messages. */

import { join } from './random.ts'

/** Throws where what must hold does not. */
export function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

/** What `read` gives; undefined where it threw the room's own error. Anything else is a find. */
export function own<T>(kind: abstract new (...args: never[]) => Error, read: () => T): T | undefined {
  try {
    return read()
  } catch (e) {
    if (e instanceof kind) return undefined
    throw e
  }
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** Many messages in one input, each behind its length. */
export function several(messages: readonly Uint8Array[]): Uint8Array {
  return join(...messages.flatMap(m => [Uint8Array.of(m.length >>> 8, m.length), m]))
}

/** The messages of an input, at most so many; a length that goes too far is cut. */
export function messagesOf(bytes: Uint8Array, most: number): Uint8Array[] {
  const messages: Uint8Array[] = []
  for (let at = 0; at + 2 <= bytes.length && messages.length < most; ) {
    const length = (bytes[at]! << 8) | bytes[at + 1]!
    messages.push(bytes.slice(at + 2, at + 2 + length))
    at += 2 + length
  }
  return messages
}
