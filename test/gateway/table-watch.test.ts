/** Netfilter's messages about tables that are gone. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CommandQueue } from '../../src/gateway/command-queue.ts'
import { HostFirewall } from '../../src/gateway/host-firewall.ts'
import { Leavings } from '../../src/gateway/leavings.ts'
import { Log } from '../../src/gateway/log.ts'
import type { Native } from '../../src/gateway/native.ts'
import { Network } from '../../src/gateway/network.ts'
import { tellsOfTableGone } from '../../src/gateway/table-watch.ts'
import { firewall } from '../firewall/office.ts'
import { temporaryDirectory } from './fakes.ts'

/** A message of this type with so many bytes behind its header, filled up to four. */
function message(type: number, size: number): Uint8Array {
  const bytes = new Uint8Array((16 + size + 3) & ~3)
  const words = new DataView(bytes.buffer)
  const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
  words.setUint32(0, 16 + size, little)
  words.setUint16(4, type, little)
  return bytes
}

const joined = (...parts: Uint8Array[]) => new Uint8Array(parts.flatMap(p => [...p]))
const GONE = 0x0a02

describe('what the kernel tells of tables', () => {
  it('is searched for one that is gone, wherever it stands', () => {
    expect(tellsOfTableGone(message(GONE, 20))).toBe(true)
    expect(tellsOfTableGone(joined(message(0x0a06, 33), message(0x0a0f, 4), message(GONE, 20)))).toBe(true)
    // Made, not gone; and of another part of netfilter.
    expect(tellsOfTableGone(joined(message(0x0a00, 20), message(0x0102, 20)))).toBe(false)
  })

  it('ends where it has not the form that it should have', () => {
    const broken = message(0x0a06, 20)
    broken.fill(0, 0, 4)
    expect(tellsOfTableGone(joined(broken, message(GONE, 20)))).toBe(false)
    expect(tellsOfTableGone(message(GONE, 20).subarray(0, 12))).toBe(false)
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => typeof tellsOfTableGone(bytes) === 'boolean'))
  })
})

describe('a kernel that tells of no tables', () => {
  const deaf = {
    netfilterSocket: () => {
      throw new Error('EPROTONOSUPPORT: Protocol not supported, socket')
    },
  } as unknown as Native

  it.each([
    [true, [expect.stringMatching(/^this kernel tells of no tables \(EPROTONOSUPPORT/)]],
    // As with "hostFirewall": false, on a kernel without nftables at all.
    [false, []],
  ])('does not keep the gateway from starting: a table of ours there: %s', async (enabled, warning) => {
    const log = new Log(() => undefined)
    const network = new Network(new Leavings(temporaryDirectory()), log, async () => ({ status: 0, output: '' }))
    const host = new HostFirewall(network, log, { name: 'fg0' }, 1400)
    const rules = { ...firewall({}), enabled }
    const devices = { eth0: 'pub0', vlan1: 'lan0' }
    await host.apply({ firewall: rules, devices, interfaces: [], ports: [500] }, () => undefined, true)
    expect(host.guard(deaf, new CommandQueue())).toEqual(warning)
    host.close()
  })
})
