/**
 * Chains that tell of a packet before its verdict, where somebody listens (nfnetlink_log). Told are some a second of each kind
 * and some of all: a flood costs no more, and the counters count every packet anyway.
 */

import { formatIpv4, IpProtocol } from '../packet/ip.ts'
import type { NftablesInput } from './nft-input.ts'
import { device } from './nft-match.ts'
import { isPrivate, type Place } from './nft-places.ts'
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

  /** Chains that see fragments before the kernel puts them together. */
  pieces(outside: readonly Place[]): string[] {
    const lines = outside.flatMap(p => {
      const log = this.log({ what: 'piece', rule: 0, from: p.name, to: '' })
      return log === undefined ? [] : [`  ip frag-off & 0x3fff != 0 iifname ${device(p.device)} ${log}`]
    })
    if (lines.length === 0) return []
    return ['chain pieces {', '  type filter hook prerouting priority -451; policy accept;', ...lines, '}']
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

/**
 * What cannot have come in by a public device: packets from an address of this host, from everybody, or from a network of our
 * private side.
 */
export function spoofChain(input: NftablesInput, outside: readonly Place[], notes: Notes): string[] {
  if (outside.length === 0) return []
  const known = input.interfaces.filter(i => i.address !== 0 && i.mask !== 0)
  const inside = known.filter(i => isPrivate(input.firewall, i.name))
  const meets = (a: (typeof known)[number], b: (typeof known)[number]) => {
    const mask = a.mask & b.mask
    return (a.address & mask) === (b.address & mask)
  }
  const jumps = outside.map((p, i) => `  iifname ${device(p.device)} meta nfproto ipv4 jump spoofs_${i}`)
  const chains = outside.flatMap((p, i) => {
    const there = known.filter(i => i.name.toLowerCase() === p.name.toLowerCase())
    const networks = inside.filter(i => !there.some(t => meets(i, t)))
    const verdict = notes.drop(0, p.name, '', 'spoof')
    const own = p.own.length > 0 ? `ip daddr { ${p.own.map(formatIpv4).join(', ')} } ` : ''
    return [
      `chain spoofs_${i} {`,
      // The many: IKE and ESP prove themselves whom they come from.
      `  ${own}udp dport { ${input.ports.join(', ')} } accept`,
      `  ip protocol ${IpProtocol.Esp} accept`,
      `  ip saddr != 0.0.0.0 fib saddr type { local, broadcast, multicast } counter ${verdict}`,
      ...networks.map(
        n => `  ip saddr & ${formatIpv4(n.mask)} == ${formatIpv4((n.address & n.mask) >>> 0)} counter ${verdict}`,
      ),
      '}',
    ]
  })
  return ['chain spoofs {', '  type filter hook prerouting priority -160; policy accept;', ...jumps, '}', ...chains]
}
