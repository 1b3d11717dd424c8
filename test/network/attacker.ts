/**
 * Somebody who has overheard everything, and keeps some of it from arriving: he repeats it from elsewhere, sends it damaged,
 * or just makes noise. He has no key.
 */

import { Exchange, Flag } from '../../src/ike/constants.ts'
import { type Endpoint, readIpv4 } from '../../src/packet/ip.ts'
import { mutate, type Rng } from '../fuzz/random.ts'
import type { Explored } from './explored.ts'
import type { GatewayHost } from './gateway-host.ts'

/** Where only the attacker is. */
export const ATTACKER_NET = 0xc0000200
/** How many packets he keeps of each kind. */
const REMEMBERED = 60
const ISAKMP_HEADER = 28
/**
 * Where damage to a ciphertext garbles nothing but the leading HASH: in the second block of 3DES, and in that of AES where
 * the hash is SHA-256.
 */
const IN_HASH = [8, 16] as const
/** Percent of the protected messages of IKE that he takes away. */
const TAKEN = 15
const MARKER_LENGTH = 4

type Port = 0 | 500 | 4500
interface Overheard {
  readonly port: Port
  readonly remote: Endpoint
  readonly bytes: Uint8Array
}

export class Attacker {
  /** Bytes that he sent, and that came back to him, by his own address and port. */
  readonly sent = new Map<string, number>()
  readonly got = new Map<string, number>()
  private readonly rng: Rng
  private readonly host: GatewayHost
  private readonly explored: Explored
  private readonly overheard: Overheard[] = []
  /** Protected messages of IKE among them, which are few. */
  private readonly overheardIke: Overheard[] = []
  /** ESP, and protected messages of IKE behind Main Mode, that he took away so that they never came. */
  private readonly withheldEsp: Overheard[] = []
  private readonly withheldIke: Overheard[] = []
  /** By SPI the highest sequence number that the gateway has seen. */
  private readonly newest = new Map<number, number>()

  constructor(to: { rng: Rng; host: GatewayHost; explored: Explored }) {
    this.rng = to.rng
    this.host = to.host
    this.explored = to.explored
  }

  overhear(port: Port, remote: Endpoint, bytes: Uint8Array): void {
    const packet = { port, remote, bytes: bytes.slice() }
    remember(this.overheard, packet)
    const message = port === 4500 ? bytes.subarray(MARKER_LENGTH) : bytes
    const isIke = port === 500 || (port === 4500 && bytes.length > MARKER_LENGTH && readIpv4(bytes) === 0)
    if (isIke && message.length > ISAKMP_HEADER && isProtected(message)) remember(this.overheardIke, packet)
  }

  /** An ESP packet reached the gateway whole. */
  passed(esp: Uint8Array): void {
    const spi = readIpv4(esp)
    this.newest.set(spi, Math.max(this.newest.get(spi) ?? 0, readIpv4(esp, 4)))
  }

  /** A packet of a client's that is under way nowhere. */
  withhold(port: Port, bytes: Uint8Array, isEsp: boolean): void {
    const packet = { port, remote: { address: 0, port: 0 }, bytes }
    if (isEsp) return remember(this.withheldEsp, packet)
    const message = port === 4500 ? bytes.subarray(MARKER_LENGTH) : bytes
    if (message.length > ISAKMP_HEADER + 2 * IN_HASH[1] && isProtected(message)) remember(this.withheldIke, packet)
  }

  /** Whether he lets no copy of this message through. */
  takes(port: Port, bytes: Uint8Array): boolean {
    const message = port === 4500 ? bytes.subarray(MARKER_LENGTH) : bytes
    if (message.length <= ISAKMP_HEADER || !isProtected(message) || !this.rng.chance(TAKEN)) return false
    this.withhold(port, bytes, false)
    return true
  }

  /** Something reached him. */
  received(remote: Endpoint, bytes: Uint8Array): void {
    count(this.got, remote, bytes.length)
  }

