/** The sessions as the data path sees them: rows by number, and an index from inner address to row. */

import type { Millis } from '../machine.ts'
import type { Ipv4 } from '../packet/ip.ts'
import { MAX_SESSIONS } from '../packet/table.ts'
import { IP_TCP_HEADERS } from './constants.ts'

export interface SessionRow {
  /** 1 to MAX_SESSIONS - 1. */
  readonly session: number
  /** The peer that carries it; 0 in a worker that only has to know whose the address is (see FirewallTables.install). */
  readonly peer: number
  /** The inner address that was assigned: the only one this session may send from. */
  readonly address: Ipv4
  /** Who authenticated, or '' for nobody: decides which dynamic template matches. */
  readonly user: string
  /** The largest inner IP packet, in bytes. */
  readonly mtu: number
}

/** Twice the rows, so that probing stays short. A power of two. */
const INDEX_SIZE = 2 ** Math.ceil(Math.log2(MAX_SESSIONS * 2))
const INDEX_SHIFT = 32 - Math.log2(INDEX_SIZE)
const INDEX_MASK = INDEX_SIZE - 1

export class SessionTable {
  readonly peer = new Uint16Array(MAX_SESSIONS)
  /** The assigned address; 0 in a free row. */
  readonly address = new Uint32Array(MAX_SESSIONS)
  /** Largest inner IP packet. */
  readonly mtu = new Uint16Array(MAX_SESSIONS)
  /** The zone of the ruleset in force. */
  readonly zone = new Uint16Array(MAX_SESSIONS)
  /** When the next ICMP error about a packet for this session may be sent. */
  readonly nextReply = new Float64Array(MAX_SESSIONS)
  private readonly users: (string | undefined)[] = new Array(MAX_SESSIONS)
  /** Sessions where their addresses hash to, or behind; 0 is free. */
  private readonly index = new Uint16Array(INDEX_SIZE)
  /** How many rows are installed. */
  count = 0

  /** Installs or replaces a row. Where two sessions hold one address the later has it. Throws RangeError on a bad number. */
  install(row: SessionRow, zone: number): void {
    const s = row.session
    if (!Number.isInteger(s) || s < 1 || s >= MAX_SESSIONS) throw new RangeError(`no session row ${s}`)
    if (row.address === 0) throw new RangeError('a session needs an address')
    if (this.address[s] !== 0) this.remove(s)
    this.peer[s] = row.peer
    this.address[s] = row.address
    this.mtu[s] = row.mtu
    this.zone[s] = zone
    this.nextReply[s] = Number.NEGATIVE_INFINITY
    this.users[s] = row.user
    this.enter(row.address | 0, s)
    this.count++
  }

  /** Removes a row; a number without one is no error. */
  remove(session: number): void {
    const address = this.address[session]
    if (!address) return
    if (this.ofAddress(address) === session) this.leave(session)
    this.address[session] = 0
    this.peer[session] = 0
    this.mtu[session] = 0
    this.zone[session] = 0
    this.users[session] = undefined
    this.count--
  }

  /** The session that holds an inner address, signed or not, or 0. */
  ofAddress(address: number): number {
    const key = address | 0
    for (let i = home(key); ; i = (i + 1) & INDEX_MASK) {
      const session = this.index[i]!
      if (session === 0 || (this.address[session]! | 0) === key) return session
    }
  }

  /** Largest TCP segment that fits. */
  maximumSegment(session: number): number {
    return Math.max(0, this.mtu[session]! - IP_TCP_HEADERS)
  }

  /** Whether an ICMP error may be sent about a packet for this session now: at most one every `interval`. */
  mayReply(session: number, now: Millis, interval: Millis): boolean {
    if (now < this.nextReply[session]!) return false
    this.nextReply[session] = now + interval
    return true
  }

  /** Who holds a row, in lower case; '' for nobody, undefined for a free row. */
  user(session: number): string | undefined {
    return this.users[session]?.toLowerCase()
  }

  /** The same as it was given. */
  nameOf(session: number): string {
    return this.users[session] ?? ''
  }

  /** Gives every row its zone anew. */
  rezone(zoneOfUser: (user: string) => number): void {
    for (let s = 1; s < MAX_SESSIONS; s++) if (this.address[s] !== 0) this.zone[s] = zoneOfUser(this.users[s]!)
  }

  private enter(address: number, session: number): void {
    let i = home(address)
    while (this.index[i] !== 0 && (this.address[this.index[i]!]! | 0) !== address) i = (i + 1) & INDEX_MASK
    this.index[i] = session
  }

  /** Deletes by moving later entries of the same run into the gap, so that no tombstones gather. */
  private leave(session: number): void {
    const { index } = this
    let gap = home(this.address[session]! | 0)
    while (index[gap] !== session) gap = (gap + 1) & INDEX_MASK
    for (let i = (gap + 1) & INDEX_MASK; index[i] !== 0; i = (i + 1) & INDEX_MASK) {
      const distance = (i - home(this.address[index[i]!]! | 0)) & INDEX_MASK
      if (distance < ((i - gap) & INDEX_MASK)) continue
      index[gap] = index[i]!
      gap = i
    }
    index[gap] = 0
  }
}

/** Control assigns the addresses, so no adversary picks what collides; the multiplier spreads a pool's neighbours. */
function home(address: number): number {
  return Math.imul(address, 0x9e3779b1) >>> INDEX_SHIFT
}
