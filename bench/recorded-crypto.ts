/**
 * What of IKE's arithmetic a piece of work used, call by call with its arguments, and the same calls once more without the
 * work around them: what it would cost if it were nothing but that.
 */

import { type Arithmetic, arithmetic, computeBy } from '../src/ike/arithmetic.ts'

export const kinds = ['Diffie-Hellman', 'HMAC and hashes', 'ciphers'] as const
export type CryptoKind = (typeof kinds)[number]

export class RecordedCrypto {
  private readonly calls: { readonly kind: CryptoKind; readonly again: () => unknown }[] = []

  /** Runs `work` and notes what it computes. */
  constructor(work: () => void) {
    const by = arithmetic()
    const { calls } = this
    const noted = <T>(kind: CryptoKind, again: () => T): T => {
      this.calls.push({ kind, again })
      return again()
    }
    // Keys are wiped and buffers used again: a note needs its own.
    const own = (bytes: Uint8Array) => bytes.slice()
    const watched: Arithmetic = {
      publicValue(group, key) {
        const k = own(key)
        return noted('Diffie-Hellman', () => by.publicValue(group, k))
      },
      sharedSecret(group, key, peer) {
        const [k, p] = [own(key), own(peer)]
        return noted('Diffie-Hellman', () => by.sharedSecret(group, k, p))
      },
      hash(algorithm, parts) {
        const all = parts.map(own)
        return noted('HMAC and hashes', () => by.hash(algorithm, all))
      },
      hmac(algorithm, key, parts) {
        const [k, all] = [own(key), parts.map(own)]
        return noted('HMAC and hashes', () => by.hmac(algorithm, k, all))
      },
      crypt(cipher, encrypt, key, iv, text, to) {
        const [k, i, t] = [own(key), own(iv), own(text)]
        by.crypt(cipher, encrypt, key, iv, text, to)
        const scratch = own(text)
        calls.push({ kind: 'ciphers', again: () => by.crypt(cipher, encrypt, k, i, t, scratch) })
      },
    }
    computeBy(watched)
    try {
      work()
    } finally {
      computeBy(by)
    }
  }

  count(kind: CryptoKind): number {
    return this.calls.filter(c => c.kind === kind).length
  }

  /** The calls of one kind, ready to be made once more. */
  again(kind: CryptoKind): () => void {
    const calls = this.calls.filter(c => c.kind === kind).map(c => c.again)
    return () => {
      for (const call of calls) call()
    }
  }
}
