/**
 * Address translation in nft's words, but for what the workers do themselves (nat-plan.ts). The match on the device of
 * entry in `postrouting` needs Linux 5.7.
 */

import { IpProtocol } from '../packet/ip.ts'
import { NAT_FIRST_PORT, NAT_LAST_PORT } from './constants.ts'
import { inOrder, owns } from './nat-plan.ts'
import type { NftablesInput } from './nft-input.ts'
import { device, globalMatchOf, join, matchOf, ports, range, ranges } from './nft-match.ts'
import { contextOf, deviceOf, type Place, rulesOf } from './nft-places.ts'
import { forwardMap, isUserForward, targetPort, zoneSet } from './nft-sets.ts'
import type { AddressRange, FirewallNat, FirewallPolicy, FirewallRule } from './policy.ts'
import { isForward } from './rules.ts'
import { isDynamic } from './zones.ts'

/**
 * Translated source ports stay clear of those this gateway listens on. Else a client or LAN host that sends from port 4500
 * could have the kernel take another peer's IKE and ESP for its own answers ("port shadow").
 */
const NAT_PORTS = `${NAT_FIRST_PORT}-${NAT_LAST_PORT} fully-random`
/** One to one translation of a range is a line for each address. */
const MOST_LINES = 256

/** Services behind the gateway: rules on a public interface whose private side differs from the global one. */
export function destinationNat(input: NftablesInput, outside: readonly Place[]): string[] {
  const lines: string[] = []
  for (const place of outside) {
    for (const rule of rulesOf(input.firewall.policies, place.name)) {
      if (!isForward(rule) || isOwned(input, rule.globalIp)) continue
      const match = globalMatchOf(rule, contextOf(input, rule), place.own[0])
      const to = translation(input, rule)
      lines.push(`  iifname ${device(place.device)} ${match} counter ${to} comment "rule ${rule.number}"`)
    }
  }
  for (const nat of natPairs(input)) lines.push(...pairDestinations(input, nat))
  for (const policy of input.firewall.policies) lines.push(...reverseRules(input, policy, 'out'))
  if (lines.length === 0) return []
  return ['chain prerouting {', '  type nat hook prerouting priority dstnat; policy accept;', ...lines, '}']
}

function isOwned(input: NftablesInput, address: AddressRange | undefined): boolean {
  return address !== undefined && owns(input.owned ?? [], address.first)
}

function translation(input: NftablesInput, rule: FirewallRule): string {
  const port = targetPort(rule)
  if (isUserForward(rule)) {
    return `dnat ip ${port === undefined ? '' : 'addr . port '}to meta l4proto map @${forwardMap(input, rule)}`
  }
  return `dnat ip to ${range(rule.ip!)}${port !== undefined && rule.port ? `:${ports(rule.port)}` : ''}`
}

type NatPair = FirewallNat & { readonly policy: FirewallPolicy; readonly inDevice: string; readonly outDevice: string }

function natPairs(input: NftablesInput): NatPair[] {
  return input.firewall.policies.flatMap(policy =>
    inOrder(policy.nats).flatMap(nat => {
      const inDevice = deviceOf(input, nat.interface)
      const outDevice = deviceOf(input, nat.globalInterface)
      if (inDevice === undefined || outDevice === undefined) return []
      // What sessions see translated their workers translate.
      if (isDynamic(nat.interface) && (nat.kind === 'reverse' || isOwned(input, nat.globalIp))) return []
      return [{ ...nat, policy, inDevice, outDevice }]
    }),
  )
}

/** Each address of the first range beside its counterpart in the second. */
function oneToOne(a: AddressRange | undefined, b: AddressRange | undefined): [string, string][] {
  if (a === undefined || b === undefined) return []
  const size = Math.min(a.last - a.first, b.last - b.first, MOST_LINES - 1) + 1
  const one = (address: number) => range({ first: address, last: address })
  return Array.from({ length: size }, (_, i) => [one(a.first + i), one(b.first + i)])
}

function pairDestinations(input: NftablesInput, nat: NatPair): string[] {
  if (nat.kind === 'enhanced') return []
  const pairs = oneToOne(nat.ip, nat.globalIp)
  if (nat.kind === 'standard') {
    return pairs.map(
      ([inner, global]) => `  iifname ${device(nat.outDevice)} ip daddr ${global} counter dnat ip to ${inner}`,
    )
  }
  const zone = fromZone(input, nat)
  return pairs.map(([inner, global]) => `  ${join(zone, `ip daddr ${inner}`)} counter dnat ip to ${global}`)
}

