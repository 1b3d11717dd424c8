/** An addon of other sources than the program's is told at once, by what it lacks. */

import { describe, expect, it } from 'vitest'
import { loadNative } from '../../src/gateway/native.ts'
import { misfit } from '../../src/gateway/native-fit.ts'

describe('an addon', () => {
  it('of these sources fits', () => {
    expect(misfit(loadNative())).toBeUndefined()
  })

  it('that lacks a function does not', () => {
    const { peerCredentials, now, ...older } = loadNative()
    expect([typeof peerCredentials, typeof now]).toEqual(['function', 'function'])
    expect(misfit(older)).toBe('it has no now, peerCredentials')
  })

  it('whose batches lie otherwise does not, though every function is there', () => {
    const native = loadNative()
    const other = { ...native, layout: () => ({ ...native.layout(), size: 1 }) }
    expect(misfit(other)).toBe('its batches differ in size')
  })
})
