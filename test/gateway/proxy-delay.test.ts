/** The kernel's delay of proxy ARP: 0 where the gateway has entries, and as it was found everywhere else. */

import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Leavings } from '../../src/gateway/leavings.ts'
import { Log, Severity } from '../../src/gateway/log.ts'
import { ProxyDelay } from '../../src/gateway/proxy-delay.ts'
import { temporaryDirectory } from './fakes.ts'

/** A host with these devices, each with the kernel's delay. */
function host(...devices: string[]) {
  const [directory, state] = [temporaryDirectory(), temporaryDirectory()]
  const path = (device: string) => join(directory, device, 'proxy_delay')
  for (const device of devices) {
    mkdirSync(join(directory, device))
    writeFileSync(path(device), '80\n')
  }
  const lines: string[] = []
  const log = new Log(
    line => lines.push(line),
    () => new Date(0),
    Severity.Detail,
  )
  const of = (device: string) => readFileSync(path(device), 'utf8').trim()
  const leavings = new Leavings(state)
  return { delay: new ProxyDelay(leavings, log, directory), leavings, earlier: new Leavings(state), lines, path, of }
}

describe('the delay of proxy ARP', () => {
  it('is 0 from the first entry of a device to its last, and noted meanwhile', () => {
    const { delay, earlier, of } = host('lan0', 'lan1')
    delay.added('lan0')
    delay.added('lan0')
    expect([of('lan0'), of('lan1')]).toEqual(['0', '80'])
    expect(earlier.earlier()?.delays).toEqual(new Map([['lan0', '80']]))
    delay.removed('lan0')
    expect(of('lan0')).toBe('0')
    delay.removed('lan0')
    expect(of('lan0')).toBe('80')
    expect(earlier.earlier()?.delays.size).toBe(0)
    delay.added('lan0')
    expect(of('lan0')).toBe('0')
  })

  it('is 0 on a device that comes in the place of one with entries', () => {
    const { delay, of, path } = host('lan0', 'lan1')
    delay.added('lan0')
    for (const device of ['lan0', 'lan1']) writeFileSync(path(device), '70\n')
    for (const device of ['lan0', 'lan1']) delay.replaced(device)
    expect([of('lan0'), of('lan1')]).toEqual(['0', '70'])
    delay.removed('lan0')
    expect(of('lan0')).toBe('70')
  })

  it('that is 0 already is nobody’s to put back', () => {
    const { delay, earlier, of, path } = host('lan0')
    writeFileSync(path('lan0'), '0\n')
    delay.added('lan0')
    delay.removed('lan0')
    expect(of('lan0')).toBe('0')
    expect(earlier.earlier()).toBeUndefined()
  })

  it('that somebody set meanwhile stays', () => {
    const { delay, of, path } = host('lan0')
    delay.added('lan0')
    writeFileSync(path('lan0'), '10\n')
    delay.removed('lan0')
    expect(of('lan0')).toBe('10')
  })

  it('is none of a device that is gone', () => {
    const { delay, lines, path } = host('lan0')
    delay.added('lan1')
    delay.removed('lan1')
    delay.added('lan0')
    rmSync(path('lan0'))
    delay.removed('lan0')
    expect(lines).toEqual([])
  })

  it('that may not be set is told of once, and nothing is to be put back', () => {
    const { delay, earlier, lines, path } = host('lan0', 'lan1')
    for (const device of ['lan0', 'lan1']) {
      rmSync(path(device))
      // Root writes into any file of a disk; into this one nobody may.
      symlinkSync('/proc/sys/kernel/cap_last_cap', path(device))
      delay.added(device)
    }
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/lan0\/proxy_delay cannot be set \(EACCES\): .* waits up to 0\.4\d? s; run .+echo 0 >/)
    expect(earlier.earlier()?.delays.size).toBe(0)
    delay.removed('lan0')
    expect(lines).toHaveLength(1)
  })
})
