/** SHOW IPSEC SA, POLICY, SASPECIFICATION and BUNDLESPECIFICATION: phase 2 and what it is chosen from (RFC 4301). */

import type { BundleSpecification, SaSpecification } from '../config.ts'
import { type Column, dash, durationText, facts, leaders, list, page, pairs, yesNo } from './layout.ts'
import type { IpsecPolicyCounters, IpsecPolicyState, IpsecSaState } from './state.ts'

/** SHOW IPSEC. */
export interface IpsecState {
  readonly enabled: boolean
  readonly saSpecifications: number
  readonly bundles: number
  readonly policies: number
  readonly sas: number
  /** IPsec policies that are debugged for anybody, with their modes. */
  readonly debugging: readonly string[]
}

export function printIpsec(s: IpsecState): string {
  return page(
    'IPsec Module Configuration',
    '',
    leaders([
      ['Module Status', s.enabled ? 'ENABLED' : 'DISABLED'],
      ['SA Specifications', s.saSpecifications],
      ['Bundle Specifications', s.bundles],
      ['Policies', s.policies],
      ['SAs', s.sas],
      ['Debugging', s.debugging.join(', ').toUpperCase() || 'NONE'],
    ]),
  )
}

const saColumns: readonly Column<IpsecSaState>[] = [
  { head: 'SA Id', width: 8, text: s => s.id },
  { head: 'Policy', width: 17, text: s => s.policy },
  { head: 'Bundle', width: 8, text: s => dash(s.bundle) },
  { head: 'State', width: 14, text: s => s.state },
  { head: 'Protocol', width: 10, text: s => s.protocol },
  { head: 'OutSPI', width: 10, text: s => spiText(s.outSpi) },
  { head: 'InSPI', width: 10, text: s => spiText(s.inSpi) },
]

export function printIpsecSas(sas: readonly IpsecSaState[]): string {
  return list('IPsec Security Associations', saColumns, sas, 'No IPsec SAs.', s => [
    facts([
      ['Peer', s.remote],
      ['Suite', s.suite],
      ['Encapsulation', s.encapsulation],
    ]),
    facts([
      ['Age', durationText(s.ageSeconds)],
      ['Life', s.lifetimeSeconds === undefined ? undefined : durationText(s.lifetimeSeconds)],
      ['Kilobytes', s.lifetimeKilobytes],
    ]),
  ])
}

/** SHOW IPSEC UDPTUNNEL: the SAs whose ESP goes in UDP (RFC 3948). The maker's own UDPTUNNEL of before is not spoken. */
export function printUdpTunnels(sas: readonly IpsecSaState[]): string {
  const columns: readonly Column<IpsecSaState>[] = [
    { head: 'SA Id', width: 8, text: s => s.id },
    { head: 'Policy', width: 25, text: s => s.policy },
    { head: 'Peer', width: 23, text: s => s.remote },
    { head: 'Encapsulation', width: 15, text: () => 'RFC 3948' },
  ]
  return list('IPsec in UDP', columns, sas, 'No IPsec SA is encapsulated in UDP.')
}

/** SHOW IPSEC SA=id; with counters those of the peer: packets are counted by peer, whichever of its SAs carried them. */
export function printIpsecSa(s: IpsecSaState, traffic?: PeerTraffic): string {
  return page(
    'IPsec SA',
    '',
    leaders([
      ['SA Id', s.id],
      ['Policy', s.policy],
      ['Bundle', s.bundle],
      ['State', s.state],
      ['Protocol', s.protocol],
      ['Mode', 'TRANSPORT'],
      ['Suite', s.suite],
      ['Outbound SPI', spiText(s.outSpi)],
      ['Inbound SPI', spiText(s.inSpi)],
      ['Peer', s.peer],
      ['Remote Address', s.remote],
      ['Encapsulation', s.encapsulation],
      ['Seconds since creation', s.ageSeconds],
      ['Expiry Limit (seconds)', s.lifetimeSeconds],
      ['Expiry Limit (kilobytes)', s.lifetimeKilobytes],
    ]),
    traffic === undefined ? [] : ['', `Counters of Peer ${s.peer}`, ...pairs(Object.entries(traffic))],
  )
}

/** What the SAs of one peer have carried. */
export type PeerTraffic = Readonly<
  Record<'outProcessDone' | 'inProcessDone' | 'outProcessFail' | 'inProcessFail' | 'outBytes' | 'inBytes', number>
