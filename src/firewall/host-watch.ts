/**
 * Events and attacks on the host's own devices, from what the kernel tells of single packets (notes.ts): the same counting as
 * for sessions, with a row for each address of our side.
 *
 * Each kind of packet is told some times a second, so counts are of those. What the kernel let in counts as answered, since
 * nobody tells of its answers: floods are told of what was refused, scans of both.
 */

import type { Millis } from '../machine.ts'
import { DropReason } from '../packet/verdict.ts'
import { AddressRows, Attacks } from './attacks.ts'
import { closedRuleset } from './compile.ts'
import { type FirewallEvent, FirewallEvents } from './events.ts'
import { FragmentTable, MOST_FRAGMENTS } from './fragments.ts'
import { Headers } from './headers.ts'
import { type Note, parseNote } from './notes.ts'
import type { Passage } from './passage.ts'
import { policyBetween, type Ruleset, Zone, zoneOfAddress } from './ruleset.ts'
import { answered, watch } from './watch.ts'
import { sameName } from './zones.ts'

/** The longest headers of IPv4 and TCP. */
const MOST_HEADERS = 120
const MAX_LENGTH = 65_535

export class HostWatch {
  private current = closedRuleset()
  readonly attacks: Attacks
  readonly events = new FirewallEvents()
  private readonly rows: AddressRows
  private readonly fragments = new FragmentTable()
  private readonly headers = new Headers()
  private readonly bytes = new Uint8Array(MOST_HEADERS)
  private readonly passage: Passage = { session: 0, fromClient: false, sender: 0, from: 0, to: 0, subject: 0 }

  /** `seed`: 32 random bits, so that nobody outside can choose what counts as one. */
  constructor(seed: number) {
    this.attacks = new Attacks(seed, AddressRows.size)
    this.rows = new AddressRows(seed, row => this.attacks.forget(row))
  }

  get ruleset(): Ruleset {
    return this.current
  }
  set ruleset(ruleset: Ruleset) {
    this.current = ruleset
    this.fragments.allow(ruleset.firewall.maxFragments ?? MOST_FRAGMENTS)
  }

  /** One packet: what nft noted, and its first bytes. Whatever is no note of ours, or no IPv4, is nothing. */
  take(prefix: string, packet: Uint8Array, now: Millis): void {
    const note = parseNote(prefix)
    if (note === undefined || packet.length < 20 || packet[0]! >>> 4 !== 4) return
    const { headers: h, bytes, passage: p } = this
    bytes.fill(0)
    bytes.set(packet.subarray(0, MOST_HEADERS))
    // The kernel cut it short: it is as long as it says.
    const sound = h.read(bytes, 0, MAX_LENGTH)
    h.bytes = bytes
    this.place(note, now)
    const overlapped = note.what === 'piece' && sound === DropReason.None && this.overlaps(now)
    const reason = this.reasonOf(note, sound, overlapped)
    // A fragment in its place is nobody's news.
    if (reason === undefined) return
    const policy = policyBetween(this.ruleset, p.from, p.to)
    const allowed = reason === DropReason.None
    if (note.what !== 'piece') this.events.record(h, p, allowed, note.rule, reason, now)
    watch(this, h, p, policy, reason, allowed, overlapped, now)
    if (allowed && policy >= 0) answered(this, h.protocol, p.session, p.fromClient)
  }

  /** Takes what waits, the oldest first. */
  drain(): FirewallEvent[] {
    return this.events.take(this.ruleset).map(e => ({ ...e, session: 0 }))
  }

  private place(note: Note, now: Millis): void {
    const { headers: h, passage: p, ruleset } = this
    p.from = this.zoneOf(note.from)
    p.to =
      note.to === ''
        ? note.what === 'deny' || note.what === 'allow' || note.what === 'limit'
          ? Zone.Self
          : zoneOfAddress(ruleset, h.destination)
        : this.zoneOf(note.to)
    p.fromClient = ruleset.outside[p.from] !== 1
    p.session = this.rows.rowOf(p.fromClient ? h.source : h.destination, now)
  }

  private zoneOf(name: string): number {
    const zone = this.ruleset.zones.findIndex((z, i) => i > Zone.Self && sameName(z, name))
    return zone < 0 ? Zone.None : zone
  }

  private overlaps(now: Millis): boolean {
    const { headers: h, fragments } = this
    if (h.fragmentOffset === 0) {
      if (fragments.overlaps(h, now)) return true
      fragments.record(h, now)
      return false
    }
    const row = fragments.find(h, now)
    return row >= 0 && !fragments.cover(row, h)
  }

  private reasonOf(note: Note, sound: DropReason, overlapped: boolean): DropReason | undefined {
    if (note.what === 'allow') return DropReason.None
    if (note.what === 'spoof') return DropReason.Spoofed
    if (note.what === 'limit') return DropReason.SessionLimit
    if (note.what === 'deny') return sound === DropReason.BadIp ? sound : DropReason.Policy
    return overlapped ? DropReason.Policy : sound === DropReason.BadIp ? sound : undefined
  }
}
