import { describe, expect, it } from 'vitest'
import { didYouMean } from '../../src/alliedware/nearest.ts'
import { parseCommand } from '../../src/alliedware/parse.ts'

const fault = (typed: string) => {
  const read = parseCommand(typed)
  return read.kind === 'faults' ? read.faults.join('; ') : ''
}

describe('a mistyped word', () => {
  it.each([
    ['ad user=x', 'ADD'],
    ['craete ip pool=x', 'CREATE'],
    ['enbale isakmp', 'ENABLE'],
    ['add usr=anna', 'USER'],
    ['set isakpm policy=x', 'ISAKMP'],
    ['enable firewal1', 'FIREWALL'],
    ['create ipsec sasspecification=1', 'SASPECIFICATION'],
  ])('%s: %s was meant', (typed, meant) => {
    expect(fault(typed)).toMatch(new RegExp(`; did you mean ${meant}\\?$`))
  })

  it.each(['frobnicate', 'configure terminal', 'x', '?', 'add interface=x', 'show running-config'])(
    '%s: none was',
    typed => {
      expect(fault(typed)).not.toBe('')
      expect(fault(typed)).not.toContain('did you mean')
    },
  )

  it('is the nearest of several, and never a word of other letters altogether', () => {
    expect(didYouMean('policies', ['POLICY', 'POLICIES1'])).toBe('; did you mean POLICIES1?')
    expect(didYouMean('ab', ['CD', 'XY'])).toBe('')
    expect(didYouMean('a', ['b', 'ab'])).toBe('')
  })
})
