import { describe, expect, it } from 'vitest'
import { BATCH_CAPACITY, batchLayout } from '../../src/packet/batch.ts'
import { attached, LOOPBACK, native, thrownBy } from './support.ts'

describe('the batch in native code', () => {
  it('has the layout that TypeScript has', () => {
    expect(native.layout()).toEqual(batchLayout)
  })

  it('attaches a batch', () => {
    expect(typeof attached().handle).toBe('object')
  })

  it.each([
    ['a buffer of another size', () => native.attach(new ArrayBuffer(64))],
    ['no buffer', () => native.attach(undefined as unknown as ArrayBuffer)],
    ['a typed array', () => native.attach(new Uint8Array(batchLayout.size) as unknown as ArrayBuffer)],
  ])('refuses %s', (_, act) => {
    expect(thrownBy(act)).toBeInstanceOf(TypeError)
  })

  it('refuses what is not an attached batch', () => {
    const poller = native.poller([])
    for (const wrong of [undefined, null, {}, 7, poller]) {
      expect(thrownBy(() => native.readTun(0, wrong as never, 0, BATCH_CAPACITY)).message).toBe('not a batch')
    }
  })

  it('refuses a count beyond the capacity', () => {
    const { handle } = attached()
    expect(thrownBy(() => native.sendEsp(-1, -1, handle, BATCH_CAPACITY + 1))).toBeInstanceOf(TypeError)
    expect(thrownBy(() => native.writeTun(-1, handle, BATCH_CAPACITY + 1))).toBeInstanceOf(TypeError)
  })

  it('says which argument is missing or wrong', () => {
    const udpSocket = native.udpSocket as (...args: unknown[]) => number
    expect(thrownBy(() => udpSocket(LOOPBACK, 0)).message).toBe('argument 3 must be given')
    expect(thrownBy(() => udpSocket('127.0.0.1', 0, true)).message).toBe('argument 1 must be a number')
  })

  it('keeps the memory alive as long as the attachment', () => {
    // The Batch itself is dropped here; only the handle is left.
    const handles = Array.from({ length: 50 }, () => attached().handle)
    ;(globalThis as { gc?: () => void }).gc?.()
    for (const handle of handles) expect(native.sendEsp(-1, -1, handle, 0)).toBe(0)
  })
})
