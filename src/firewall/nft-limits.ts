/** Limit rules in nft's words: the kernel counts the connections of each source, and refuses a new one that is too many. */

import type { NftablesInput } from './nft-input.ts'
import { join, range } from './nft-match.ts'
import type { Notes } from './nft-notes.ts'
import type { FirewallPolicy, LimitRule } from './policy.ts'
import { sameName } from './zones.ts'

/** Devices that one rule counts at a time. */
const SET_SIZE = 65535

/** One set a rule, of whoever has connections under it. */
export function limitSets(input: NftablesInput): string[] {
  return input.firewall.policies.flatMap(p =>
    p.limitRules.map(r => `set ${setOf(input, p, r)} { type ipv4_addr; size ${SET_SIZE}; flags dynamic; }`),
  )
}

/** The lines for new connections between two interfaces (`to`: '' for this host). `outward`: the private side begins them. */
export function limitLines(
  input: NftablesInput,
  policies: readonly FirewallPolicy[],
  from: string,
  to: readonly string[],
  outward: boolean,
  notes: Notes,
): string[] {
  const [inside, outside] = outward ? ['saddr', 'daddr'] : ['daddr', 'saddr']
  return policies.flatMap(p =>
    p.limitRules
      .filter(({ interface: only }) => only === undefined || [from, ...to].some(name => sameName(name, only)))
      .map(r => {
        const match = join(
          // Its first packet: others of it are to pass, though nobody answered yet.
          'ct state new ct status & confirmed == 0 meta nfproto ipv4',
          r.ip && `ip ${inside} ${range(r.ip)}`,
          r.globalRemoteIp && `ip ${outside} ${range(r.globalRemoteIp)}`,
        )
        const count = `add @${setOf(input, p, r)} { ip saddr ct count over ${r.sessions} }`
        const verdict = notes.drop(r.number, from, to[0]!, 'limit')
        return `  ${match} ${count} counter ${verdict} comment "${limitComment(p.name, r.number)}"`
      }),
  )
}

/** Where nft counts what a limit rule refused: its lines' comment. */
export function limitComment(policy: string, rule: number): string {
  return `limit ${policy} ${rule}`
}

function setOf(input: NftablesInput, policy: FirewallPolicy, rule: LimitRule): string {
  return `limit_${input.firewall.policies.indexOf(policy)}_${rule.number}`
}