  /** Plays what he took away, while the exchange that it belongs to lives. */
  playTaken(): void {
    this.explored.replayed++
    this.playIke(this.somewhere())
  }

  private somewhere(): Endpoint {
    const { rng } = this
    return { address: ATTACKER_NET + 1 + rng.below(3), port: rng.pick([500, 4500, 1024 + rng.below(60_000)]) }
  }

  attack(): void {
    const { rng } = this
    for (let n = 1 + rng.below(16); n > 0; n--) {
      const from = this.somewhere()
      this.explored.replayed++
      if (rng.chance(30) && this.playEsp(from)) continue
      if (rng.chance(30) && this.playIke(from)) continue
      this.repeat(from)
    }
  }

  /** What is authentic but older than the newest must not draw the gateway after it. */
  private playEsp(from: Endpoint): boolean {
    const held = this.any(
      this.withheldEsp.filter(w => readIpv4(w.bytes, 4) < (this.newest.get(readIpv4(w.bytes)) ?? 0)),
    )
    if (!held) return false
    this.explored.withheld++
    this.give(held.port, from, held.bytes.slice())
    return true
  }

  /**
   * Messages of IKE that never came. Whole ones come to port 500, which says nothing of where a peer's ESP comes from; damaged
   * ones to either, so that what they hold deciphers well while its hash is wrong. Neither may move the peer.
   */
  private playIke(from: Endpoint): boolean {
    const held = this.any(this.withheldIke)
    if (!held) return false
    this.withheldIke.splice(this.withheldIke.indexOf(held), 1)
    this.explored.withheld++
    const message = held.port === 4500 ? held.bytes.slice(MARKER_LENGTH) : held.bytes.slice()
    if (this.rng.chance(50)) {
      this.give(500, from, message)
      return true
    }
    const bytes = held.bytes.slice()
    const at = bytes.length - message.length + ISAKMP_HEADER + this.rng.pick(IN_HASH) + this.rng.below(4)
    bytes[at] = bytes[at]! ^ (1 << this.rng.below(8))
    this.give(held.port, from, bytes)
    return true
  }

  private repeat(from: Endpoint): void {
    const { rng } = this
    const heard = rng.chance(85) ? this.any(rng.chance(30) ? this.overheardIke : this.overheard) : undefined
    if (!heard) return this.give(rng.pick([0, 500, 4500] as const), from, rng.bytes(rng.below(300)))
    const damaged = rng.chance(30)
    const remote = rng.chance(damaged ? 40 : 10) ? heard.remote : from
    this.give(heard.port, remote, damaged ? mutate(rng, heard.bytes).slice(0, 1900) : heard.bytes.slice())
  }

  private give(port: Port, from: Endpoint, bytes: Uint8Array): void {
    const remote = { ...from, port: port === 0 ? 0 : from.port }
    if (isAttackers(remote)) count(this.sent, remote, bytes.length)
    this.host.receive(port, remote, bytes)
  }

  private any<T>(items: readonly T[]): T | undefined {
    return items.length === 0 ? undefined : this.rng.pick(items)
  }
}

export function isAttackers(remote: Endpoint): boolean {
  return (remote.address & 0xffffff00) >>> 0 === ATTACKER_NET
}

export function key(remote: Endpoint): string {
  return `${remote.address & 0xff}:${remote.port}`
}

function isProtected(message: Uint8Array): boolean {
  const exchange = message[18]!
  return (exchange === Exchange.Quick || exchange === Exchange.Informational) && (message[19]! & Flag.Encryption) !== 0
}

function count(bytes: Map<string, number>, remote: Endpoint, length: number): void {
  bytes.set(key(remote), (bytes.get(key(remote)) ?? 0) + length)
}

function remember(list: Overheard[], packet: Overheard): void {
  list.push(packet)
  if (list.length > REMEMBERED) list.shift()
}
