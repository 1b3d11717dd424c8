/** Seeds, dice and damage for the fuzz tests: every run is the same unless more is asked for. */

/**
 * A test runs its seeds from 1 on. FUZZ_SECONDS=600 makes each test go on with further seeds for that long,
 * FUZZ_SEED=123 runs that seed alone, as a failure's message names it.
 */
export function forSeeds(count: number, run: (seed: number) => void): void {
  const only = process.env['FUZZ_SEED']
  if (only !== undefined) return run(Number(only))
  const until = Date.now() + 1000 * Number(process.env['FUZZ_SECONDS'] ?? 0)
  for (let seed = 1; seed <= count || Date.now() < until; seed++) {
    try {
      run(seed)
    } catch (e) {
      throw new Error(`FUZZ_SEED=${seed}: ${e instanceof Error ? e.message : String(e)}`, { cause: e })
    }
  }
}

/** How long one test may take: what it takes by itself, and what FUZZ_SECONDS adds. */
export const FUZZ_TIMEOUT = 180_000 + 1000 * Number(process.env['FUZZ_SECONDS'] ?? 0)

/** Whole numbers and bytes out of a seed (splitmix32): fast, and good enough to be unpredictable to a parser. */
export class Rng {
  private state: number

  constructor(seed: number) {
    this.state = Math.imul(seed, 0x9e3779b1) | 0
  }

  u32(): number {
    this.state = (this.state + 0x9e3779b9) | 0
    let t = this.state ^ (this.state >>> 16)
    t = Math.imul(t, 0x21f0aaad)
    t = Math.imul(t ^ (t >>> 15), 0x735a2d97)
    return (t ^ (t >>> 15)) >>> 0
  }

  /** 0 to limit - 1. */
  below(limit: number): number {
    return this.u32() % limit
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.u32())
  }
}

const interesting = [0, 1, 2, 3, 4, 7, 8, 0x7f, 0x80, 0xfe, 0xff]
const interesting16 = [0, 1, 3, 4, 5, 8, 0x7fff, 0x8000, 0xfffe, 0xffff]

/** A damaged copy: one to four changes of the kinds that break parsers. */
export function mutate(rng: Rng, bytes: Uint8Array, dictionary: readonly Uint8Array[] = []): Uint8Array {
  let out: Uint8Array = bytes.slice()
  for (let n = 1 + rng.below(4); n > 0; n--) out = change(rng, out, dictionary)
  return out
}

function change(rng: Rng, b: Uint8Array, dictionary: readonly Uint8Array[]): Uint8Array {
  const at = rng.below(b.length + 1)
  switch (rng.below(9)) {
    case 0:
      if (at < b.length) b[at] = b[at]! ^ (1 << rng.below(8))
      return b
    case 1:
      if (at < b.length) b[at] = rng.pick(interesting)
      return b
    case 2: {
      const value = rng.pick(interesting16)
      if (at + 1 < b.length) b.set([value >>> 8, value & 0xff], at)
      return b
    }
    case 3:
      // A length that is a little off.
      if (at < b.length) b[at] = b[at]! + rng.below(9) - 4
      return b
    case 4:
      return b.slice(0, at)
    case 5:
      return join(b, rng.bytes(rng.below(40)))
    case 6: {
      const length = rng.below(24)
      return join(b.slice(0, at), b.slice(at + length))
    }
    case 7: {
      const piece = b.slice(at, at + rng.below(64))
      return join(b.slice(0, at), piece, b.slice(at))
    }
    default: {
      const piece = dictionary.length > 0 ? rng.pick(dictionary) : rng.bytes(1 + rng.below(8))
      return rng.chance(50)
        ? join(b.slice(0, at), piece, b.slice(at))
        : join(b.slice(0, at), piece, b.slice(at + piece.length))
    }
  }
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0))
  let at = 0
  for (const p of parts) {
    out.set(p, at)
    at += p.length
  }
  return out
}
