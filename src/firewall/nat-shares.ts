/** Single ports of global addresses that rules forward to sessions: where several workers share the address, each goes to the session's own. */

import { IpProtocol, type Ipv4 } from '../packet/ip.ts'
import type { FirewallPolicy, FirewallRule } from './policy.ts'
import { type Audience, isForward, isLimited } from './rules.ts'

export interface ForwardedPort {
  readonly address: Ipv4
  readonly protocol: number
  readonly port: number
  /** Where to: an address, or the latest session of an audience. */
  readonly to: Ipv4 | Audience
}

/** One rule stands for no more of them. */
const MOST_OF_A_RULE = 1024

/** What a rule forwards, or undefined where that cannot be said port by port. */
export function forwardedPorts(policy: FirewallPolicy, r: FirewallRule): ForwardedPort[] | undefined {
  const { globalIp, ip } = r
  const ports = r.globalPort ?? r.port
  if (!isForward(r) || globalIp === undefined || !isLimited(ports)) return undefined
  const protocols = [IpProtocol.Tcp, IpProtocol.Udp].filter(p => r.protocol === undefined || r.protocol === p)
  const counts = [globalIp.last - globalIp.first + 1, ports.last - ports.first + 1, protocols.length]
  const count = counts.reduce((product, n) => product * n, 1)
  if (count === 0 || count > MOST_OF_A_RULE) return undefined
  const audience = { user: r.user, group: r.group, policy: policy.name }
  const target = (address: Ipv4) =>
    ip === undefined ? audience : ip.first === ip.last ? ip.first : ip.first + (address - globalIp.first)
  const out: ForwardedPort[] = []
  for (let address = globalIp.first; address <= globalIp.last; address++)
    for (let port = ports.first; port <= ports.last; port++)
      for (const protocol of protocols) out.push({ address, protocol, port, to: target(address) })
  return out
}

/** Names the port, wherever it goes. */
export function keyOfPort(p: ForwardedPort): string {
  return `${p.address} ${p.protocol} ${p.port}`
}

/** Addresses with a port that goes to several places, by who asks: nobody can steer that. */
export function ambiguous(forwarded: readonly ForwardedPort[]): Set<Ipv4> {
  const targets = new Map<string, string>()
  const found = new Set<Ipv4>()
  for (const p of forwarded) {
    const [key, to] = [keyOfPort(p), JSON.stringify(p.to)]
    if ((targets.get(key) ?? to) !== to) found.add(p.address)
    targets.set(key, to)
  }
  return found
}
