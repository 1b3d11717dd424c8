/** Which Linux devices the policy's interfaces are, and which rules are for packets that enter by them. */

import type { Ipv4 } from '../packet/ip.ts'
import type { NftablesInput } from './nft-input.ts'
import type { MatchContext } from './nft-match.ts'
import { audienceSet } from './nft-sets.ts'
import type { Firewall, FirewallPolicy, FirewallRule } from './policy.ts'
import { isDynamic, sameName } from './zones.ts'

/** An interface of a policy together with its device. */
export interface Place {
  readonly name: string
  readonly device: string
  /** The gateway's addresses there. */
  readonly own: readonly Ipv4[]
}

export function publicPlaces(input: NftablesInput): Place[] {
  return places(input).filter(p => typesOf(input.firewall, p.name).has('public') && !isPrivate(input.firewall, p.name))
}

export function places(input: NftablesInput): Place[] {
  const out: Place[] = []
  for (const i of input.firewall.policies.flatMap(p => p.interfaces)) {
    const name = deviceOf(input, i.name)
    if (name === undefined || name === input.tunDevice || out.some(p => sameName(p.name, i.name))) continue
    const own = input.interfaces.filter(l => sameName(l.name, i.name) && l.address !== 0).map(l => l.address)
    out.push({ name: i.name, device: name, own })
  }
  return out
}

/** A line for what entered or leaves by the sessions' device, where that can be asked without its name. */
export function bySessions(input: NftablesInput, way: 'iif' | 'oif', verdict: string): string[] {
  return input.tunIndex === undefined ? [] : [`  ${way} ${input.tunIndex} ${verdict}`]
}

/** The devices of a policy's interfaces of one type, without those that have none; the sessions' is the TUN device. */
export function devicesOf(input: NftablesInput, policy: FirewallPolicy, type: 'private' | 'public'): string[] {
  const found = policy.interfaces.filter(i => i.type === type).flatMap(i => deviceOf(input, i.name) ?? [])
  return [...new Set(found)]
}

/** The device of an interface; all dynamic ones are the TUN device. */
export function deviceOf(input: NftablesInput, name: string): string | undefined {
  if (isDynamic(name)) return input.tunDevice
  const key = Object.keys(input.devices).find(k => sameName(k, name))
  return key === undefined ? undefined : input.devices[key]
}

function typesOf(firewall: Firewall, name: string): Set<string> {
  return new Set(firewall.policies.flatMap(p => p.interfaces.filter(i => sameName(i.name, name)).map(i => i.type)))
}

/** An interface may be private in one policy and public in others: what arrives there is not from outside. */
export function isPrivate(firewall: Firewall, name: string): boolean {
  return typesOf(firewall, name).has('private')
}

/** The rules of all policies for packets that enter by an interface; those about packets out of IPsec are not for the kernel. */
export function rulesOf(policies: readonly FirewallPolicy[], name: string): FirewallRule[] {
  return policies.flatMap(p =>
    p.rules.filter(r => sameName(r.interface, name) && r.encapsulation !== 'ipsec').sort((a, b) => a.number - b.number),
  )
}

/** What a rule's match needs to know beside the rule. */
export function contextOf(input: NftablesInput, rule: FirewallRule): MatchContext {
  const policy = input.firewall.policies.find(p => p.rules.includes(rule))
  const list = rule.list === undefined ? undefined : policy?.lists.find(l => l.name === rule.list)
  const who = audienceSet(input, rule)
  return list?.hardware === undefined ? { list: list?.addresses, who } : { hardware: list.hardware, who }
}
