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

  it('has rows of tables come, whatever numbers and tables there are, and leaves all as it is', () => {
    const { batch, handle } = attached()
    for (let i = 0; i < BATCH_CAPACITY; i++) {
      batch.push(Uint8Array.of(i))
      batch.peer[i] = (i * 7919) % 16384
      batch.session[i] = i % 3 === 0 ? 0xffffffff - i : i
    }
    const before = new Uint8Array(batch.buffer).slice()
    for (const memory of [
      new ArrayBuffer(0),
      new ArrayBuffer(100),
      new ArrayBuffer(1 << 18),
      new SharedArrayBuffer(1 << 18),
    ]) {
      const table = new Uint8Array(memory).fill(7)
      for (const size of [0, 16, 0xffffffff])
        for (const ofSessions of [false, true]) native.fetchRows(handle, 0xffffffff, ofSessions, table, size)
      expect(table.every(byte => byte === 7)).toBe(true)
    }
    expect(new Uint8Array(batch.buffer)).toEqual(before)
    const fetchRows = native.fetchRows as (...args: unknown[]) => void
    expect(thrownBy(() => fetchRows({}, 1, true, new Uint8Array(1), 1)).message).toBe('not a batch')
    expect(thrownBy(() => fetchRows(handle, 1, true, new Int32Array(1), 1)).message).toBe(
      'argument 4 must be a Uint8Array',
    )
  })

  it('keeps the memory alive as long as the attachment', () => {
    // The Batch itself is dropped here; only the handle is left.
    const handles = Array.from({ length: 50 }, () => attached().handle)
    ;(globalThis as { gc?: () => void }).gc?.()
    for (const handle of handles) expect(native.sendEsp(-1, -1, handle, 0)).toBe(0)
  })
})
