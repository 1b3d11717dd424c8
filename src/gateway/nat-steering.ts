/**
 * To which worker packets out of the TUN device go: by a session's address and those that it alone has outside, and of
 * addresses that several workers share by ports, where rules forward single ones (the others are reckoned by blocks).
 */

import { Audiences } from '../firewall/audiences.ts'
import { closedRuleset } from '../firewall/compile.ts'
import { globalsOf } from '../firewall/nat-plan.ts'
import { type ForwardedPort, keyOfPort } from '../firewall/nat-shares.ts'
import type { Ruleset } from '../firewall/ruleset.ts'
import type { Ipv4 } from '../packet/ip.ts'
import type { DataPath } from './ports.ts'

export interface SteeredSession {
  readonly address: Ipv4
  readonly user: string
  readonly worker: number
}

/** Addresses of one range that are shared. */
const MOST_ADDRESSES = 1024
const SHARED = -1

export class NatSteering {
  private readonly data: DataPath
  private readonly sessions = new Map<number, SteeredSession>()
  private readonly sessionOf = new Map<Ipv4, number>()
  private readonly audiences = new Audiences()
  private ruleset: Ruleset = closedRuleset()
  /** What is in force: a worker or SHARED by address, and a worker by port. */
  private readonly addresses = new Map<Ipv4, number>()
  private readonly ports = new Map<string, { readonly port: ForwardedPort; readonly worker: number }>()

  constructor(data: DataPath) {
    this.data = data
  }

  /** Other rules are in force. */
  rules(ruleset: Ruleset): void {
    this.ruleset = ruleset
    this.audiences.reset(ruleset)
    const wanted = this.sharedAddresses()
    for (const [number, s] of [...this.sessions].sort(([a], [b]) => a - b)) {
      this.audiences.enroll(ruleset, number, s.user.toLowerCase())
      for (const address of this.addressesOf(s)) wanted.set(address, s.worker)
    }
    for (const address of [...this.addresses.keys()]) if (!wanted.has(address)) this.steer(address, undefined)
    for (const [address, owner] of wanted) this.steer(address, owner)
    this.steerPorts()
  }

  up(session: number, s: SteeredSession): void {
    this.down(session)
    this.sessions.set(session, s)
    this.sessionOf.set(s.address, session)
    this.audiences.enroll(this.ruleset, session, s.user.toLowerCase())
    for (const address of this.addressesOf(s)) this.steer(address, s.worker)
    this.steerPorts()
  }

  down(session: number): void {
    const s = this.sessions.get(session)
    if (s === undefined) return
    this.sessions.delete(session)
    if (this.sessionOf.get(s.address) === session) this.sessionOf.delete(s.address)
    this.audiences.remove(session)
    for (const address of this.addressesOf(s)) this.steer(address, undefined)
    this.steerPorts()
  }

  private addressesOf(s: SteeredSession): Ipv4[] {
    return [s.address, ...globalsOf(this.ruleset.nat, s.address)]
  }

  private sharedAddresses(): Map<Ipv4, number> {
    const { shared } = this.ruleset.nat
    const found = new Map<Ipv4, number>()
    for (let i = 0; i < shared.length; i += 2) {
      const last = Math.min(shared[i + 1]!, shared[i]! + MOST_ADDRESSES - 1)
      for (let address = shared[i]!; address <= last; address++) found.set(address, SHARED)
    }
    return found
  }

  private steer(address: Ipv4, owner: number | undefined): void {
    if (this.addresses.get(address) === owner) return
    if (owner === undefined) this.addresses.delete(address)
    else this.addresses.set(address, owner)
    if (owner === SHARED) this.data.share(address)
    else this.data.steer(address, owner)
  }

  private steerPorts(): void {
    const { forwarded } = this.ruleset.nat
    if (forwarded.length === 0 && this.ports.size === 0) return
    const wanted = new Map<string, { readonly port: ForwardedPort; readonly worker: number }>()
    for (const port of forwarded) {
      const worker = this.sessions.get(this.targetOf(port))?.worker
      if (worker !== undefined) wanted.set(keyOfPort(port), { port, worker })
    }
    for (const [key, { port }] of [...this.ports]) if (!wanted.has(key)) this.steerPort(key, port, undefined)
    for (const [key, { port, worker }] of wanted) this.steerPort(key, port, worker)
  }

  private steerPort(key: string, port: ForwardedPort, worker: number | undefined): void {
    if (this.ports.get(key)?.worker === worker) return
    if (worker === undefined) this.ports.delete(key)
    else this.ports.set(key, { port, worker })
    this.data.steerPort(port.address, port.protocol, port.port, worker)
  }

  /** The session that a port is forwarded to, or 0: as the workers find it. */
  private targetOf({ to }: ForwardedPort): number {
    if (typeof to === 'number') return this.sessionOf.get(to) ?? 0
    const same = this.ruleset.audiences.findIndex(
      a => a.user === to.user && a.group === to.group && a.policy === to.policy,
    )
    return same < 0 ? 0 : this.audiences.sessionOf(same)
  }
}
