/** What the responder shows of itself, as plain data: SHOW ISAKMP SA, EXCHANGE and COUNTER are printed from this. */

import type { Millis } from '../machine.ts'
import { Secret, toHex } from '../packet/bytes.ts'
import type { Endpoint } from '../packet/ip.ts'
import type { Context } from './context.ts'
import type { ChildSa } from './effects.ts'
import type { MainModes } from './main-mode-exchanges.ts'
import { natText } from './nat.ts'
import type { Peers } from './peers.ts'
import type { Phase1Suite } from './policy.ts'
import type { QuickModes } from './quick-mode-exchanges.ts'
import { isEstablished } from './state.ts'

export interface IsakmpSaSnapshot {
  readonly id: number
  readonly peer: number
  readonly peerAddress: Endpoint
  readonly local: Endpoint
  /** Sixteen hexadecimal digits. */
  readonly initiatorCookie: string
  readonly responderCookie: string
  readonly policy: string
  readonly suite: Phase1Suite
  readonly established: Millis
  readonly expires: Millis
  readonly identity: string
  readonly nat: 'none' | 'client' | 'server' | 'both'
  /** The NAT traversal flavour, e.g. `rfc3947`; undefined for none. */
  readonly natFlavour: string | undefined
  /** What the first message told of the sender. */
  readonly client: string
}

/** Every state that SHOW knows; a responder is only ever in some of them. */
export type MainModeStateName = 'IDLE' | 'SASENT' | 'SARECV' | 'KESENT' | 'KERECV' | 'AUTHSENT' | 'AUTHRECV' | 'UP'
export type QuickModeStateName =
  | 'STARTING'
  | 'WAIT_HASH_SA_NONCE'
  | 'WAIT_HASH'
  | 'RECEIVING_MESSAGE'
  | 'SENDING_HASH_SA_NONCE'
  | 'SENDING_HASH'
  | 'DONE'

export interface ExchangeSnapshot {
  readonly id: number
  readonly phase: 1 | 2
  readonly type: 'main' | 'quick'
  readonly state: MainModeStateName | QuickModeStateName
  readonly peerAddress: Endpoint
  readonly local: Endpoint
  readonly policy: string
  readonly started: Millis
}

export type ChildSnapshot = ChildSa & {
  readonly established: Millis
  readonly expires: Millis
  /** Whether the third message, or an ESP packet in its stead, has come. */
  readonly complete: boolean
}

export interface IkeSnapshot {
  readonly sas: readonly IsakmpSaSnapshot[]
  readonly exchanges: readonly ExchangeSnapshot[]
  readonly children: readonly ChildSnapshot[]
  readonly counters: Readonly<Record<string, number>>
}

export interface Phase1Key {
  /** Sixteen hexadecimal digits. */
  readonly initiatorCookie: string
  readonly encryptionKey: Secret
}

export function takeSnapshot(
  context: Context,
  peers: Peers,
  mainModes: MainModes,
  quickModes: QuickModes,
): IkeSnapshot {
  const sas: IsakmpSaSnapshot[] = []
  for (const p of context.phase1s.values()) {
    if (!isEstablished(p) || p.state.sa.retired) continue
    const { sa } = p.state
    sas.push({
      id: p.id,
      peer: sa.peer.id,
      peerAddress: sa.peer.place.remote,
      local: sa.peer.place.local,
      initiatorCookie: toHex(p.start.initiatorCookie),
      responderCookie: toHex(p.start.responderCookie),
      policy: p.start.policy.name,
      suite: p.start.suite,
      established: sa.established,
      expires: sa.expires,
      identity: sa.identity,
      nat: natText(sa.keys.nat),
      natFlavour: p.start.natFlavour,
      client: p.start.client,
    })
  }
  const exchanges: ExchangeSnapshot[] = []
  for (const p of mainModes.halfOpen())
    exchanges.push({
      id: p.id,
      phase: 1,
      type: 'main',
      state: p.state.name,
      peerAddress: p.place.remote,
      local: p.place.local,
      policy: p.start.policy.name,
      started: p.startedAt,
    })
  for (const { peer, child, quickMode } of quickModes.pending())
    exchanges.push({
      id: quickMode.id,
      phase: 2,
      type: 'quick',
      state: quickMode.state,
      peerAddress: peer.place.remote,
      local: peer.place.local,
      policy: child.sa.policy,
      started: child.established,
    })
  const children: ChildSnapshot[] = []
  for (const peer of peers.byId.values())
    for (const child of peer.children.values())
      children.push({
        ...child.sa,
        local: peer.place.local.address,
        remote: peer.place.remote,
        established: child.established,
        expires: child.expires,
        complete: child.quickMode === undefined,
      })
  return { sas, exchanges, children, counters: Object.fromEntries(context.counters) }
}

/** The encryption keys of every phase 1, for an operator who asks to read a capture. */
export function takeKeys(context: Context): Phase1Key[] {
  const keys: Phase1Key[] = []
  for (const p of context.phase1s.values()) {
    const made = p.state.name === 'SASENT' ? undefined : p.state.name === 'KESENT' ? p.state.keys : p.state.sa.keys
    if (made)
      keys.push({
        initiatorCookie: toHex(p.start.initiatorCookie),
        encryptionKey: new Secret(made.protection.key),
      })
  }
  return keys
}
