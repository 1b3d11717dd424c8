/**
 * Named sets and maps of the table, for what comes and goes with sessions: the addresses of a dynamic interface, of those
 * that a rule's USER or GROUP is about, and where a forward to a user goes. A call-up or hang-up changes their elements alone.
 */

import { formatIpv4, IpProtocol, type Ipv4 } from '../packet/ip.ts'
import type { NftablesInput, NftSession } from './nft-input.ts'
import type { FirewallRule, PortRange } from './policy.ts'
import { isForward } from './rules.ts'
import { interfaceOfUser, isDynamic, sameName, takes } from './zones.ts'

export interface NftSet {
  readonly name: string
  /** The elements that a session stands for; none where it does not belong. */
  elementOf(session: NftSession): string | undefined
  readonly declaration: string
  /** A map to one session: the latest. */
  readonly latest: boolean
}

/** The set of a dynamic interface's sessions, or undefined where all sessions are that one's. */
export function zoneSet(input: NftablesInput, interfaceName: string): string | undefined {
  const names = dynamicNames(input)
  return names.length > 1 ? `zone_${names.findIndex(n => sameName(n, interfaceName))}` : undefined
}

function dynamicNames(input: NftablesInput): string[] {
  const names: string[] = []
  for (const p of input.firewall.policies) {
    for (const i of p.interfaces) if (isDynamic(i.name) && !names.some(n => sameName(n, i.name))) names.push(i.name)
  }
  return names
}

/** The set of the sessions that a rule with USER or GROUP is about. */
export function audienceSet(input: NftablesInput, rule: FirewallRule): string | undefined {
  return rule.user === undefined && rule.group === undefined ? undefined : `who_${ruleName(input, rule)}`
}

/** The map that says where a forward to a user goes. */
export function forwardMap(input: NftablesInput, rule: FirewallRule): string {
  return `to_${ruleName(input, rule)}`
}

function ruleName(input: NftablesInput, rule: FirewallRule): string {
  return `${input.firewall.policies.findIndex(p => p.rules.includes(rule))}_${rule.number}`
}

export function nftSets(input: NftablesInput): NftSet[] {
  const zones = dynamicNames(input).flatMap(name => {
    const set = zoneSet(input, name)
    if (set === undefined) return []
    const belongs = (s: NftSession) => sameName(interfaceOfUser(input.firewall, s.user) ?? '', name)
    return [addressSet(set, belongs)]
  })
  const rules = input.firewall.policies.flatMap(policy =>
    policy.rules.flatMap(rule => {
      const set = audienceSet(input, rule)
      if (set === undefined) return []
      const group = policy.dynamics.find(d => d.name === rule.group)
      const belongs = (s: NftSession) =>
        (rule.user === undefined || rule.user === s.user) &&
        (rule.group === undefined || (group !== undefined && takes(group, s.user)))
      return [addressSet(set, belongs), ...(isUserForward(rule) ? [targetMap(input, rule, belongs)] : [])]
    }),
  )
  return [...zones, ...rules]
}

/** A forward whose address is that of a user's session. */
export function isUserForward(rule: FirewallRule): boolean {
  return rule.ip === undefined && rule.user !== undefined && isForward(rule)
}

function addressSet(name: string, belongs: (s: NftSession) => boolean): NftSet {
  return {
    name,
    latest: false,
    declaration: `set ${name} { type ipv4_addr; }`,
    elementOf: s => (belongs(s) ? formatIpv4(s.address) : undefined),
  }
}

function targetMap(input: NftablesInput, rule: FirewallRule, belongs: (s: NftSession) => boolean): NftSet {
  const port = targetPort(rule)
  const name = forwardMap(input, rule)
  const protocols = rule.protocol === undefined ? [IpProtocol.Tcp, IpProtocol.Udp] : [rule.protocol]
  const target = (address: Ipv4) => `${formatIpv4(address)}${port === undefined ? '' : ` . ${port}`}`
  return {
    name,
    latest: true,
    declaration: `map ${name} { type inet_proto : ipv4_addr${port === undefined ? '' : ' . inet_service'}; }`,
    elementOf: s => (belongs(s) ? protocols.map(p => `${p} : ${target(s.address)}`).join(', ') : undefined),
  }
}

/** The port that a forward changes to, or undefined where it stays. */
export function targetPort(rule: FirewallRule): number | undefined {
  const { port, globalPort } = rule
  if (port === undefined || globalPort === undefined || sameStart(port, globalPort)) return undefined
  return port.first
}

function sameStart(a: PortRange, b: PortRange): boolean {
  return a.first === b.first
}

/** The declarations, as the table's first lines. */
export function setLines(input: NftablesInput): string[] {
  return nftSets(input).map(s => s.declaration)
}

/** Commands that fill the sets with the sessions that are there. */
export function fillSets(input: NftablesInput, table: string): string[] {
  return nftSets(input).flatMap(set => fill(set, input.sessions ?? [], table))
}

function fill(set: NftSet, sessions: readonly NftSession[], table: string): string[] {
  const elements = sessions.flatMap(s => set.elementOf(s) ?? [])
  const used = set.latest ? elements.slice(-1) : elements
  return used.length === 0 ? [] : [`add element ${table} ${set.name} { ${used.join(', ')} }`]
}

/** Commands for a session that came (`sessions` has it, as the last) or went (`sessions` has not). */
export function changeSets(input: NftablesInput, table: string, session: NftSession, came: boolean): string[] {
  return nftSets(input).flatMap(set => {
    const element = set.elementOf(session)
    if (element === undefined) return []
    if (set.latest) return [`flush map ${table} ${set.name}`, ...fill(set, input.sessions ?? [], table)]
    const add = `add element ${table} ${set.name} { ${element} }`
    // Adding what is there is no error, deleting what is not is one.
    return came ? [add] : [add, `delete element ${table} ${set.name} { ${element} }`]
  })
}
