/** A firewall rule's fields in the words of nft(8). */

import { formatIpv4, IpProtocol } from '../packet/ip.ts'
import type { AddressRange, FirewallRule, PortRange } from './policy.ts'
import { joinRanges } from './ranges.ts'
import { isLimited } from './rules.ts'

/** `10.0.0.1` or `10.0.0.1-10.0.0.9`. */
export function range(r: AddressRange): string {
  return r.first === r.last ? formatIpv4(r.first) : `${formatIpv4(r.first)}-${formatIpv4(r.last)}`
}

export function ports(r: PortRange): string {
  return r.first === r.last ? String(r.first) : `${r.first}-${r.last}`
}

/** A device or table name in quotes. Throws RangeError where it can be none, so that no name becomes a command. */
export function device(name: string): string {
  if (!/^[^\s"'\\/{};]{1,15}$/.test(name)) throw new RangeError(`not a network device's name: ${JSON.stringify(name)}`)
  return `"${name}"`
}

/** A line for what entered by one of these devices: one name is compared, several are looked up. */
export function byEntrance(ways: readonly { readonly device: string; readonly chain: string }[]): string {
  if (ways.length === 1) return `  iifname ${device(ways[0]!.device)} goto ${ways[0]!.chain}`
  return `  iifname vmap { ${ways.map(w => `${device(w.device)} : goto ${w.chain}`).join(', ')} }`
}

/** Ranges as an anonymous set; overlapping ones are joined, since nft wants them apart. */
export function ranges(list: readonly AddressRange[]): string {
  return `{ ${joinRanges(list).map(range).join(', ')} }`
}

/** What of a rule needs to be looked up. */
export interface MatchContext {
  /** The addresses of the rule's LIST. */
  readonly list?: readonly AddressRange[] | undefined
  /** The Ethernet addresses of the rule's LIST: the sender's. */
  readonly hardware?: readonly string[] | undefined
  /** The set of the sessions that its USER or GROUP is about. */
  readonly who?: string | undefined
}

/**
 * What a rule matches, as the packet stands where private addresses are private: behind destination translation, before
 * source translation. `privateIsSource` for rules on a private interface. Empty where it matches everything.
 */
export function matchOf(rule: FirewallRule, privateIsSource: boolean, c: MatchContext = {}, forwarded = false): string {
  const inner = rule.ip ?? (privateIsSource || (forwarded && rule.user !== undefined) ? undefined : rule.globalIp)
  const port = rule.port ?? (privateIsSource ? undefined : rule.globalPort)
  const [near, far] = privateIsSource ? ['saddr', 'daddr'] : ['daddr', 'saddr']
  // REVERSE: outward behind the translation of far hosts' names, inward before it.
  const remote = rule.natType === 'reverse' ? rule.globalRemoteIp : rule.remoteIp
  return join(
    // What the script can speak of is IPv4.
    'meta nfproto ipv4',
    inner && `ip ${near} ${range(inner)}`,
    remote && `ip ${far} ${range(remote)}`,
    c.list && `ip ${far} ${ranges(c.list)}`,
    c.hardware && `ether saddr { ${c.hardware.join(', ')} }`,
    c.who && `ip ${near} @${c.who}`,
    ...transport(rule.protocol, port, rule.sourcePort),
    // Only what came by the global values: the private ones may be reachable from outside, too.
    forwarded && rule.globalIp && `ct original ip daddr ${range(rule.globalIp)}`,
    forwarded && isLimited(port) && isLimited(rule.globalPort) && `ct original proto-dst ${ports(rule.globalPort)}`,
  )
}

/** What a translating rule on a public interface matches: the packet as it arrives, with its global values. */
export function globalMatchOf(rule: FirewallRule, c: MatchContext, ownAddress: number | undefined): string {
  const address = rule.globalIp ?? (ownAddress ? { first: ownAddress, last: ownAddress } : undefined)
  return join(
    'meta nfproto ipv4',
    address && `ip daddr ${range(address)}`,
    rule.remoteIp && `ip saddr ${range(rule.remoteIp)}`,
    c.list && `ip saddr ${ranges(c.list)}`,
    c.hardware && `ether saddr { ${c.hardware.join(', ')} }`,
    ...transport(rule.protocol, rule.globalPort ?? rule.port, rule.sourcePort),
  )
}

function transport(protocol: number | undefined, destination: PortRange | undefined, source: PortRange | undefined) {
  const limited = isLimited(destination) || isLimited(source)
  if (!limited) return [protocol === undefined ? undefined : `meta l4proto ${protocol}`]
  // A rule with ports means whatever has ports: of PROTOCOL=ALL that, and of a protocol without any nothing.
  const ported = protocol === IpProtocol.Tcp || protocol === IpProtocol.Udp
  return [
    protocol !== undefined && `meta l4proto ${protocol}`,
    !ported && `meta l4proto { ${IpProtocol.Tcp}, ${IpProtocol.Udp} }`,
    isLimited(destination) && `th dport ${ports(destination)}`,
    isLimited(source) && `th sport ${ports(source)}`,
  ]
}

export function join(...parts: (string | false | undefined)[]): string {
  return parts.filter(p => p !== undefined && p !== false && p !== '').join(' ')
}
