/** Rtnetlink's messages about devices, and what comes back to one that was down. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Leavings } from '../../src/gateway/leavings.ts'
import { LinkWatch, linkNews } from '../../src/gateway/link-watch.ts'
import { Log, Severity } from '../../src/gateway/log.ts'
import type { Native } from '../../src/gateway/native.ts'
import { Network } from '../../src/gateway/network.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { temporaryDirectory } from './fakes.ts'

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
      { index: 3, name: 'lan0', state: 'up' },
      { index: 7, name: 'fg0', state: 'down' },
      { index: 3, name: 'lan0', state: 'gone' },
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

/** What is told of messages that come one by one; 'lost' stands for those that the kernel could not keep. */
function told(...messages: (Uint8Array | 'lost')[]): string[] {
  const heard: string[] = []
  const waiting = [...messages]
  let readable: () => void = () => undefined
  const native = {
    routeSocket: () => 5,
    watch: (_: number, called: () => void) => {
      readable = called
      return {}
    },
    netlinkReceive: (_: number, bytes: Uint8Array) => {
      const next = waiting.shift()
      if (next === 'lost') return -2
      bytes.set(next ?? [])
      return next?.length ?? -1
    },
  } as unknown as Native
  const hearer = { cameUp: (d: string) => heard.push(`${d} up`), wentDown: (d: string) => heard.push(`${d} down`) }
  expect(new LinkWatch(native, hearer)).toBeDefined()
  readable()
  return heard
}

describe('a device that goes down and comes up', () => {
  it('is told of, once each, by its name of then', () => {
    const heard = told(
      joined(link(3, 'lan0', 1), link(7, 'fg0', 0), link(3, 'lan0', 1)),
      link(7, 'fg0', 0),
      joined(link(7, 'fg0', 1), link(7, 'fg0', 1), link(3, 'lan0', 0, 17), link(9, 'lan0', 0)),
      link(9, 'lan1', 1),
    )
    expect(heard).toEqual(['fg0 down', 'fg0 up', 'lan0 down', 'lan0 down', 'lan1 up'])
  })

  it('is taken to be up where messages were lost', () => {
    const [down, up] = [link(7, 'fg0', 0), link(7, 'fg0', 1)]
    expect(told(down, 'lost', up, down, up)).toEqual(['fg0 down', 'fg0 up', 'fg0 down', 'fg0 up'])
  })
})

describe('the routes of the TUN device', () => {
  it('are asked for while it is up, and all of them when it comes up again', () => {
    const log = new Log(
      () => undefined,
      () => new Date(0),
      Severity.Detail,
    )
    const network = new Network(new Leavings(temporaryDirectory()), log)
    const given: string[] = []
    network['tun'] = 'fg0'
    network['commands'].give = command => given.push(command)
    const [first, second, third] = ['10.9.0.1', '10.9.0.2', '10.9.0.3'].map(ipv4)
    network.addSession(first!, 1400, undefined)
    network.wentDown('lan0')
    network.addSession(second!, 1400, undefined)
    network.wentDown('fg0')
    network.removeSession(first!)
    network.addSession(third!, 1300, undefined)
    network.cameUp('fg0')
    network.removeSession(third!)
    expect(given).toEqual([
      'route replace 10.9.0.1/32 dev fg0 mtu 1400',
      'route replace 10.9.0.2/32 dev fg0 mtu 1400',
      'route replace 10.9.0.2/32 dev fg0 mtu 1400',
      'route replace 10.9.0.3/32 dev fg0 mtu 1300',
      'route del 10.9.0.3/32 dev fg0',
    ])
  })
})
