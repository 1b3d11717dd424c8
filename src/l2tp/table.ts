/** The data path's L2TP sessions: found by (peer, tunnel, session) on the way in, by row on the way out. */

import { MAX_PEERS, MAX_SESSIONS } from '../packet/table.ts'
import { HeaderFlag, L2TP_VERSION } from './constants.ts'
import type { L2tpSessionIds } from './effects.ts'

// What data messages to a session begin with, in so many words, side by side:
const HEAD = 4
export const Head = {
  /** The row's peer again; 0: it is free. */
  Peer: 0,
  /** The UDP header's ports, ours first. */
  Ports: 1,
  /** Flags and version, and the peer's tunnel ID. */
  Tunnel: 2,
  /** The peer's session ID, then 16 bits of nothing. */
  Call: 3,
} as const
/** log2 of the words, and bytes in all. */
export const HEAD_SHIFT = 2
export const HEAD_SIZE = HEAD * 4
/** In the Tunnel word, where messages are to be numbered. */
export const SEQUENCED = HeaderFlag.Sequence << 16

/**
 * Columns by session row, and an open-addressed index over them: nothing allocates after construction. The peer is part
 * of the key, so that equal IDs of two peers never meet. Peer 0 marks a free row.
 */
export class L2tpTable {
  readonly peer: Uint16Array
  readonly localTunnelId: Uint16Array
  readonly localSessionId: Uint16Array
  /** By row, and in it by Head. */
  readonly heads: Int32Array
  /** Sequence number of the next such message. */
  readonly ns: Uint16Array
  /** Session rows where their key hashes to, or behind it; 0 is free. At most half full. */
  private readonly index: Uint16Array
  private readonly mask: number
  /** The session that was found last for a peer: most have but one. */
  private readonly latest = new Uint16Array(MAX_PEERS)

  /** `size` is one more than the highest session row. */
  constructor(size: number = MAX_SESSIONS) {
    this.peer = new Uint16Array(size)
    this.localTunnelId = new Uint16Array(size)
    this.localSessionId = new Uint16Array(size)
    this.heads = new Int32Array(size * HEAD)
    this.ns = new Uint16Array(size)
    const slots = 2 ** Math.ceil(Math.log2(Math.max(2, size * 2)))
    this.index = new Uint16Array(slots)
    this.mask = slots - 1
  }

  /**
   * Puts a session into its row. Installing the same session again changes its ports or `sequencing` and goes on counting.
   * Throws RangeError for a row or peer that cannot be: a caller's mistake.
   */
  install(ids: L2tpSessionIds): void {
    const row = ids.session
    if (row < 1 || row >= this.peer.length || ids.peer < 1 || ids.peer >= MAX_PEERS)
      throw new RangeError(`no such row: session ${row} of peer ${ids.peer}`)
    const there = this.find(ids.peer, ids.localTunnelId, ids.localSessionId)
    if (there !== row) {
      this.remove(there)
      this.remove(row)
      this.peer[row] = ids.peer
      this.localTunnelId[row] = ids.localTunnelId
      this.localSessionId[row] = ids.localSessionId
      this.ns[row] = 0
      let slot = this.home(ids.peer, ids.localTunnelId, ids.localSessionId)
      while (this.index[slot] !== 0) slot = (slot + 1) & this.mask
      this.index[slot] = row
    }
    const head = row * HEAD
    this.heads[head + Head.Peer] = ids.peer
    this.heads[head + Head.Ports] = (ids.localPort << 16) | ids.remotePort
    this.heads[head + Head.Tunnel] = (L2TP_VERSION << 16) | ids.remoteTunnelId
    this.heads[head + Head.Call] = ids.remoteSessionId << 16
    if (ids.sequencing) this.requireSequencing(row)
  }

  /** From now on what we send in this session is numbered; nothing where the row is free. */
  requireSequencing(session: number): void {
    if (this.has(session)) this.heads[session * HEAD + Head.Tunnel]! |= SEQUENCED
  }

  /** Takes a session out; nothing where the row is free. */
  remove(session: number): void {
    if (!this.has(session)) return
    const { index, mask } = this
    let hole = this.homeOf(session)
    while (index[hole] !== session) hole = (hole + 1) & mask
    // Those behind the hole move up, unless their search does not come by it: no search is ever cut short.
    for (let next = (hole + 1) & mask; index[next] !== 0; next = (next + 1) & mask) {
      const home = this.homeOf(index[next]!)
      if (((next - home) & mask) < ((next - hole) & mask)) continue
      index[hole] = index[next]!
      hole = next
    }
    index[hole] = 0
    this.peer[session] = 0
    this.heads[session * HEAD + Head.Peer] = 0
  }

  has(session: number): boolean {
    return session > 0 && session < this.peer.length && this.peer[session] !== 0
  }

  /** The session's row, or 0. */
  find(peer: number, localTunnelId: number, localSessionId: number): number {
    const latest = this.latest[peer]!
    if (this.matches(latest, peer, localTunnelId, localSessionId)) return latest
    const { index, mask } = this
    for (let slot = this.home(peer, localTunnelId, localSessionId); ; slot = (slot + 1) & mask) {
      const row = index[slot]!
      if (row === 0 || this.matches(row, peer, localTunnelId, localSessionId)) {
        this.latest[peer] = row
        return row
      }
    }
  }

  private matches(row: number, peer: number, localTunnelId: number, localSessionId: number): boolean {
    return (
      this.localSessionId[row] === localSessionId &&
      this.localTunnelId[row] === localTunnelId &&
      this.peer[row] === peer
    )
  }

  private homeOf(row: number): number {
    return this.home(this.peer[row]!, this.localTunnelId[row]!, this.localSessionId[row]!)
  }

  /** The slot where the search for a key begins: every bit of the key reaches every bit of the slot. */
  private home(peer: number, tunnel: number, session: number): number {
    let h = Math.imul(peer, 0x9e3779b1) ^ ((tunnel << 16) | session)
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    return (h ^ (h >>> 16)) & this.mask
  }
}
