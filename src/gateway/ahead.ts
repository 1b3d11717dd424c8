/**
 * Where thousands of clients' packets come in turn, what is kept of each lies in no near cache, and to wait for one row after
 * another costs more than all that is done with them. So the rows of a whole batch are asked for at once, shortly before
 * they are looked at.
 */

import type { Engine } from '../esp/engine.ts'
import { Owner, STREAM_SIZE } from '../firewall/likeness.ts'
import type { FirewallTables } from '../firewall/tables.ts'
import { HEAD_SIZE, type L2tpTable } from '../l2tp/table.ts'
import type { Batch } from '../packet/batch.ts'
import { COUNTS_SIZE, type Stats } from './stats.ts'

export class Ahead {
  private readonly engine: Engine
  private readonly peers: { readonly in: Uint8Array; readonly out: Uint8Array }
  private readonly sessions: { readonly in: Uint8Array; readonly out: Uint8Array }
  private readonly heads: Uint8Array
  private readonly streams: { readonly in: Uint8Array; readonly out: Uint8Array }

  constructor(engine: Engine, stats: Stats, { likeness }: FirewallTables, l2tp: L2tpTable) {
    this.engine = engine
    this.peers = { in: stats.counts('peers', false), out: stats.counts('peers', true) }
    this.sessions = { in: stats.counts('sessions', false), out: stats.counts('sessions', true) }
    this.heads = new Uint8Array(l2tp.heads.buffer)
    this.streams = { in: likeness.own(Owner.Inward), out: likeness.own(Owner.Outward) }
  }

  /** Packets from clients whose peers are known. */
  opened(batch: Batch): void {
    this.engine.fetchRows?.(batch, 'peers', this.peers.in, COUNTS_SIZE)
  }

  /** And their sessions. */
  unwrapped(batch: Batch): void {
    this.engine.fetchRows?.(batch, 'sessions', this.streams.in, STREAM_SIZE)
    this.engine.fetchRows?.(batch, 'sessions', this.sessions.in, COUNTS_SIZE)
  }

  /** Packets for clients whose sessions are known. */
  bound(batch: Batch): void {
    this.engine.fetchRows?.(batch, 'sessions', this.streams.out, STREAM_SIZE)
  }

  /** And their peers, too. */
  filtered(batch: Batch): void {
    this.engine.fetchRows?.(batch, 'sessions', this.sessions.out, COUNTS_SIZE)
    this.engine.fetchRows?.(batch, 'sessions', this.heads, HEAD_SIZE)
    this.engine.fetchRows?.(batch, 'peers', this.peers.out, COUNTS_SIZE)
  }
}
