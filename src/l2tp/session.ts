/** One call inside a tunnel, as an LNS sees it: waiting for its ICCN, then established (RFC 2661 section 7.4.2). */

import type { Millis } from '../machine.ts'

export type SessionState =
  /** ICRP was sent. */
  { readonly kind: 'waitConnect'; readonly until: Millis } | { readonly kind: 'established' }

export interface Session {
  /** Row number: unique in the gateway. */
  readonly session: number
  readonly localSessionId: number
  readonly remoteSessionId: number
  /** Call Serial Number AVP: Windows sends 0. */
  readonly serial: number | undefined
  readonly since: Millis
  state: SessionState
}

export interface SessionSnapshot {
  readonly session: number
  readonly localSessionId: number
  readonly remoteSessionId: number
  readonly state: SessionState['kind']
  readonly serial: number | undefined
  readonly since: Millis
}

export function snapshotSession(s: Session): SessionSnapshot {
  const { session, localSessionId, remoteSessionId, serial, since } = s
  return { session, localSessionId, remoteSessionId, state: s.state.kind, serial, since }
}
