import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { applyCommand } from '../../src/alliedware/apply.ts'
import { formatFault, readScript } from '../../src/alliedware/script.ts'
import { writeScript } from '../../src/alliedware/write.ts'
import { FUZZ_TIMEOUT, forSeeds, mutate, Rng } from './random.ts'

const script = readFileSync(new URL('../alliedware/fixtures/ar450s-note.cfg', import.meta.url), 'utf8')
const words = [...new Set(script.split(/[\s=]+/))].filter(w => w.length > 0)
const oddities = [
  '=',
  '==',
  '"',
  '""',
  '<x>',
  '\\',
  '#',
  '0',
  '-1',
  '4294967296',
  '999999999999999999999',
  '1.2.3',
  '\0',
  '\u00fc',
]

function spoil(rng: Rng, line: string): string {
  const tokens = line.split(/(\s+|=)/)
  for (let n = 1 + rng.below(3); n > 0; n--) {
    const at = rng.below(tokens.length)
    switch (rng.below(6)) {
      case 0:
        tokens.splice(at, 1)
        break
      case 1:
        tokens.splice(at, 0, ' ', rng.pick(words))
        break
      case 2:
        tokens[at] = rng.pick(words)
        break
      case 3:
        tokens[at] = rng.pick(oddities)
        break
      case 4:
        tokens[at] = (tokens[at] ?? '').slice(0, rng.below(4))
        break
      default:
        tokens[at] = (tokens[at] ?? '').repeat(1 + rng.below(400))
    }
  }
  return tokens.join('')
}

describe('the command language and scripts that are none', () => {
  it('answers spoilt scripts with faults, each with its line, and writes what it understood', {
    timeout: FUZZ_TIMEOUT,
  }, () => {
    forSeeds(60, seed => {
      const rng = new Rng(seed)
      const lines = script.split('\n').map(line => (rng.chance(25) ? spoil(rng, line) : line))
      for (let n = rng.below(4); n > 0; n--) lines.splice(rng.below(lines.length), 1)
      const text = lines.join(rng.chance(80) ? '\n' : '\r\n')
      const { configuration, faults } = readScript(text, { values: {} })
      for (const f of faults) {
        expect(f.line).toBeGreaterThanOrEqual(1)
        expect(f.line).toBeLessThanOrEqual(lines.length + 1)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is what is tested.
        expect(formatFault(f)).not.toMatch(/[\0-\x08\x0a-\x1f]/)
      }
      expect(typeof writeScript(configuration)).toBe('string')
    })
  })

  it('takes any bytes for a script', { timeout: FUZZ_TIMEOUT }, () => {
    const bytes = new TextEncoder().encode(script)
    forSeeds(60, seed => {
      const rng = new Rng(seed)
      const piece = bytes.slice(rng.below(bytes.length - 400)).slice(0, 400)
      const text = new TextDecoder('utf-8').decode(rng.chance(20) ? rng.bytes(400) : mutate(rng, piece))
      expect(Array.isArray(readScript(text, { values: { x: 'y' } }).faults)).toBe(true)
    })
  })

  it('takes any line at the prompt, and one that it refuses changes nothing', { timeout: FUZZ_TIMEOUT }, () => {
    const start = readScript(script, { values: {} }).configuration
    const lines = script.split('\n').filter(l => l.trim() !== '')
    forSeeds(60, seed => {
      const rng = new Rng(seed)
      for (let i = 0; i < 20; i++) {
        const outcome = applyCommand(start, spoil(rng, rng.pick(lines)))
        if (outcome.kind === 'refused') expect(outcome.configuration).toBe(start)
      }
    })
  })
})
