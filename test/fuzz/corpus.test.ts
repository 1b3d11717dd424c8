import { describe, expect, it } from 'vitest'
import { attempt, damaged, fuzz, type Target } from './guided.ts'
import { FUZZ_TIMEOUT, forSeeds, Rng } from './random.ts'
import { stored } from './stored.ts'
import { targets } from './targets.ts'

/** Code with a bug behind conditions that no dice meet at once: only one after the other. */
function guarded(bytes: Uint8Array): void {
  if (bytes[0] !== 0x46) return
  if (bytes[1] !== 0x75) return
  if (bytes[2] !== 0x7a) return
  if (bytes.length > 3 && bytes[3] === 0x7b) throw new RangeError('the bug')
}

describe.each(targets)('$name', target => {
  it('takes all that the fuzzer kept, and what once found a bug', () => {
    const kept = stored(target.name, 'kept')
    expect(kept.length).toBeGreaterThan(0)
    for (const bytes of [...target.seeds(), ...kept, ...stored(target.name, 'finds')])
      expect(attempt(target, bytes)).toBeUndefined()
  })

  it('takes the same damaged', { timeout: FUZZ_TIMEOUT }, () => {
    const pool = [...target.seeds(), ...stored(target.name, 'kept'), ...stored(target.name, 'finds')]
    forSeeds(target.slow ? 150 : 1500, seed => {
      const bytes = damaged(new Rng(seed), pool, target)
      expect(attempt(target, bytes), Buffer.from(bytes).toString('base64')).toBeUndefined()
    })
  })
})

describe('the fuzzer', () => {
  const target: Target = {
    name: 'guarded',
    seeds: () => [new Uint8Array(4)],
    dictionary: [],
    covers: ['corpus.test'],
    run: guarded,
  }

  it('is led by what it covers to a bug behind three conditions', () => {
    const { finds, corpus, blocks } = fuzz(target, [], { cases: 200_000, seconds: 60, seed: 1, finds: 1 })
    expect(finds.map(f => f.what)[0]).toContain('RangeError: the bug')
    expect([...finds[0]!.bytes.subarray(0, 4)]).toEqual([0x46, 0x75, 0x7a, 0x7b])
    expect(corpus.length).toBeGreaterThan(2)
    expect(blocks).toBeGreaterThan(3)
  })
})
