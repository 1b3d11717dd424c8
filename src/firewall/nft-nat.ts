/**
 * Address translation in nft's words. The match on the device of entry in `postrouting` needs Linux 5.7.
 */

import { IpProtocol } from '../packet/ip.ts'
import { device, globalMatchOf, join, matchOf, ports, range } from './nft-match.ts'
import { deviceOf, type NftablesInput, type Place, rulesOf } from './nft-places.ts'
import type { FirewallNat, FirewallPolicy, FirewallRule, PortRange } from './policy.ts'

/**
 * Translated source ports stay clear of those this gateway listens on. Else a client or LAN host that sends from port 4500
 * could have the kernel take another peer's IKE and ESP for its own answers ("port shadow").
 */
const NAT_PORTS = '8192-65535'

/** Services behind the gateway: rules on a public interface whose private side differs from the global one. */
export function destinationNat(input: NftablesInput, outside: readonly Place[]): string[] {
  const lines: string[] = []
  for (const place of outside) {
    for (const rule of rulesOf(input.firewall.policies, place.name)) {
      const to = translation(rule)
      if (to === undefined) continue
      const match = globalMatchOf(rule, place.own[0])
      lines.push(`  iifname ${device(place.device)} ${match} counter ${to} comment "rule ${rule.number}"`)
    }
  }
  for (const nat of natPairs(input)) {
    if (nat.kind !== 'standard' || !nat.ip || !nat.globalIp || !isOneToOne(nat)) continue
    lines.push(`  iifname ${device(nat.outDevice)} ip daddr ${range(nat.globalIp)} counter dnat ip to ${range(nat.ip)}`)
  }
  if (lines.length === 0) return []
  return ['chain prerouting {', '  type nat hook prerouting priority dstnat; policy accept;', ...lines, '}']
}

function translation(rule: FirewallRule): string | undefined {
  if (rule.action === 'deny' || rule.action === 'nonat' || !rule.ip) return undefined
  const address = rule.globalIp !== undefined && !sameRange(rule.globalIp, rule.ip)
  const port = rule.globalPort !== undefined && rule.port !== undefined && !sameRange(rule.globalPort, rule.port)
  if (!address && !port) return undefined
  return `dnat ip to ${range(rule.ip)}${port && rule.port ? `:${ports(rule.port)}` : ''}`
}

function sameRange(a: PortRange, b: PortRange): boolean {
  return a.first === b.first && a.last === b.last
}

type NatPair = FirewallNat & { readonly policy: FirewallPolicy; readonly inDevice: string; readonly outDevice: string }

function natPairs(input: NftablesInput): NatPair[] {
  return input.firewall.policies.flatMap(policy =>
    policy.nats.flatMap(nat => {
      const inDevice = deviceOf(input, nat.interface)
      const outDevice = deviceOf(input, nat.globalInterface)
      return inDevice === undefined || outDevice === undefined ? [] : [{ ...nat, policy, inDevice, outDevice }]
    }),
  )
}

function isOneToOne(nat: FirewallNat): boolean {
  return !!nat.ip && !!nat.globalIp && nat.ip.first === nat.ip.last && nat.globalIp.first === nat.globalIp.last
}

/** Sources that go out by another address: only between exactly the two interfaces of the pair. */
export function sourceNat(input: NftablesInput): string[] {
  const pairs = natPairs(input)
  const lines = [...natRules(pairs), ...pairs.flatMap(natLines)]
  if (lines.length === 0) return []
  return ['chain postrouting {', '  type nat hook postrouting priority srcnat; policy accept;', ...lines, '}']
}

/** ACTION=NAT and NONAT on a private interface go before the NAT of the pair. */
function natRules(pairs: readonly NatPair[]): string[] {
  const lines: string[] = []
  for (const pair of pairs) {
    for (const rule of rulesOf([pair.policy], pair.interface)) {
      const translate = rule.action === 'nat' && rule.globalIp !== undefined
      if (rule.action !== 'nonat' && !translate) continue
      const what = rule.action === 'nat' && rule.globalIp ? `snat ip to ${range(rule.globalIp)}` : 'accept'
      const line = `  ${between(pair)} ${matchOf(rule, true)} counter ${what} comment "rule ${rule.number}"`
      if (!lines.includes(line)) lines.push(line)
    }
  }
  return lines
}

function natLines(nat: NatPair): string[] {
  if (nat.kind === 'reverse') return []
  const match = join(between(nat), 'meta nfproto ipv4', nat.ip && `ip saddr ${range(nat.ip)}`)
  if (nat.kind === 'standard') return nat.globalIp ? [`  ${match} counter snat ip to ${range(nat.globalIp)}`] : []
  const target = nat.globalIp ? `snat ip to ${range(nat.globalIp)}` : 'masquerade'
  const withPorts = nat.globalIp ? `${target}:${NAT_PORTS}` : `${target} to :${NAT_PORTS}`
  return [
    `  ${match} meta l4proto { ${IpProtocol.Tcp}, ${IpProtocol.Udp} } counter ${withPorts}`,
    `  ${match} counter ${target}`,
  ]
}

function between(pair: NatPair): string {
  return `iifname ${device(pair.inDevice)} oifname ${device(pair.outDevice)}`
}
