/**
 * Which IPsec policy a Quick Mode falls under (RFC 2407 section 4.6.2, RFC 4301 section 4.4.1): the policies of the interface
 * in the order of their positions, against what the client asks to protect.
 */

import type { Ipv4 } from '../packet/ip.ts'
import { formatIdentity, type Identification } from './payload.ts'
import type { AddressRange, Phase2Policy } from './policy.ts'
import type { Place } from './state.ts'

const UDP = 17
const L2TP_PORT = 1701

/** What a Quick Mode would protect, and for whom. */
export interface Traffic {
  readonly place: Place
  /** Our address as the world knows it. */
  readonly ownAddress: Ipv4
  /** Name of the interface that the peer talks to; undefined where that is not known: then all are asked. */
  readonly interface: string | undefined
  readonly identityInitiator: Identification | undefined
  readonly identityResponder: Identification | undefined
  /** How the peer called itself in phase 1, and we ourselves. */
  readonly peerName: string
  readonly ownName: string | undefined
  /** Whether another peer than this has SAs under the policy. */
  readonly taken: (policy: string) => boolean
}

export type Selection =
  /** Those with ACTION=IPSEC that may be agreed to, best first. */
  | { readonly kind: 'protect'; readonly policies: readonly Phase2Policy[] }
  /** The first policy that matches is PERMIT or DENY. */
  | { readonly kind: 'clear'; readonly policy: Phase2Policy }
  /** PEERADDRESS=DYNAMIC serves one peer at a time. */
  | { readonly kind: 'taken'; readonly policy: Phase2Policy }
  | { readonly kind: 'none' }

export function selectPolicies(policies: readonly Phase2Policy[], t: Traffic): Selection {
  const protect: Phase2Policy[] = []
  let taken: Phase2Policy | undefined
  for (const p of policies) {
    if (!selects(p, t)) continue
    if (p.action !== 'ipsec') {
      if (protect.length === 0 && taken === undefined) return { kind: 'clear', policy: p }
      break
    }
    if (p.peer === 'dynamic' && t.taken(p.name)) taken ??= p
    else protect.push(p)
  }
  if (protect.length > 0) return { kind: 'protect', policies: protect }
  return taken === undefined ? { kind: 'none' } : { kind: 'taken', policy: taken }
}

function selects(p: Phase2Policy, t: Traffic): boolean {
  const { place, identityInitiator: idci, identityResponder: idcr } = t
  if (p.interface !== undefined && t.interface !== undefined && p.interface !== t.interface) return false
  if (typeof p.peer === 'number' && p.peer !== place.remote.address) return false
  // Any protocol or port at all means L2TP here: KB818043-less Windows asks for port 0, others for 1701.
  const protocol = idcr?.protocol || UDP
  const localPort = idcr?.port || L2TP_PORT
  return (
    fits(p.protocol, protocol) &&
    fits(p.localPort, localPort) &&
    fitsRemotePort(p, idci?.port ?? 0) &&
    (within(p.localAddress, place.local.address) || within(p.localAddress, t.ownAddress)) &&
    within(p.remoteAddress, place.remote.address) &&
    fitsName(p.remoteName, [t.peerName, idci && formatIdentity(idci)]) &&
    fitsName(p.localName, [t.ownName, idcr && formatIdentity(idcr)])
  )
}

function fits(wanted: number | undefined, actual: number): boolean {
  return wanted === undefined || wanted === actual
}

/** The initiator's port is its own business (Apple takes a random one) unless the policy names one; 0 leaves it open. */
function fitsRemotePort(p: Phase2Policy, port: number): boolean {
  return p.remotePort === undefined || p.remotePort === port || (port === 0 && p.action === 'ipsec')
}

function within(range: AddressRange | undefined, address: Ipv4): boolean {
  return range === undefined || (address >= range.first && address <= range.last)
}

function fitsName(wanted: string | undefined, names: readonly (string | undefined)[]): boolean {
  return wanted === undefined || names.some(n => n?.toLowerCase() === wanted.toLowerCase())
}