function fromZone(input: NftablesInput, nat: NatPair): string {
  const set = isDynamic(nat.interface) ? zoneSet(input, nat.interface) : undefined
  return join(`iifname ${device(nat.inDevice)}`, set && `ip saddr @${set}`)
}

/** ACTION=NAT NATTYPE=REVERSE of host interfaces: outward on private ones, inward on public ones. */
function reverseRules(input: NftablesInput, policy: FirewallPolicy, direction: 'in' | 'out'): string[] {
  const type = direction === 'out' ? 'private' : 'public'
  return policy.interfaces.flatMap(i => {
    const name = deviceOf(input, i.name)
    if (i.type !== type || isDynamic(i.name) || name === undefined) return []
    return rulesOf([policy], i.name)
      .filter(r => r.action === 'nat' && r.natType === 'reverse')
      .flatMap(r =>
        oneToOne(r.remoteIp, r.globalRemoteIp).map(([inner, global]) =>
          direction === 'out'
            ? `  iifname ${device(name)} ip daddr ${inner} ${matchOf({ ...r, natType: undefined, remoteIp: undefined }, true, contextOf(input, r))} counter dnat ip to ${global} comment "rule ${r.number}"`
            : `  iifname ${device(name)} ip saddr ${global} ${matchOf({ ...r, natType: undefined, remoteIp: undefined }, false, contextOf(input, r))} counter snat ip to ${inner} comment "rule ${r.number}"`,
        ),
      )
  })
}

/** Sources that go out by another address: only between exactly the two interfaces of the pair. */
export function sourceNat(input: NftablesInput): string[] {
  const pairs = natPairs(input)
  const owned = input.owned ?? []
  const lines = [
    ...natRules(input, pairs),
    ...input.firewall.policies.flatMap(p => reverseRules(input, p, 'in')),
    ...pairs.flatMap(nat => natLines(input, nat)),
  ]
  if (lines.length === 0) return []
  const done = owned.length === 0 ? [] : [`  iifname ${device(input.tunDevice)} ip saddr ${ranges(owned)} accept`]
  return ['chain postrouting {', '  type nat hook postrouting priority srcnat; policy accept;', ...done, ...lines, '}']
}

/** ACTION=NAT and NONAT on a private interface go before the NAT of the pair. */
function natRules(input: NftablesInput, pairs: readonly NatPair[]): string[] {
  const lines: string[] = []
  for (const pair of pairs) {
    for (const rule of rulesOf([pair.policy], pair.interface)) {
      const translate = rule.action === 'nat' && rule.globalIp !== undefined && rule.natType !== 'reverse'
      if ((rule.action !== 'nonat' && !translate) || isOwned(input, translate ? rule.globalIp : undefined)) continue
      const match = `${between(input, pair)} ${matchOf(rule, true, contextOf(input, rule))} counter`
      const what = translate ? `snat ip to ${range(rule.globalIp!)}` : 'accept'
      const line = `  ${match} ${what} comment "rule ${rule.number}"`
      if (!lines.includes(line)) lines.push(line)
    }
  }
  return lines
}

function natLines(input: NftablesInput, nat: NatPair): string[] {
  if (nat.kind === 'reverse') {
    const back = `iifname ${device(nat.outDevice)} oifname ${device(nat.inDevice)}`
    return oneToOne(nat.ip, nat.globalIp).map(
      ([inner, global]) => `  ${back} ip saddr ${global} counter snat ip to ${inner}`,
    )
  }
  const pair = between(input, nat)
  const match = join(pair, 'meta nfproto ipv4', nat.ip && `ip saddr ${range(nat.ip)}`)
  if (nat.kind === 'standard') {
    if (nat.globalIp === undefined) return []
    if (nat.ip === undefined) return [`  ${match} counter snat ip to ${range(nat.globalIp)} persistent`]
    return oneToOne(nat.ip, nat.globalIp).map(
      ([inner, global]) => `  ${pair} meta nfproto ipv4 ip saddr ${inner} counter snat ip to ${global}`,
    )
  }
  const target = nat.globalIp ? `snat ip to ${range(nat.globalIp)}` : 'masquerade'
  const withPorts = nat.globalIp ? `${target}:${NAT_PORTS}` : `${target} to :${NAT_PORTS}`
  return [
    `  ${match} meta l4proto { ${IpProtocol.Tcp}, ${IpProtocol.Udp} } counter ${withPorts}`,
    `  ${match} counter ${target}`,
  ]
}

function between(input: NftablesInput, pair: NatPair): string {
  const set = isDynamic(pair.interface) ? zoneSet(input, pair.interface) : undefined
  const devices = `iifname ${device(pair.inDevice)} oifname ${device(pair.outDevice)}`
  return join(devices, set && `ip saddr @${set}`)
}
