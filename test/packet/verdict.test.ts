import { describe, expect, it } from 'vitest'
import { DropReason, dropReasonNames, PuntReason, puntReasonNames, Verdict } from '../../src/packet/verdict.ts'

describe('verdicts and their reasons', () => {
  it.each([
    ['Verdict', Verdict],
    ['DropReason', DropReason],
    ['PuntReason', PuntReason],
  ])('%s counts from 0 without a gap', (_, numbers) => {
    expect(Object.values(numbers)).toEqual(Object.values(numbers).map((_, i) => i))
  })

  it('have their counter at their number', () => {
    for (const [name, number] of Object.entries(DropReason)) expect(dropReasonNames[number]).toBe(name)
    for (const [name, number] of Object.entries(PuntReason)) expect(puntReasonNames[number]).toBe(name)
  })

  it('forward what nobody judged', () => {
    expect(Verdict.Forward).toBe(0)
    expect(DropReason.None).toBe(0)
    expect(PuntReason.None).toBe(0)
  })

  it('fit into their byte', () => {
    expect(dropReasonNames.length).toBeLessThan(256)
  })
})
