/** UDP that the kernel merges behind a TUN device that takes no super-segments of it: tried once, and on while much comes. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Native } from '../../src/gateway/native.ts'
import { openTun } from '../../src/gateway/openings.ts'
import { type MergingHost, TunMerging } from '../../src/gateway/tun-merging.ts'

const THREADED = '/sys/class/net/fg0/threaded'
const ON = ['batch 20', 'nice 20 -10', 'batch 21', 'nice 21 -10', 'rx-gro true', `${THREADED} 1`]
const OFF = [`${THREADED} 0`, 'rx-gro false']

/** A host with a device `fg0` of two queues. `lacks`: what it does not let us do. */
function host(lack = '') {
  let lacks = lack
  const done: string[] = []
  let threads: number[] = [7]
  const refuse = (what: string) => {
    if (lacks === what) throw new Error('EPERM')
  }
  const fake: MergingHost = {
    read: () => (lacks === 'this namespace' ? '11\n' : '4\n'),
    write: (path, text) => {
      refuse('threaded')
      done.push(`${path} ${text}`)
      if (lacks !== 'threads') threads = [7, 20, 21]
    },
    threads: prefix => (prefix === 'napi/fg0-' ? threads : []),
    setPriority: (thread, niceness) => {
      refuse('nice')
      done.push(`nice ${thread} ${niceness}`)
    },
  }
  const native = {
    setDeviceFeature: (_: string, feature: string, on: boolean) => {
      done.push(`${feature} ${on}`)
      return lacks !== feature
    },
    yieldThread: (thread: number) => {
      refuse('batch')
      done.push(`batch ${thread}`)
    },
  }
  const merging = TunMerging.of(native, { name: 'fg0', index: 4, fds: [1, 2] }, fake)
  return { merging, done: () => done.splice(0), lose: (what: string) => (lacks = what) }
}

describe('merging behind the TUN device', () => {
  it('is prepared: its threads run when a worker waits, as soon as a worker would; and it is off', () => {
    const { merging, done } = host()
    expect(merging).toBeDefined()
    expect(done()).toEqual(['rx-udp-gro-forwarding true', `${THREADED} 1`, ...ON, ...OFF])
  })

  it.each(['this namespace', 'rx-udp-gro-forwarding', 'threaded', 'threads', 'batch', 'nice'])(
    'is not where the host lacks it: %s',
    lacks => {
      expect(host(lacks).merging).toBeUndefined()
    },
  )

  it('is on from the first look that finds many at a time, and off after four that do not', () => {
    const { merging, done } = host()
    done()
    let [packets, writes] = [0, 0]
    const look = (more: number, turns: number) => {
      packets += more
      writes += turns
      merging!.look({ packets, writes })
      return done()
    }
    expect(look(0, 0)).toEqual([])
    // One by one, however many; and few are too few.
    expect(look(5000, 5000)).toEqual([])
    expect(look(31, 1)).toEqual([])
    expect(look(800, 101)).toEqual([])
    expect(look(800, 100)).toEqual(ON)
    expect(look(800, 100)).toEqual([])
    for (let i = 1; i < 4; i++) expect(look(0, 0)).toEqual([])
    expect(look(64, 1)).toEqual([])
    for (let i = 1; i < 4; i++) expect(look(50, 50)).toEqual([])
    expect(look(50, 50)).toEqual(OFF)
    expect(look(50, 50)).toEqual([])
  })

  it('stays off where the threads that it prepared are no more, and looks no further', () => {
    vi.useFakeTimers()
    try {
      const { merging, done, lose } = host()
      done()
      lose('batch')
      let writes = 0
      merging!.watch(() => ({ packets: ++writes * 64, writes }))
      vi.advanceTimersByTime(5000)
      expect([done(), writes]).toEqual([[], 1])
    } finally {
      vi.useRealTimers()
    }
  })

  describe('by the clock', () => {
    beforeEach(() => void vi.useFakeTimers())
    afterEach(() => void vi.useRealTimers())

    it('looks twice a second, until it ends', () => {
      const { merging, done } = host()
      done()
      let writes = 0
      merging!.watch(() => ({ packets: ++writes * 64, writes }))
      vi.advanceTimersByTime(600)
      expect(done()).toEqual(ON)
      merging!.end()
      const before = writes
      vi.advanceTimersByTime(5000)
      expect(writes).toBe(before)
    })
  })
})

describe('the TUN device', () => {
  /** Opens on a kernel with these offloads, where nothing merges: there is no such device. */
  function open(tso: boolean, uso: boolean, polls = true) {
    const [opened, closed]: [boolean[], number[]] = [[], []]
    let fd = 40
    const native = {
      tunOpen: (_name: string, queues: number, _offloads: boolean, polled = false) => {
        opened.push(polled)
        if (polled && !polls) throw new Error('EINVAL')
        const fds = Array.from({ length: queues }, () => fd++)
        return { name: 'no such device', index: 4, fds, tso, uso }
      },
      close: (fd: number) => closed.push(fd),
    } as unknown as Native
    const { fds, merging } = openTun(native, 2)
    return { fds, merging, opened, closed }
  }

  it('is opened once where it takes super-segments of UDP, or of nothing', () => {
    const once = { fds: [40, 41], merging: undefined, opened: [false], closed: [] }
    expect(open(true, true)).toEqual(once)
    expect(open(false, false)).toEqual(once)
  })

  it('is as it was before where it takes those of TCP alone, and the kernel merges nothing', () => {
    expect(open(true, false)).toEqual({
      ...{ fds: [44, 45], merging: undefined },
      ...{ opened: [false, true, false], closed: [40, 41, 42, 43] },
    })
    expect(open(true, false, false)).toEqual({
      ...{ fds: [42, 43], merging: undefined },
      ...{ opened: [false, true, false], closed: [40, 41] },
    })
  })
})
