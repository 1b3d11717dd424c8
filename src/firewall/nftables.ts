/**
 * The firewall policy as one nftables table of our own, for what the kernel itself receives or forwards on the devices
 * that the site maps to AlliedWare's interfaces. What sessions send and receive is judged in the workers (filter.ts).
 *
 * Only packets that enter by a public device are ever dropped, and only when the script enables the firewall; forwards
 * that touch none of our devices, and every other table, are left alone. In `forward` a packet on its way to a session
 * is let through only as an answer or by a rule, as the worker will judge it again. Rules with ENCAPSULATION=IPSEC open
 * nothing here: L2TP that came through IPsec never reaches the kernel, and clear L2TP on a public device is dropped.
 */

import { formatIpv4, IpProtocol } from '../packet/ip.ts'
import { entranceChains } from './nft-entrances.ts'
import { fragmentChain } from './nft-fragments.ts'
import type { NftablesInput, NftSession } from './nft-input.ts'
import { ipsecOutChains, type PlacedList, placedLists } from './nft-ipsec.ts'
import { limitLines, limitSets } from './nft-limits.ts'
import { byEntrance, device, join, matchOf, ranges } from './nft-match.ts'
import { destinationNat, sourceNat } from './nft-nat.ts'
import { Notes } from './nft-notes.ts'
import { bySessions, contextOf, deviceOf, isPrivate, type Place, places, publicPlaces, rulesOf } from './nft-places.ts'
import { changeSets, fillSets, setLines } from './nft-sets.ts'
import { timeoutChain } from './nft-timeouts.ts'
import {
  type Firewall,
  type FirewallPolicy,
  type FirewallRule,
  ICMP_KINDS,
  type IcmpKind,
  type IpOptionKind,
} from './policy.ts'
import { isForward } from './rules.ts'
import { isDynamic, relate, sameName } from './zones.ts'

export type { NftablesInput, NftSession } from './nft-input.ts'

/** L2TP (RFC 2661 section 8.1). */
const L2TP_PORT = 1701

/** Text for `nft -f -` that makes the table, or makes it anew, in one transaction. Undefined where none is needed. */
export function nftablesTable(input: NftablesInput): string | undefined {
  const chains = chainsOf(
    input,
    placedLists(input.ipsec ?? [], name => deviceOf(input, name)),
  )
  if (chains.length === 0) return undefined
  const table = tableOf(input.tableName)
  return [
    `table ${table}`,
    `delete table ${table}`,
    `table ${table} {`,
    ...[...setLines(input), ...chains].map(line => (line === '' ? '' : `  ${line}`)),
    '}',
    ...fillSets(input, table),
    '',
  ].join('\n')
}

/**
 * Text for `nft -f -` that takes a session into the table's sets (`input.sessions` has it, as the last) or out of them.
 * Undefined where nothing in the table depends on it.
 */
export function nftablesSession(input: NftablesInput, session: NftSession, came: boolean): string | undefined {
  const lines = changeSets(input, tableOf(input.tableName), session, came)
  // Most tables have no set that a session belongs to: to ask that is cheap, and the other is not.
  if (lines.length === 0 || chainsOf(input).length === 0) return undefined
  return `${lines.join('\n')}\n`
}

/** Without `lists`: the firewall's, or none where it is off. */
function chainsOf(input: NftablesInput, lists: readonly PlacedList[] = []): string[] {
  const guarded = input.firewall.enabled && input.firewall.policies.length > 0
  const notes = new Notes(input.logGroup)
  const outside = guarded ? publicPlaces(input) : []
  const chains = [...entranceChains(input, outside, lists, notes), ...ipsecOutChains(input, lists)]
  if (!guarded) return chains
  chains.push(
    ...fragmentChain(input, outside, notes.pieces(outside)),
    ...untracked(input, outside),
    ...inputChains(input, outside, notes),
    ...timeoutChain(input),
    ...forwardChains(input, notes),
    ...destinationNat(input, outside),
    ...sourceNat(input),
  )
  return [...limitSets(input), ...notes.limits, ...chains, ...notes.chains]
}

/** Text for `nft -f -` that removes the table, whether it is there or not. */
export function nftablesDelete(tableName: string): string {
  const table = tableOf(tableName)
  return `table ${table}\ndelete table ${table}\n`
}

/**
 * What an operator should read at start: by which devices new connections to this host are now refused. Undefined where
 * nothing is.
 */
export function nftablesNotice(input: NftablesInput): string | undefined {
  if (chainsOf(input).length === 0) return undefined
  const names = publicPlaces(input).map(p => `${p.name} (${p.device})`)
  if (names.length === 0) return undefined
  return (
    `the firewall refuses new connections to this host that come in by ${names.join(', ')}, unless a rule allows them; ` +
    'connections that are up stay up'
  )
}

function tableOf(name: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name)) throw new RangeError(`not a table's name: ${JSON.stringify(name)}`)
  return `inet ${name}`
}

