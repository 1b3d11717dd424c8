/**
 * FRAGMENT and MAXFRAGMENTS for the kernel (RFC 791 section 3.2): before it puts fragments together, which is before any
 * rule that knows of connections.
 */

import { formatIpv4, IpProtocol } from '../packet/ip.ts'
import type { NftablesInput } from './nft-input.ts'
import { device } from './nft-match.ts'
import { devicesOf, type Place, places } from './nft-places.ts'
import { type FirewallPolicy, FRAGMENT_KINDS, type FragmentKind } from './policy.ts'

/** How long the fragments of one datagram are counted: less than a fast sender takes to come round with its identifications. */
const COUNTED_SECONDS = 2
const SET_SIZE = 65535
/** Names one datagram. */
const DATAGRAM = 'ip saddr . ip daddr . ip id . ip protocol'

const MATCHES: Readonly<Record<FragmentKind, string>> = {
  icmp: `ip protocol ${IpProtocol.Icmp}`,
  udp: `ip protocol ${IpProtocol.Udp}`,
  other: `ip protocol != { ${IpProtocol.Icmp}, ${IpProtocol.Udp} }`,
}

/** What a session sends has passed its worker before. `told`: the lines that tell of fragments, whatever becomes of them. */
export function fragmentChain(input: NftablesInput, outside: readonly Place[], told: readonly string[]): string[] {
  const { firewall } = input
  const counted = firewall.maxFragments
  const kinds = firewall.policies.flatMap(p => kindLines(input, p, outside))
  const entrances = places(input).map(p => device(p.device))
  const judges = entrances.length > 0 && (counted !== undefined || kinds.length > 0)
  if (!judges && told.length === 0) return []
  return [
    ...(counted === undefined || !judges
      ? []
      : [
          `set fragments { typeof ${DATAGRAM}; size ${SET_SIZE}; flags dynamic,timeout; timeout ${COUNTED_SECONDS}s; }`,
        ]),
    'chain fragments {',
    '  type filter hook prerouting priority -450; policy accept;',
    '  ip frag-off & 0x3fff == 0 accept',
    ...told,
    ...(judges ? [`  iifname != { ${entrances.join(', ')} } accept`] : []),
    // The bucket holds so many, and in its short life nothing comes after.
    ...(counted === undefined || !judges
      ? []
      : [`  add @fragments { ${DATAGRAM} limit rate over 1/hour burst ${counted} packets } counter drop`]),
    ...kinds,
    '}',
  ]
}

/** Fragments of the kinds that a policy does not let pass, between its private and its public side. */
function kindLines(input: NftablesInput, policy: FirewallPolicy, outside: readonly Place[]): string[] {
  const missing = FRAGMENT_KINDS.filter(kind => !policy.fragments.includes(kind))
  const ways = devicesOf(input, policy, 'public')
  if (missing.length === 0 || ways.length === 0) return []
  const inside = devicesOf(input, policy, 'private').filter(d => d !== input.tunDevice)
  const drops = (match: string) => missing.map(kind => `  ${match} ${MATCHES[kind]} counter drop`)
  return [
    // IKE and ESP to this host itself come in fragments, too: certificates are long.
    ...outside
      .filter(p => ways.includes(p.device) && p.own.length > 0)
      .map(
        p =>
          `  iifname ${device(p.device)} ip daddr { ${p.own.map(formatIpv4).join(', ')} } ip protocol { ${IpProtocol.Udp}, ${IpProtocol.Esp} } accept`,
      ),
    ...ways.flatMap(way => drops(`iifname ${device(way)}`)),
    ...inside.flatMap(from => drops(`iifname ${device(from)} fib daddr oifname { ${ways.map(device).join(', ')} }`)),
  ]
}
