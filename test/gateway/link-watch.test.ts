/** Rtnetlink's messages about devices, and what comes back to one that was down. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LinkWatch, linkNews } from '../../src/gateway/link-watch.ts'
import type { Native } from '../../src/gateway/native.ts'

const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** RTM_NEWLINK, or another type, of a device. */
function link(index: number, name: string, flags: number, type = 16): Uint8Array {
  const text = new TextEncoder().encode(`${name}\0`)
  // Some attribute before the name, and padding behind it.
  const length = 16 + 16 + 8 + 4 + text.length
  const bytes = new Uint8Array((length + 3) & ~3)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, length, LITTLE)
  view.setUint16(4, type, LITTLE)
  view.setInt32(20, index, LITTLE)
  view.setUint32(24, flags, LITTLE)
  view.setUint16(32, 8, LITTLE)
  view.setUint16(34, 13, LITTLE)
  view.setUint16(40, 4 + text.length, LITTLE)
  view.setUint16(42, 3, LITTLE)
  bytes.set(text, 44)
  return bytes
}
const joined = (...parts: Uint8Array[]) => new Uint8Array(parts.flatMap(p => [...p]))

describe('what the kernel tells of devices', () => {
  it('is read, several messages at a time', () => {
    expect(linkNews(joined(link(3, 'lan0', 0x1043), link(7, 'fg0', 0x1002), link(3, 'lan0', 0x1043, 17)))).toEqual([
      { index: 3, name: 'lan0', up: true },
      { index: 7, name: 'fg0', up: false },
      { index: 3, name: 'lan0', up: false },
    ])
    // Of an address.
    expect(linkNews(link(3, 'lan0', 1, 20))).toEqual([])
  })

  it('never harms, however it looks', () => {
    const real = link(3, 'lan0', 1)
    fc.assert(
      fc.property(fc.nat(real.length), fc.nat(real.length - 1), fc.nat(255), (length, at, value) => {
        const bytes = real.slice(0, length)
        if (at < length) bytes[at] = value
        expect(linkNews(bytes).length).toBeLessThanOrEqual(2)
      }),
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => Array.isArray(linkNews(bytes))))
  })
})

describe('a device that comes up', () => {
  it('is told of where it was down before, once, by its name of now', () => {
    const up: string[] = []
    const waiting = [
      joined(link(3, 'lan0', 1), link(7, 'fg0', 0), link(3, 'lan0', 1)),
      link(7, 'fg0', 0),
      joined(link(7, 'fg0', 1), link(7, 'fg0', 1), link(3, 'lan0', 0, 17), link(9, 'lan0', 0)),
      link(9, 'lan1', 1),
    ]
    let readable: () => void = () => undefined
    const native = {
      routeSocket: () => 5,
      watch: (_: number, called: () => void) => {
        readable = called
        return {}
      },
      netlinkReceive: (_: number, bytes: Uint8Array) => {
        const next = waiting.shift()
        bytes.set(next ?? [])
        return next?.length ?? -1
      },
    } as unknown as Native
    const watch = new LinkWatch(native, device => up.push(device))
    expect(watch).toBeDefined()
    readable()
    expect(up).toEqual(['fg0', 'lan1'])
  })
})
