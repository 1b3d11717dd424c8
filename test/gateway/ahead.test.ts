/** The memory that is asked for before a batch of many clients is looked at is that which is looked at then. */

import { describe, expect, it } from 'vitest'
import type { Engine } from '../../src/esp/engine.ts'
import { ReferenceEngine } from '../../src/esp/reference.ts'
import { Owner } from '../../src/firewall/likeness.ts'
import { FirewallTables } from '../../src/firewall/tables.ts'
import { Ahead } from '../../src/gateway/ahead.ts'
import { Stats } from '../../src/gateway/stats.ts'
import { L2tpTable } from '../../src/l2tp/table.ts'
import { Batch } from '../../src/packet/batch.ts'
import { emitIpv4, emitUdp } from '../../src/packet/ip.ts'
import { seededDice } from '../support/dice.ts'

const ids = {
  peer: 3,
  localTunnelId: 1,
  remoteTunnelId: 1,
  localSessionId: 1,
  remoteSessionId: 1,
  remotePort: 1701,
  localPort: 1701,
  template: 1,
  hostName: '',
  sequencing: false,
}

type Step = 'opened' | 'unwrapped' | 'bound' | 'filtered'

const stats = Stats.forWorkers(1)
const tables = new FirewallTables(1)
const asked: { of: string; table: Uint8Array; rowSize: number }[] = []
const engine: Engine = Object.assign(new ReferenceEngine(seededDice('ahead')), {
  fetchRows: (_: Batch, of: string, table: Uint8Array, rowSize: number) => void asked.push({ of, table, rowSize }),
})
const l2tp = new L2tpTable()
const ahead = new Ahead(engine, stats, tables, l2tp)

function stream(): Batch {
  const batch = new Batch()
  const payload = emitUdp(1024, 53, new Uint8Array(8))
  batch.push(emitIpv4({ source: 0x0a090001, destination: 0xc0a8080a, protocol: 17, payload }))
  tables.headers.read(batch.bytes, batch.offset[0]!, batch.length[0]!)
  return batch
}

/** The rows of what a step asks for in which a change is seen, by whose numbers the rows go. */
function changed(step: Step, change: () => void): [string, number][] {
  asked.length = 0
  ahead[step](new Batch())
  const before = asked.map(a => a.table.slice())
  change()
  return asked.flatMap(({ of, table, rowSize }, k) => {
    const at = table.findIndex((byte, i) => byte !== before[k]![i])
    expect(table.length / rowSize).toBe(16384)
    return at < 0 ? [] : [[of, Math.floor(at / rowSize)] satisfies [string, number]]
  })
}

describe('what is asked for ahead', () => {
  it.each<[Step, string, number, () => void]>([
    ['opened', 'peers', 7, () => stats.addPeer(7, 1, 100, false)],
    ['unwrapped', 'sessions', 9, () => stats.addSession(9, 1, 100, false)],
    ['unwrapped', 'sessions', 11, () => tables.likeness.remember(stream(), 11 + Owner.Inward, tables.headers)],
    ['bound', 'sessions', 12, () => tables.likeness.remember(stream(), 12 + Owner.Outward, tables.headers)],
    ['filtered', 'sessions', 13, () => l2tp.install({ ...ids, session: 13 })],
    ['filtered', 'sessions', 16383, () => stats.addSession(16383, 1, 100, true)],
    ['filtered', 'peers', 1, () => stats.addPeer(1, 1, 100, true)],
  ])('when a batch is %s: of %s, row %i', (step, of, row, change) => {
    expect(changed(step, change)).toEqual([[of, row]])
  })
})
