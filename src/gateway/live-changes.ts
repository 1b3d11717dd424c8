/**
 * What a change of the configuration ends at once: sessions of users who are gone, and peers whose policies are. Everything
 * else goes on as it was agreed; what is new holds from the next login, call or negotiation on.
 */

import type { Control } from './control.ts'
import { l2tpConfig } from './translate.ts'

/** Ends what could not be under the configuration that control has now. */
export function endOutdated(c: Control): void {
  const serves = l2tpConfig(c.configuration).enabled
  for (const [id, s] of [...c.sessions.all]) {
    const user = s.admission?.kind === 'accepted' ? s.admission.user : ''
    if (!serves) c.closeSession(id, 'L2TP is disabled')
    else if (user !== '' && !c.residents.knows(user)) c.closeSession(id, `user ${user} is deleted or disabled`)
  }
  const gone = gonePolicies(c)
  for (const [id, p] of [...c.peers.all]) {
    const why = gone(p.policy, p.ipsecPolicy)
    if (why !== undefined) hangUp(c, id, why)
  }
}

/** Ends a peer with all it has. Its sessions hear good-bye first: not every policy sends DELETEs. */
export function hangUp(c: Control, peer: number, reason: string): void {
  for (const [id, s] of [...c.sessions.all]) if (s.ids.peer === peer) c.closeSession(id, reason)
  c.closePeer(peer, reason)
}

/** Tells why a peer of these two policies cannot stay; undefined where it can. */
function gonePolicies(c: Control): (isakmp: string, ipsec: string) => string | undefined {
  const { ipsec, isakmp } = c.configuration
  const isakmpNames = new Set(isakmp.policies.map(p => p.name.toLowerCase()))
  const ipsecNames = new Set(ipsec.policies.filter(p => p.action === 'ipsec').map(p => p.name.toLowerCase()))
  return (isakmpPolicy, ipsecPolicy) => {
    if (!ipsec.enabled) return 'IPsec is disabled'
    if (!isakmp.enabled) return 'ISAKMP is disabled'
    if (!isakmpNames.has(isakmpPolicy.toLowerCase())) return `ISAKMP policy "${isakmpPolicy}" is gone`
    // Before its first SA a peer is under no IPsec policy.
    if (ipsecPolicy !== '' && !ipsecNames.has(ipsecPolicy.toLowerCase())) return `IPsec policy "${ipsecPolicy}" is gone`
    return undefined
  }
}
