/**
 * What of node:crypto a piece of work used, call by call with its arguments, and the same calls once more without the
 * work around them: what it would cost if it were nothing but its arithmetic.
 */

import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

export const kinds = {
  'Diffie-Hellman': ['createECDH'],
  'HMAC and hashes': ['createHmac', 'createHash'],
  ciphers: ['createCipheriv', 'createDecipheriv'],
} as const
export type CryptoKind = keyof typeof kinds

type Call = readonly [object: number, method: string, args: readonly unknown[]]
type Making = readonly [make: string, args: readonly unknown[]]
type AnyFunction = (...args: unknown[]) => unknown
const functions = crypto as unknown as Record<string, AnyFunction>
/** MODP groups are made once and serve for good: there it is the methods that are watched. */
const modp = crypto.DiffieHellman.prototype as unknown as Record<string, AnyFunction>
const MODP_METHODS = ['setPrivateKey', 'generateKeys', 'computeSecret']

export class RecordedCrypto {
  private readonly made: { readonly kind: CryptoKind; readonly making: Making }[] = []
  private readonly calls: Call[] = []
  private readonly modpCalls: (() => void)[] = []

  /** Runs `work` and notes what it computes. */
  constructor(work: () => void) {
    const whole = Object.entries(kinds).flatMap(([kind, names]) =>
      names.map(name => [kind as CryptoKind, name] as const),
    )
    const originals = whole.map(([, name]) => [name, functions[name]!] as const)
    const methods = MODP_METHODS.map(name => [name, modp[name]!] as const)
    const { modpCalls } = this
    for (const [name, original] of methods)
      modp[name] = function (this: unknown, ...args) {
        const kept = args.map(copied)
        modpCalls.push(() => void original.apply(this, kept))
        return original.apply(this, args)
      }
    for (const [kind, name] of whole) functions[name] = this.watched(kind, name, functions[name]!)
    syncBuiltinESMExports()
    try {
      work()
    } finally {
      for (const [name, original] of originals) functions[name] = original
      for (const [name, original] of methods) modp[name] = original
      syncBuiltinESMExports()
    }
  }

  count(kind: CryptoKind): number {
    // A key is set before each of the two operations.
    const others = kind === 'Diffie-Hellman' ? this.modpCalls.length / 2 : 0
    return this.made.filter(m => m.kind === kind).length + others
  }

  /** The calls of one kind, ready to be made once more. */
  again(kind: CryptoKind): () => void {
    const { made } = this
    const others = kind === 'Diffie-Hellman' ? this.modpCalls : []
    const calls = this.calls.filter(([object]) => made[object]!.kind === kind)
    const mine = made.map((m, object) => ({ ...m, object })).filter(m => m.kind === kind)
    return () => {
      const objects = new Map<number, Record<string, AnyFunction>>()
      let next = 0
      for (const [object, method, args] of calls) {
        // Each is made when it is needed, as it was the first time.
        while (next < mine.length && mine[next]!.object <= object) {
          const { making, object: number } = mine[next++]!
          objects.set(number, functions[making[0]]!(...making[1]) as Record<string, AnyFunction>)
        }
        objects.get(object)![method]!(...args)
      }
      for (const call of others) call()
    }
  }

  private watched(kind: CryptoKind, name: string, original: AnyFunction): AnyFunction {
    return (...args) => {
      const object = this.made.push({ kind, making: [name, args.map(copied)] }) - 1
      const target = original(...args) as object
      const watched: object = new Proxy(target, {
        get: (of, property) => {
          const value: unknown = Reflect.get(of, property, of)
          if (typeof value !== 'function') return value
          return (...a: unknown[]) => {
            this.calls.push([object, String(property), a.map(copied)])
            const result: unknown = (value as AnyFunction).apply(of, a)
            return result === of ? watched : result
          }
        },
      })
      return watched
    }
  }
}

/** Keys are wiped and buffers used again: a note needs its own. */
function copied(value: unknown): unknown {
  return value instanceof Uint8Array ? value.slice() : value
}
