/** A gateway under attack: keeps the books on what went to and came from each address, and damages what it has seen. */

import type { IkeEffect } from '../../src/ike/effects.ts'
import type { Endpoint } from '../../src/packet/ip.ts'
import { Gateway, of } from '../ike/gateway.ts'
import { mutate, type Rng } from './random.ts'

interface Captured {
  readonly bytes: Uint8Array
  readonly remote: Endpoint
  readonly port: number
}

/** Where spoofed datagrams come from: 198.18.0.0/15, which no genuine client of these tests has. */
const HOSTILE = 0xc6120000

export class Storm extends Gateway {
  readonly seen: Captured[] = []
  private readonly received = new Map<number, number>()
  private readonly sent = new Map<number, number>()
  private rng: Rng | undefined

  /** From now on hostile datagrams are made with these dice. */
  arm(rng: Rng): this {
    this.rng = rng
    return this
  }

  override datagram(remote: Endpoint, port: number, bytes: Uint8Array, server?: number): IkeEffect[] {
    this.seen.push({ bytes: bytes.slice(), remote, port })
    return this.account(remote, port, bytes, server)
  }

  /** A hostile datagram: a damaged or repeated one, or nonsense, from a spoofed place or from where the genuine one came. */
  strike(): void {
    const rng = this.rng!
    const spoofed = { address: HOSTILE + rng.below(0x20000), port: 1 + rng.below(0xffff) }
    if (this.seen.length === 0 || rng.chance(15)) {
      this.account(spoofed, rng.pick([500, 4500]), rng.bytes(rng.below(200)))
      return
    }
    const c = rng.pick(this.seen)
    const bytes = this.damage(c.bytes)
    if (rng.chance(60)) this.account(spoofed, rng.chance(80) ? c.port : rng.pick([500, 4500]), bytes)
    else this.account(c.remote, c.port, bytes)
  }

  private damage(bytes: Uint8Array): Uint8Array {
    const rng = this.rng!
    if (rng.chance(10)) return bytes
    // A damaged message 5 that still decrypts to something ends its exchange after a few: that is tested by itself.
    if ((bytes[19]! & 1) !== 0 && bytes[18] === 2) return bytes.slice(0, rng.below(bytes.length))
    const out = mutate(rng, bytes)
    // Most damage would end at the length check of the header.
    if (out.length >= 28 && rng.chance(80)) new DataView(out.buffer).setUint32(24, out.length)
    // Another initiator's cookie: its first message opens an exchange of its own.
    if (out.length >= 28 && rng.chance(30)) out.set(rng.bytes(8), 0)
    return out
  }

  private account(remote: Endpoint, port: number, bytes: Uint8Array, server?: number): IkeEffect[] {
    this.received.set(remote.address, (this.received.get(remote.address) ?? 0) + bytes.length)
    const effects = super.datagram(remote, port, bytes, server)
    for (const e of of(effects, 'send'))
      this.sent.set(e.remote.address, (this.sent.get(e.remote.address) ?? 0) + e.bytes.length)
    return effects
  }

  /** The worst ratio of bytes out to bytes in over the spoofed addresses. */
  amplification(): number {
    let worst = 0
    for (const [address, bytes] of this.sent)
      if (address >>> 17 === HOSTILE >>> 17) worst = Math.max(worst, bytes / (this.received.get(address) ?? 0))
    return worst
  }

  /** Timers never speak to a place that was only ever spoofed. */
  quiet(effects: readonly IkeEffect[]): boolean {
    return of(effects, 'send').every(e => e.remote.address >>> 17 !== HOSTILE >>> 17)
  }

  get halfOpen(): number {
    return this.endpoint.snapshot().exchanges.filter(e => e.phase === 1).length
  }
}
