/**
 * Chains that tell of a packet before its verdict, where somebody listens (nfnetlink_log). Told are some a second of each kind
 * and some of all: a flood costs no more, and the counters count every packet anyway.
 */

import { device } from './nft-match.ts'
import type { Place } from './nft-places.ts'
import { emitNote, type Note } from './notes.ts'

const LIMIT = 'limit rate 50/second burst 100 packets limit name "notes"'
const ALL = 'limit notes { rate 200/second burst 400 packets; }'
/** As much of a packet as headers need. */
const SNAP_LENGTH = 128
/** Interfaces that a note can name. */
const NAMEABLE = /^[\w.-]{0,40}$/

export class Notes {
  private readonly group: number | undefined
  private readonly written: string[] = []
  private count = 0

  /** Without a group nothing is told. */
  constructor(group: number | undefined) {
    this.group = group
  }

  /** The verdict of a refused packet. */
  drop(rule: number, from: string, to: string, what: 'deny' | 'limit' | 'spoof' = 'deny'): string {
    return this.verdict({ what, rule, from, to }, 'drop')
  }

  /** The verdict of an allowed one: the first of a connection is told. */
  accept(rule: number, from: string, to: string): string {
    return this.verdict({ what: 'allow', rule, from, to }, 'accept')
  }

  /** Lines at the end of a chain that lets pass what comes there. */
  passing(from: string, to: string): string[] {
    const log = this.log({ what: 'allow', rule: 0, from, to })
    return log === undefined ? [] : [`  ct state new ${log}`]
  }

  /** Lines that see fragments alone, before the kernel puts them together. */
  pieces(outside: readonly Place[]): string[] {
    return outside.flatMap(p => {
      const log = this.log({ what: 'piece', rule: 0, from: p.name, to: '' })
      return log === undefined ? [] : [`  iifname ${device(p.device)} ${log}`]
    })
  }

  /** What the other lines need: before them, and behind. */
  get limits(): string[] {
    return this.group === undefined ? [] : [ALL]
  }
  get chains(): string[] {
    return this.written
  }

  private verdict(note: Note, verdict: 'accept' | 'drop'): string {
    const log = this.log(note)
    if (log === undefined) return verdict
    const name = `note_${this.count++}`
    const first = verdict === 'accept' ? 'ct state new ' : ''
    this.written.push(`chain ${name} {`, `  ${first}${log}`, `  ${verdict}`, '}')
    return `goto ${name}`
  }

  private log(note: Note): string | undefined {
    if (this.group === undefined || !NAMEABLE.test(note.from) || !NAMEABLE.test(note.to)) return undefined
    return `meta nfproto ipv4 ${LIMIT} log prefix "${emitNote(note)}" group ${this.group} snaplen ${SNAP_LENGTH}`
  }
}
