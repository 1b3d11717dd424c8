/** A NAT box between clients and the Internet (RFC 4787): it maps, forgets, takes other ports and other addresses. */

import type { Millis } from '../../src/machine.ts'
import type { Endpoint, Ipv4 } from '../../src/packet/ip.ts'
import type { Rng } from '../fuzz/random.ts'
import type { Agenda } from './agenda.ts'

/**
 * `cone`: keeps the client's port where it is free, one mapping whoever it talks to, and lets anybody's answer in.
 * `symmetric`: a port of its own choice for every destination, and only that destination's answers come in.
 */
export type NatKind = 'cone' | 'symmetric'

interface Mapping {
  readonly house: object
  readonly port: number
  /** The server's port, for symmetric ones. */
  readonly to: number
  readonly outer: number
  used: Millis
}

export class Nat {
  readonly kind: NatKind
  outer: Ipv4
  /** Out of order before this time. */
  darkUntil: Millis = 0
  /** How long an unused mapping is kept. */
  readonly timeout: Millis
  private mappings: Mapping[] = []
  private readonly agenda: Agenda
  private readonly rng: Rng
  private lastPort: number

  constructor(o: { kind: NatKind; outer: Ipv4; timeout: Millis; agenda: Agenda; rng: Rng }) {
    this.kind = o.kind
    this.outer = o.outer
    this.timeout = o.timeout
    this.agenda = o.agenda
    this.rng = o.rng
    this.lastPort = 20_000 + this.rng.below(1000)
  }

  /** As what a packet of this house's port comes out, or undefined. Clients may have equal addresses: the house is the key. */
  out(house: object, port: number, to: number): Endpoint | undefined {
    if (this.agenda.now < this.darkUntil) return undefined
    this.expire()
    let m = this.mappings.find(x => x.house === house && x.port === port && (this.kind === 'cone' || x.to === to))
    if (!m) this.mappings.push((m = { house, port, to, outer: this.choose(port), used: 0 }))
    m.used = this.agenda.now
    return { address: this.outer, port: m.outer }
  }

  /** Whose a packet from the server's port `from` is. */
  in(port: number, from: number): { readonly house: object; readonly port: number } | undefined {
    if (this.agenda.now < this.darkUntil) return undefined
    this.expire()
    return this.mappings.find(x => x.outer === port && (this.kind === 'cone' || x.to === from))
  }

  /** Forgets every mapping, or one house's. */
  forget(house?: object): void {
    this.mappings = house === undefined ? [] : this.mappings.filter(m => m.house !== house)
  }

  private expire(): void {
    this.mappings = this.mappings.filter(m => this.agenda.now - m.used < this.timeout)
  }

  /** A small range, so that a port that one client had is soon another's. */
  private choose(wanted: number): number {
    const free = (port: number) => this.mappings.every(m => m.outer !== port)
    if (this.kind === 'cone' && free(wanted)) return wanted
    for (;;) {
      this.lastPort = this.kind === 'cone' ? 20_000 + ((this.lastPort + 1) % 200) : 20_000 + this.rng.below(200)
      if (free(this.lastPort)) return this.lastPort
    }
  }
}
