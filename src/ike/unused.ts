/**
 * The client that makes pair after pair of ESP SAs and uses none: for each that it makes it deletes the last one, at the
 * pace of its L2TP retransmissions. So Windows behaves that takes its server for being behind a NAT and may not talk to
 * such: both phases succeed, and what we answer never reaches its L2TP.
 */

import type { Millis } from '../machine.ts'
import { type Context, type Failure, placeText } from './context.ts'
import type { Child, EstablishedPhase1 } from './state.ts'

/** A pair that the client deletes so soon was not used; L2TP asks again after 1, 2, 4 and 8 s, Windows' IKE after 7 to 10. */
const YOUNG_MILLIS = 20_000
const WINDOW_MILLIS = 90_000
/** So many of them, and another pair in their place, make the pattern. */
const ENOUGH = 2

/** What an ISAKMP SA has seen of it. */
export interface UnusedPairs {
  readonly deleted: { readonly at: Millis; readonly replaced: boolean }[]
  told: boolean
}

/** The client deleted a pair. */
export function pairDeleted(context: Context, phase1: EstablishedPhase1, child: Child): void {
  const { peer, unused } = phase1.state.sa
  if (context.now - child.established > YOUNG_MILLIS) return
  const replaced = [...peer.children.values()].some(c => c.established >= child.established && c !== child)
  unused.deleted.push({ at: context.now, replaced })
  while (unused.deleted[0] && context.now - unused.deleted[0].at > WINDOW_MILLIS) unused.deleted.shift()
  judgePairs(context, phase1)
}

/** After each new pair, and each that was deleted. */
export function judgePairs(context: Context, phase1: EstablishedPhase1): void {
  const { peer, unused, keys } = phase1.state.sa
  const newest = [...peer.children.values()].at(-1)
  if (unused.told || newest === undefined) return
  const nat = keys.nat.server && phase1.start.microsoft && context.config.publicAddress === undefined
  // One who dials again after each refusal of his password looks much the same, but hangs up before he does.
  const counted = unused.deleted.filter(d => (nat || d.replaced) && context.now - d.at <= WINDOW_MILLIS)
  if (counted.length < ENOUGH) return
  unused.told = true
  const exchange = newest.quickMode?.id ?? phase1.id
  context.failPhase2(exchange, peer.place, peer, nat ? serverNat(phase1) : unheard(phase1, newest))
}

function who(phase1: EstablishedPhase1): string {
  return `${placeText(phase1.state.sa.peer.place)} (${phase1.start.client})`
}

function serverNat(phase1: EstablishedPhase1): Failure {
  return {
    cause: 'server-nat',
    detail: `${who(phase1)} makes a new pair of ESP SAs every few seconds and deletes the last: it sees this gateway behind a NAT, and takes no L2TP from one`,
    remedy:
      'state "publicAddress" in the site file, or set AssumeUDPEncapsulationContextOnSendRule to 2 on the client and restart it',
  }
}

function unheard(phase1: EstablishedPhase1, newest: Child): Failure {
  const what = newest.sa.udpEncapsulated ? 'UDP port 4500' : 'IP protocol 50 (ESP)'
  return {
    cause: 'unheard',
    detail: `${who(phase1)} makes a new pair of ESP SAs every few seconds and deletes the last: our answers in ESP do not reach its L2TP`,
    remedy: `see that ${what} from this gateway reaches the client, and that no firewall on it blocks UDP port 1701`,
  }
}
