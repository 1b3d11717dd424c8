/**
 * What is asked of packets where they enter by a device, before the kernel tracks them: whether they are IKE or ESP to this
 * gateway, whether their source can be there at all, and what the device's IPsec policies say. One chain for all of it, since
 * every packet of the host passes each chain of a hook, also what concerns no device of ours.
 */

import { formatIpv4, IpProtocol } from '../packet/ip.ts'
import type { NftablesInput } from './nft-input.ts'
import { listLines, type PlacedList } from './nft-ipsec.ts'
import { byEntrance } from './nft-match.ts'
import type { Notes } from './nft-notes.ts'
import { bySessions, isPrivate, type Place } from './nft-places.ts'

/** `outside`: the public devices, or none where the firewall is off. */
export function entranceChains(
  input: NftablesInput,
  outside: readonly Place[],
  lists: readonly PlacedList[],
  notes: Notes,
): string[] {
  const devices = [...new Set([...outside, ...lists].map(p => p.device))]
  if (devices.length === 0) return []
  return [
    'chain entrances {',
    // Behind what puts fragments together, before what tracks.
    '  type filter hook prerouting priority raw; policy accept;',
    ...(devices.includes(input.tunDevice) ? [] : bySessions(input, 'iif', 'accept')),
    byEntrance(devices.map((name, i) => ({ device: name, chain: `entrance_${i}` }))),
    '}',
    ...devices.flatMap((name, i) => {
      const policies = lists.filter(p => p.device === name).flatMap(p => listLines(p.list, 'in'))
      const done = policies.length > 0 ? `goto ipsec_in_${i}` : 'accept'
      return [
        `chain entrance_${i} {`,
        '  meta nfproto != ipv4 accept',
        ...outside.filter(p => p.device === name).flatMap(p => sourceLines(input, p, done, notes)),
        ...(policies.length > 0 ? [`  ${done}`] : []),
        '}',
        ...(policies.length > 0 ? [`chain ipsec_in_${i} {`, ...policies, '}'] : []),
      ]
    }),
  ]
}

/**
 * What cannot have come in by a public device: packets from an address of this host, from everybody, or from a network of our
 * private side.
 */
function sourceLines(input: NftablesInput, place: Place, done: string, notes: Notes): string[] {
  const known = input.interfaces.filter(i => i.address !== 0 && i.mask !== 0)
  const inside = known.filter(i => isPrivate(input.firewall, i.name))
  const there = known.filter(i => i.name.toLowerCase() === place.name.toLowerCase())
  const networks = inside.filter(i => !there.some(t => meets(i, t)))
  const verdict = notes.drop(0, place.name, '', 'spoof')
  const ports = `udp dport { ${input.ports.join(', ')} }`
  return [
    // The many: they prove themselves whom they come from. To track them costs time for each, and floods fill the kernel's table.
    place.own.length > 0
      ? `  ip daddr { ${place.own.map(formatIpv4).join(', ')} } ${ports} notrack ${done}`
      : `  ${ports} ${done}`,
    `  ip protocol ${IpProtocol.Esp} ${done}`,
    `  ip saddr != 0.0.0.0 fib saddr type { local, broadcast, multicast } counter ${verdict}`,
    ...networks.map(
      n => `  ip saddr & ${formatIpv4(n.mask)} == ${formatIpv4((n.address & n.mask) >>> 0)} counter ${verdict}`,
    ),
  ]
}

type Network = NftablesInput['interfaces'][number]

function meets(a: Network, b: Network): boolean {
  const mask = a.mask & b.mask
  return (a.address & mask) === (b.address & mask)
}
