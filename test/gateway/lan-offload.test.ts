/** UDP that devices of the LAN merge: on while the gateway serves, and as it was found everywhere else. */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LanOffload } from '../../src/gateway/lan-offload.ts'
import { Leavings } from '../../src/gateway/leavings.ts'
import { Log, Severity } from '../../src/gateway/log.ts'
import { temporaryDirectory } from './fakes.ts'

const UDP = 'rx-udp-gro-forwarding'

/** A host with these devices, by the features that are on. */
function host(devices: Record<string, string[]>) {
  const [directory, state] = [temporaryDirectory(), temporaryDirectory()]
  let devicesMade = 0
  const make = (name: string) => {
    mkdirSync(join(directory, name))
    writeFileSync(join(directory, name, 'ifindex'), `${++devicesMade}\n`)
  }
  for (const name of Object.keys(devices)) make(name)
  const on = new Map(Object.entries(devices).map(([name, features]) => [name, new Set(features)]))
  const refusing = new Set<string>()
  const lines: string[] = []
  const log = new Log(
    line => lines.push(line),
    () => new Date(0),
    Severity.Detail,
  )
  const noted: (readonly string[] | undefined)[] = []
  const earlier = () => new Leavings(state).earlier()?.merging
  const features = {
    deviceFeature: (device: string, feature: string) => on.get(device)!.has(feature),
    setDeviceFeature: (device: string, feature: string, to: boolean) => {
      noted.push(earlier())
      if (refusing.has(device)) throw new Error('EOPNOTSUPP')
      if (to) on.get(device)!.add(feature)
      else on.get(device)!.delete(feature)
      return true
    },
  }
  const start = () => new LanOffload(new Leavings(state), log, features, directory)
  return {
    ...{ start, lines, refusing, noted, earlier },
    under: (device: string, lower: string) => mkdirSync(join(directory, device, `lower_${lower}`)),
    remove: (device: string) => rmSync(join(directory, device), { recursive: true }),
    make: (device: string, features: string[]) => {
      make(device)
      on.set(device, new Set(features))
    },
    merging: () => [...on].filter(([, features]) => features.has(UDP)).map(([name]) => name),
    turn: (device: string, feature: string, to: boolean) => on.get(device)![to ? 'add' : 'delete'](feature),
  }
}

describe('UDP that the LAN’s devices merge', () => {
  it('is so while the gateway serves, noted before it is, and told once', () => {
    const { start, merging, noted, earlier, lines } = host({ lan0: ['rx-gro'], lan1: ['rx-gro'], pub0: ['rx-gro'] })
    const lan = start()
    expect(lan.merges).toBe(false)
    lan.use(['lan0', 'lan1'])
    expect(merging()).toEqual(['lan0', 'lan1'])
    expect(noted).toEqual([['lan0'], ['lan0', 'lan1']])
    expect(lan.merges).toBe(true)
    lan.use(['lan0', 'lan1'])
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('rx-udp-gro-forwarding is on for lan0, lan1')
    lan.end()
    expect(merging()).toEqual([])
    expect(earlier()).toEqual([])
  })

  it('goes with a device that is no more of the LAN', () => {
    const { start, merging, earlier } = host({ lan0: ['rx-gro'], lan1: ['rx-gro'] })
    const lan = start()
    lan.use(['lan0'])
    lan.use(['lan1', 'nosuch0'])
    expect(merging()).toEqual(['lan1'])
    expect(earlier()).toEqual(['lan1'])
  })

  it('is the administrator’s where it was before, and stays', () => {
    const { start, merging, noted, lines } = host({ lan0: ['rx-gro', UDP] })
    const lan = start()
    lan.use(['lan0'])
    expect(lan.merges).toBe(true)
    lan.end()
    expect(merging()).toEqual(['lan0'])
    expect([noted, lines]).toEqual([[], []])
  })

  it('that a killed run turned on is not taken for the administrator’s wish', () => {
    const { start, merging, earlier } = host({ lan0: ['rx-gro'] })
    start().use(['lan0'])
    for (const device of earlier()!) start().putBack(device)
    expect(merging()).toEqual([])
    const next = start()
    next.use(['lan0'])
    next.end()
    expect(merging()).toEqual([])
  })

  it('is asked of what receives for a bridge or a VLAN', () => {
    const { start, under, merging } = host({ br0: [], 'eth1.7': [], eth1: ['rx-gro'], eth2: ['rx-gro'] })
    under('br0', 'eth1.7')
    under('br0', 'eth2')
    under('eth1.7', 'eth1')
    start().use(['br0'])
    expect(merging()).toEqual(['eth1', 'eth2'])
  })

  it.each([
    ['at once', false],
    ['after a while', true],
  ])('is asked of a device that comes in the place of another %s', (_, missed) => {
    const { start, remove, make, merging, earlier } = host({ lan0: ['rx-gro'] })
    const lan = start()
    lan.use(['lan0'])
    remove('lan0')
    if (missed) lan.use(['lan0'])
    make('lan0', ['rx-gro'])
    expect(merging()).toEqual([])
    lan.use(['lan0'])
    expect(merging()).toEqual(['lan0'])
    expect(earlier()).toEqual(['lan0'])
    lan.end()
    expect(merging()).toEqual([])
  })

  it('that somebody turned off stays off while the device is the same', () => {
    const { start, turn, merging } = host({ lan0: ['rx-gro'] })
    const lan = start()
    lan.use(['lan0'])
    turn('lan0', UDP, false)
    lan.use(['lan0'])
    expect(merging()).toEqual([])
  })

  it('is asked of a device as soon as it merges at all', () => {
    const { start, turn, merging } = host({ lan0: [] })
    const lan = start()
    lan.use(['lan0'])
    turn('lan0', 'rx-gro', true)
    lan.use(['lan0'])
    expect(merging()).toEqual(['lan0'])
  })

  it.each([
    ['merges nothing', [], false],
    ['chains UDP instead', ['rx-gro', 'rx-gro-list'], false],
    ['refuses', ['rx-gro'], true],
  ])('is not to be had of a device that %s', (_, features, refuses) => {
    const { start, merging, refusing, earlier, lines } = host({ lan0: features })
    if (refuses) refusing.add('lan0')
    const lan = start()
    lan.use(['lan0'])
    expect([merging(), earlier() ?? [], lines]).toEqual([[], [], []])
    expect(lan.merges).toBe(false)
  })

  it('is told as it is, whoever changed it meanwhile', () => {
    const { start, turn } = host({ lan0: ['rx-gro'] })
    const lan = start()
    lan.use(['lan0'])
    turn('lan0', 'rx-gro', false)
    expect(lan.merges).toBe(false)
    turn('lan0', 'rx-gro', true)
    turn('lan0', UDP, false)
    expect(lan.merges).toBe(false)
  })
})