/** The kernel does not track our own IKE and ESP either: for what comes see nft-entrances.ts. */
function untracked(input: NftablesInput, outside: readonly Place[]): string[] {
  const known = outside.filter(p => p.own.length > 0)
  if (known.length === 0) return []
  return [
    'chain untracked {',
    '  type filter hook output priority raw; policy accept;',
    ...known.map(
      p => `  ip saddr ${set(p.own.map(formatIpv4))} udp sport ${set(input.ports)} oifname ${device(p.device)} notrack`,
    ),
    '}',
  ]
}

function set(values: readonly (string | number)[]): string {
  return `{ ${values.join(', ')} }`
}

/** What comes to this host itself by a public device. */
function inputChains(input: NftablesInput, outside: readonly Place[], notes: Notes): string[] {
  if (outside.length === 0) return []
  const jumps = outside.map((p, i) => `  iifname ${device(p.device)} jump self_${i}`)
  return [
    'chain input {',
    '  type filter hook input priority filter; policy accept;',
    ...jumps,
    '}',
    ...outside.flatMap((p, i) => [
      `chain self_${i} {`,
      '  # L2TP is heard only through our own IPsec.',
      `  udp dport ${L2TP_PORT} ${notes.drop(0, p.name, '')}`,
      ...(p.own.length > 0
        ? [
            '  # IKE and ESP to us are not tracked, so nothing before the rules says anything of them.',
            `  ip daddr ${set(p.own.map(formatIpv4))} udp dport ${set(input.ports)} goto self_new_${i}`,
          ]
        : []),
      '  # What is up stays up, though this table may be younger; a bare SYN always asks the rules.',
      '  tcp flags & (fin | syn | rst | ack) == ack accept',
      `  tcp flags & (syn | ack) == syn goto self_new_${i}`,
      '  ct state established,related accept',
      '  # Path MTU discovery also for what is not tracked, and what IPv4 and IPv6 links cannot do without.',
      '  icmp type { destination-unreachable, time-exceeded, parameter-problem } accept',
      '  icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept',
      '  icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept',
      '  udp sport 67 udp dport 68 accept',
      `  goto self_new_${i}`,
      '}',
      `chain self_new_${i} {`,
      ...limitLines(input, policiesOf(input.firewall, p.name), p.name, [''], false, notes),
      ...rulesOf(input.firewall.policies, p.name)
        .filter(meansGateway)
        .map(r => ruleLine(input, r, false, isOwn(input, r) ? undefined : noted(notes, p.name, ''))),
      ...(answersPing(input.firewall, p.name) ? ['  icmp type echo-request accept'] : []),
      ...(passesAll(input.firewall, p.name)
        ? [...notes.passing(p.name, ''), '  accept']
        : [
            '  # The daemon itself: IKE, and ESP with and without NAT traversal.',
            `  udp dport ${set(input.ports)} accept`,
            `  meta l4proto ${IpProtocol.Esp} accept`,
            `  counter ${notes.drop(0, p.name, '')} comment "${deniedComment(p.name)}"`,
          ]),
      '}',
    ]),
  ]
}

/** What comes to the ports of the daemon itself is too much to tell of, and not tracked. */
function isOwn({ ports }: NftablesInput, { port }: FirewallRule): boolean {
  return port !== undefined && port.first === port.last && ports.includes(port.first)
}

function policiesOf(firewall: Firewall, name: string): FirewallPolicy[] {
  return firewall.policies.filter(p => p.interfaces.some(i => sameName(i.name, name)))
}

function passesAll(firewall: Firewall, name: string): boolean {
  return firewall.policies.some(p => p.interfaces.some(i => sameName(i.name, name) && i.method === 'passall'))
}

/** A forward to a user is for nobody else, and a private rule's REVERSE is not about this host. */
function meansGateway(rule: FirewallRule): boolean {
  return rule.user === undefined && rule.group === undefined
}

function answersPing(firewall: Firewall, name: string): boolean {
  return firewall.policies.some(p => p.ping && p.interfaces.some(i => sameName(i.name, name) && i.type === 'public'))
}

/** Where nft counts what a rule decided: its line's comment. */
export function ruleComment(policy: string, rule: number): string {
  return `rule ${policy} ${rule}`
}

/** The comment of what no rule let in by an interface. */
export function deniedComment(name: string): string {
  return `denied in ${name}`
}

/** How a rule's decision is told of, or undefined where it is not. */
type Noted = (rule: FirewallRule) => string

function noted(notes: Notes, from: string, to: string): Noted {
  return ({ action, number }) => (action === 'deny' ? notes.drop(number, from, to) : notes.accept(number, from, to))
}

function ruleLine(
  input: NftablesInput,
  rule: FirewallRule,
  privateIsSource: boolean,
  tell?: Noted,
  forwarded = false,
  counted = true,
): string {
  const verdict = tell?.(rule) ?? (rule.action === 'deny' ? 'drop' : 'accept')
  const translated = forwarded && isForward(rule) && !privateIsSource
  const match = matchOf(rule, privateIsSource, contextOf(input, rule), translated)
  const policy = input.firewall.policies.find(p => p.rules.includes(rule))?.name ?? ''
  return `  ${join(match, 'counter', verdict, counted && `comment "${ruleComment(policy, rule.number)}"`)}`
}

