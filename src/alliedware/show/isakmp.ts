/** SHOW ISAKMP, its SA, EXCHANGE and POLICY: phase 1 as RFC 2408 and RFC 2409 name it. */

import { formatIpv4 } from '../../packet/ip.ts'
import type { IsakmpPolicyConfig } from '../config.ts'
import { type Column, dash, leaders, list, page, table, yesNo } from './layout.ts'
import type { IsakmpExchangeState, IsakmpSaState } from './state.ts'

/** SHOW ISAKMP. */
export interface IsakmpState {
  readonly enabled: boolean
  readonly listening: readonly string[]
  readonly policies: number
  readonly sas: number
  readonly exchanges: number
  /** The modes of debugging that are on, for anybody. */
  readonly debugging: readonly string[]
}

export function printIsakmp(s: IsakmpState): string {
  return page(
    'ISAKMP Module Configuration',
    '',
    leaders([
      ['Module Status', s.enabled ? 'ENABLED' : 'DISABLED'],
      ['Listening', s.listening],
      ['Policies', s.policies],
      ['SAs', s.sas],
      ['Exchanges', s.exchanges],
      ['Debugging', s.debugging.join(', ').toUpperCase() || 'NONE'],
    ]),
  )
}

const saColumns: readonly Column<IsakmpSaState>[] = [
  { head: 'SA Id', width: 7, text: s => s.id },
  { head: 'PeerAddress', width: 23, text: s => s.remote },
  { head: 'EncA.', width: 8, text: s => s.encryption.toUpperCase() },
  { head: 'HashA.', width: 8, text: s => s.hash.toUpperCase() },
  // Phase 1 has no life in bytes here and no soft limit: the client renews it.
  { head: 'Bytes', width: 7, text: () => '-/-/-' },
  { head: 'Seconds', width: 19, text: s => `${s.lifetimeSeconds}/-/${s.ageSeconds}` },
]

export function printIsakmpSas(sas: readonly IsakmpSaState[]): string {
  if (sas.length === 0) return 'No ISAKMP SAs.'
  const [head, ...rows] = table(saColumns, sas)
  return page(`${' '.repeat(head!.indexOf('Bytes'))}Expiry Limits - hard/soft/used`, head!, rows)
}

export function printIsakmpSa(s: IsakmpSaState): string {
  return page(
    leaders([
      ['SA Id', s.id],
      ['Initiator Cookie', s.initiatorCookie],
      ['Responder Cookie', s.responderCookie],
      ['Policy name', s.policy],
      ['Local Address', s.local],
      ['Remote Address', s.remote],
      ['Remote Identity', s.identity],
      ['Client', s.client],
      ['Peer', s.peer],
      ['Message Back-off', s.messageBackoff],
      ['Expiry Limit (seconds)', s.lifetimeSeconds],
      ['Seconds since creation', s.ageSeconds],
    ]),
    '',
    'SA Definition Information:',
    leaders([
      ['  Encryption Algorithm', s.encryption.toUpperCase()],
      ['  Hash Algorithm', s.hash.toUpperCase()],
      ['  Group', s.group],
    ]),
    '',
    'NAT-Traversal Information:',
    leaders([
      ['  Method', s.natTraversal],
      ['  Behind NAT', s.nat],
    ]),
  )
}

const exchangeColumns: readonly Column<IsakmpExchangeState>[] = [
  { head: 'Id', width: 7, text: e => e.id },
  { head: 'Phase', width: 7, text: e => e.phase },
  { head: 'State', width: 22, text: e => e.state },
  { head: 'PeerAddress', width: 17, text: e => e.peerAddress },
  { head: 'Type', width: 10, text: e => e.type },
]

export function printIsakmpExchanges(exchanges: readonly IsakmpExchangeState[]): string {
  return list('ISAKMP Exchanges', exchangeColumns, exchanges, 'No ISAKMP exchanges.')
}

/** SHOW ISAKMP EXCHANGE=id. */
export function printIsakmpExchange(e: IsakmpExchangeState): string {
  return page(
    'ISAKMP Exchange',
    '',
    leaders([
      ['Id', e.id],
      ['Type', e.type],
      ['State', e.state],
      ['Phase', e.phase],
      ['Policy', e.policy],
      ['Peer Address', e.peerAddress],
      ['Peer Port', e.peerPort],
      ['Local Address', e.local],
      ['Message Back-off', e.messageBackoff],
      ['Seconds since start', e.ageSeconds],
    ]),
  )
}

/** What the script leaves open is chosen from the client's offer. */
const orAuto = (text: string | number | undefined) => dash(text ?? 'auto').toUpperCase()

const policyColumns: readonly Column<IsakmpPolicyConfig>[] = [
  { head: 'Name', width: 15, text: p => p.name },
  { head: 'PeerAddress', width: 17, text: p => peerText(p.peer) },
  { head: 'Mode', width: 6, text: p => (p.mode === 'aggressive' ? 'AGGR' : 'MAIN') },
  { head: 'AuthType', width: 11, text: p => p.authType.toUpperCase() },
  { head: 'Key', width: 5, text: p => dash(p.key) },
  { head: 'EncAlg', width: 8, text: p => orAuto(p.encryption) },
  { head: 'HashAlg', width: 9, text: p => orAuto(p.hash) },
  { head: 'Group', width: 5, text: p => orAuto(p.group) },
]

export function printIsakmpPolicies(policies: readonly IsakmpPolicyConfig[]): string {
  return list('ISAKMP Policies', policyColumns, policies, 'No ISAKMP policies.')
}

/** SHOW ISAKMP POLICY=name: each parameter. */
export function printIsakmpPolicy(p: IsakmpPolicyConfig): string {
  return page(
    'ISAKMP Policy',
    '',
    leaders([
      ['Name', p.name],
      ['Peer Address', peerText(p.peer)],
      ['Mode', p.mode.toUpperCase()],
      ['Authentication Type', p.authType.toUpperCase()],
      ['ENCO Key', p.key],
      ['Encryption Algorithm', orAuto(p.encryption)],
      ['Hash Algorithm', orAuto(p.hash)],
      ['Group', orAuto(p.group)],
      ['Expiry Seconds', p.expirySeconds ?? 'auto'],
      ['Local ID', p.localId ?? 'own address'],
      ['Remote ID', p.remoteId ?? 'any'],
      ['NAT Traversal', yesNo(p.natTraversal)],
      ['Send Deletes', yesNo(p.sendDeletes)],
      ['Send Notify', yesNo(p.sendNotify)],
      ['Message Retry Limit', p.msgRetryLimit],
      ['Message Timeout (s)', p.msgTimeoutSeconds],
      ['Message Back-off', p.msgBackoff.toUpperCase()],
      ['DPD Mode', (p.dpdMode ?? 'both').toUpperCase()],
      ['DPD Idle Timeout (s)', p.dpdIdleSeconds ?? 'auto'],
    ]),
  )
}

function peerText(peer: IsakmpPolicyConfig['peer']): string {
  if (typeof peer === 'number') return formatIpv4(peer)
  return peer === 'any' ? 'ANY' : peer
}