>

/** As packet captures print it. */
function spiText(spi: number): string {
  return `0x${spi.toString(16).padStart(8, '0')}`
}

const policyColumns: readonly Column<IpsecPolicyState>[] = [
  { head: 'Name', width: 19, text: p => p.name },
  { head: 'Interface', width: 15, text: p => p.interface },
  { head: 'Action', width: 12, text: p => p.action },
  { head: 'KeyManagement', width: 17, text: p => p.keyManagement },
  { head: 'Position', width: 8, text: p => p.position },
]

export function printIpsecPolicies(policies: readonly IpsecPolicyState[]): string {
  return list('IPsec Policies', policyColumns, policies, 'No IPsec policies.')
}

export function printIpsecPolicy(p: IpsecPolicyState, withCounters: boolean): string {
  return page(
    'IPsec Policy Information',
    '',
    leaders([
      ['Name', p.name],
      ['Interface', p.interface],
      ['Position', p.position],
      ['Action', p.action],
      ['Key Management', p.keyManagement],
      ['ISAKMP Policy', p.isakmpPolicy],
      ['Bundle Specification', p.bundle],
      ['Peer Address', p.peerAddress],
      ['Local Address', p.localAddress],
      ['Local Name', p.localName],
      ['Local Port', p.localPort],
      ['Remote Address', p.remoteAddress],
      ['Remote Name', p.remoteName],
      ['Remote Port', p.remotePort],
      ['Transport Protocol', p.transportProtocol],
      ['ICMP Types', p.icmpTypes],
      ['Use PFS Key', yesNo(p.usePfsKey)],
      ['Group', p.group],
    ]),
    withCounters ? counterLines(p.counters) : [],
  )
}

function counterLines(c: IpsecPolicyCounters): string[] {
  return [
    '',
    'Outbound Packet Processing Counters',
    ...pairs([
      ['outPermit', c.outPermit],
      ['outDeny', c.outDeny],
      ['outProcessStart', c.outProcessStart],
      ['outProcessDone', c.outProcessDone],
      ['outProcessFail', c.outProcessFail],
      ['outBytes', c.outBytes],
    ]),
    '',
    'Inbound Packet Processing Counters',
    ...pairs([
      ['inPermit', c.inPermit],
      ['inDeny', c.inDeny],
      ['inProcessStart', c.inProcessStart],
      ['inProcessDone', c.inProcessDone],
      ['inProcessFail', c.inProcessFail],
      ['inBytes', c.inBytes],
    ]),
  ]
}

const specificationColumns: readonly Column<SaSpecification>[] = [
  { head: 'Id', width: 6, text: s => s.id },
  { head: 'KeyManagement', width: 15, text: s => s.keyManagement.toUpperCase() },
  { head: 'Protocol', width: 10, text: s => s.protocol.toUpperCase() },
  { head: 'EncAlg', width: 12, text: s => dash(s.encryption).toUpperCase() },
  { head: 'HashAlg', width: 9, text: s => dash(s.hash).toUpperCase() },
  { head: 'Mode', width: 11, text: s => s.mode.toUpperCase() },
  { head: 'Replay', width: 8, text: replayText },
]

export function printSaSpecifications(specifications: readonly SaSpecification[]): string {
  return list('IPsec SA Specifications', specificationColumns, specifications, 'No SA specifications.')
}

/** The replay window's size where one is set, else whether there is one. */
function replayText(s: SaSpecification): string {
  if (s.antiReplay === false) return 'OFF'
  return s.replayWindow === undefined ? dash(s.antiReplay && 'ON') : String(s.replayWindow)
}

const bundleColumns: readonly Column<BundleSpecification>[] = [
  { head: 'Id', width: 6, text: b => b.id },
  { head: 'KeyManagement', width: 15, text: b => b.keyManagement.toUpperCase() },
  { head: 'ExpirySeconds', width: 15, text: b => dash(b.expirySeconds) },
  { head: 'ExpiryKBytes', width: 14, text: b => dash(b.expiryKilobytes) },
  { head: 'String', width: 29, text: b => b.string },
]

export function printBundles(bundles: readonly BundleSpecification[]): string {
  return list('IPsec Bundle Specifications', bundleColumns, bundles, 'No bundle specifications.')
}