const ICMP_TYPES: Readonly<Record<IcmpKind, string>> = {
  parameter: 'parameter-problem',
  ping: 'echo-request, echo-reply',
  sourcequench: 'source-quench',
  timeexceeded: 'time-exceeded',
  timestamp: 'timestamp-request, timestamp-reply',
  unreachable: 'destination-unreachable',
}

/** What a policy does not forward. Fragments are together again by now; of options nft has words for these two. */
function notForwarded(policies: readonly FirewallPolicy[], drop: string): string[] {
  const types = ICMP_KINDS.filter(kind => policies.some(p => !p.icmpForwarding.includes(kind))).map(k => ICMP_TYPES[k])
  const missing = (kind: IpOptionKind) => policies.some(p => !p.ipOptions.includes(kind))
  return [
    ...(types.length > 0 ? [`  icmp type { ${types.join(', ')} } counter ${drop}`] : []),
    ...(missing('record_route') ? [`  ip option rr exists counter ${drop}`] : []),
    ...(missing('router_alert') ? [`  ip option ra exists counter ${drop}`] : []),
  ]
}

/** What the kernel forwards between two devices of ours. */
function forwardChains(input: NftablesInput, notes: Notes): string[] {
  const all = places(input)
  /** By device of entry: several interfaces may be one device. */
  const jumps = new Map<string, string[]>()
  const toSessions: string[] = []
  const chains: string[] = []
  let count = 0
  for (const from of all) {
    for (const to of [...all.map(p => ({ names: [p.name], device: p.device })), sessionsPlace(input)]) {
      if (to.names.length === 0 || to.device === from.device) continue
      const lines = betweenLines(input, from, to.names, notes)
      if (lines.length === 0) continue
      const chain = `between_${count++}`
      const ways = jumps.get(from.device) ?? []
      jumps.set(from.device, [...ways, `  oifname ${device(to.device)} jump ${chain}`])
      if (to.device === input.tunDevice) toSessions.push(`  iifname ${device(from.device)} jump ${chain}`)
      chains.push(`chain ${chain} {`, ...lines, '}')
    }
  }
  if (count === 0) return []
  const entrances = [...jumps].map(([from, ways], i) => ({ device: from, chain: `from_${i}`, ways }))
  return [
    'chain forward {',
    '  type filter hook forward priority filter; policy accept;',
    // To compare a name costs more than all else of a rule: what sessions send is done before, or looked up once.
    ...bySessions(input, 'iif', 'accept'),
    ...bySessions(input, 'oif', 'goto to_sessions'),
    byEntrance(entrances),
    '}',
    ...(input.tunIndex === undefined ? [] : ['chain to_sessions {', ...toSessions, '}']),
    ...entrances.flatMap(e => [`chain ${e.chain} {`, ...e.ways, '}']),
    ...chains,
  ]
}

/** The sessions, whichever dynamic interfaces they belong to: the kernel cannot tell those apart. */
function sessionsPlace(input: NftablesInput): { names: string[]; device: string } {
  const names = input.firewall.policies.flatMap(p => p.interfaces).filter(i => /^dyn-/i.test(i.name))
  return { names: [...new Set(names.map(i => i.name))], device: input.tunDevice }
}

function betweenLines(input: NftablesInput, from: Place, to: readonly string[], notes: Notes): string[] {
  const bases = to.map(name => relate(input.firewall, from.name, name))
  const policies = [...new Set(bases.map(b => b.policy).filter(p => p !== undefined))]
  // Towards the sessions the kernel grants what any of their zones is granted; their worker tells them apart.
  if (bases.some(b => b.relation === 'free')) return []
  const open = bases.some(b => b.relation === 'outward')
  const inside = isPrivate(input.firewall, from.name)
  // On the way to a session its worker counts what a rule decided; the kernel's count would be the second.
  const counted = !to.some(isDynamic)
  // Two interfaces of different policies: what the host does with them is not the script's.
  if (policies.length === 0) return []
  const drop = notes.drop(0, from.name, to[0]!)
  // Of what the kernel lets go on to a session its worker tells.
  const tell = noted(notes, from.name, to[0]!)
  const passing = counted ? notes.passing(from.name, to[0]!) : []
  const rules = rulesOf(policies, from.name).map(r =>
    ruleLine(input, r, inside, counted || r.action === 'deny' ? tell : undefined, true, counted),
  )
  const never = notForwarded(policies, drop)
  const limits = limitLines(input, policies, from.name, to, inside, notes)
  if (open && rules.length === 0) return [...never, ...limits, ...passing]
  const owned = input.owned ?? []
  return [
    // Their workers judge it, and translate.
    ...(owned.length > 0 && !inside ? [`  ip daddr ${ranges(owned)} accept`] : []),
    ...never,
    '  ct state established,related accept',
    // What is not asked for and answers nothing, and messages such as redirects.
    `  icmp type != { echo-request, timestamp-request } ${drop}`,
    ...limits,
    ...rules,
    ...(open ? passing : [`  counter ${drop} comment "${deniedComment(from.name)}"`]),
  ]
}
