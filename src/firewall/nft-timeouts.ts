/**
 * A policy's timeouts for connections that the kernel tracks. Only those that the script set are said: what the kernel has
 * by itself needs no support of its.
 */

import { Timeout } from './constants.ts'
import type { NftablesInput } from './nft-input.ts'
import { device } from './nft-match.ts'
import { devicesOf } from './nft-places.ts'
import { FIREWALL_DEFAULTS, type FirewallPolicy } from './policy.ts'

/** One timeout object, and which first packets get it on their way outward and inward. */
interface KernelTimeout {
  readonly name: string
  readonly protocol: 'tcp' | 'udp'
  readonly states: string
  readonly outward: string
  readonly inward: string
}

/** The objects and the chain that hands them out; before the chains that let packets pass, so that these may end the search. */
export function timeoutChain(input: NftablesInput): string[] {
  const { policies } = input.firewall
  const lines: string[] = []
  const objects: string[] = []
  for (const [i, policy] of policies.entries()) {
    const inside = devicesOf(input, policy, 'private').map(device).join(', ')
    const outside = devicesOf(input, policy, 'public').map(device).join(', ')
    if (inside === '' || outside === '') continue
    for (const t of timeoutsOf(policy, i)) {
      objects.push(
        `ct timeout ${t.name} {`,
        `  protocol ${t.protocol};`,
        '  l3proto ip;',
        `  policy = ${t.states};`,
        '}',
      )
      const set = `ct timeout set "${t.name}"`
      lines.push(`  iifname { ${inside} } oifname { ${outside} } ct state new ${t.outward} ${set}`)
      lines.push(`  iifname { ${outside} } oifname { ${inside} } ct state new ${t.inward} ${set}`)
    }
  }
  if (lines.length === 0) return []
  return [
    ...objects,
    'chain timeouts {',
    '  type filter hook forward priority filter - 5; policy accept;',
    ...lines,
    '}',
  ]
}

/** What is said of a port stands last, and so has the last word. */
function timeoutsOf(p: FirewallPolicy, number: number): KernelTimeout[] {
  const out: KernelTimeout[] = []
  if (p.tcpTimeoutSeconds !== FIREWALL_DEFAULTS.tcpTimeoutSeconds) {
    const match = 'meta l4proto tcp'
    const states = `{ established : ${p.tcpTimeoutSeconds} }`
    out.push({ name: `tcp_${number}`, protocol: 'tcp', states, outward: match, inward: match })
  }
  if (p.udpTimeoutSeconds !== FIREWALL_DEFAULTS.udpTimeoutSeconds) {
    const match = 'meta l4proto udp'
    const unproven = Math.min(p.udpTimeoutSeconds, Timeout.udpUnproven / 1000)
    const states = `{ unreplied : ${unproven}, replied : ${p.udpTimeoutSeconds} }`
    out.push({ name: `udp_${number}`, protocol: 'udp', states, outward: match, inward: match })
  }
  for (const { port, seconds = p.udpTimeoutSeconds } of p.udpPortTimeouts) {
    const states = `{ unreplied : ${seconds}, replied : ${seconds} }`
    const [outward, inward] = [`udp dport ${port}`, `udp sport ${port}`]
    out.push({ name: `udp_${number}_${port}`, protocol: 'udp', states, outward, inward })
  }
  return out
}
