/** A firewall rule's fields in the words of nft(8). */

import { formatIpv4, IpProtocol } from '../packet/ip.ts'
import type { AddressRange, FirewallRule, PortRange } from './policy.ts'

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

/**
 * What a rule matches, as the packet stands where private addresses are private: behind destination translation, before
 * source translation. `privateIsSource` for rules on a private interface. Empty where it matches everything.
 */
export function matchOf(rule: FirewallRule, privateIsSource: boolean): string {
  const inner = rule.ip ?? (privateIsSource ? undefined : rule.globalIp)
  const port = rule.port ?? (privateIsSource ? undefined : rule.globalPort)
  const [near, far] = privateIsSource ? ['saddr', 'daddr'] : ['daddr', 'saddr']
  return join(
    // What the script can speak of is IPv4.
    'meta nfproto ipv4',
    inner && `ip ${near} ${range(inner)}`,
    rule.remoteIp && `ip ${far} ${range(rule.remoteIp)}`,
    ...transport(rule.protocol, port, rule.sourcePort),
  )
}

/** What a translating rule on a public interface matches: the packet as it arrives, with its global values. */
export function globalMatchOf(rule: FirewallRule, ownAddress: number | undefined): string {
  const address = rule.globalIp ?? (ownAddress ? { first: ownAddress, last: ownAddress } : undefined)
  return join(
    'meta nfproto ipv4',
    address && `ip daddr ${range(address)}`,
    rule.remoteIp && `ip saddr ${range(rule.remoteIp)}`,
    ...transport(rule.protocol, rule.globalPort ?? rule.port, rule.sourcePort),
  )
}

function transport(protocol: number | undefined, destination: PortRange | undefined, source: PortRange | undefined) {
  const limited = isLimited(destination) || isLimited(source)
  if (!limited) return [protocol === undefined ? undefined : `meta l4proto ${protocol}`]
  // A rule with ports and PROTOCOL=ALL means whatever has ports.
  const protocols = protocol === undefined ? `{ ${IpProtocol.Tcp}, ${IpProtocol.Udp} }` : String(protocol)
  return [
    `meta l4proto ${protocols}`,
    isLimited(destination) && `th dport ${ports(destination)}`,
    isLimited(source) && `th sport ${ports(source)}`,
  ]
}

/** PORT=ALL is no limit, and a protocol without ports must not be asked for them. */
function isLimited(r: PortRange | undefined): r is PortRange {
  return r !== undefined && (r.first > 0 || r.last < 65535)
}

export function join(...parts: (string | false | undefined)[]): string {
  return parts.filter(p => p !== undefined && p !== false && p !== '').join(' ')
}
