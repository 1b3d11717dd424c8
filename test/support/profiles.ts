/**
 * Whole clients, one row a generation: what each says in IKE, L2TP and PPP, and how well that is known. docs/peers.md explains
 * the rows and the marks.
 */

import { messageIdBytes } from '../../src/ike/keymat.ts'
import type { Proposal } from '../../src/ike/proposal.ts'
import { VendorId } from '../../src/ike/vendor.ts'
import type { Millis } from '../../src/machine.ts'
import { fromHex } from '../../src/packet/bytes.ts'
import { concat } from '../../src/packet/writer.ts'
import type { InitiatorOptions } from './initiator.ts'
import {
  type LacProfile,
  server2003,
  vista,
  windows7 as windows7Lac,
  windows8,
  windows10 as windows10Lac,
  xp,
} from './lac.ts'
import { ahProposal, type EspOffer, espProposal } from './offers.ts'
import type { PppFlavour } from './ppp-client.ts'
import { android, androidSha256, iphone, libreswan, strongSwan, tiger } from './unix-profiles.ts'
import { windows10 as windows10Offers, windows2000, windowsXp as windowsXpOffers } from './windows.ts'

/** Seen in a log, a capture or in source; documented; inferred; remembered. */
export type Mark = 'S' | 'D' | 'I' | 'R'

export type Particular = 'vendorIds' | 'phase1' | 'nonce' | 'identities' | 'phase2' | 'l2tp' | 'ppp' | 'timers'

export interface VpnProfile {
  readonly name: string
  readonly marks: Readonly<Record<Particular, Mark>>
  readonly ike: Omit<InitiatorOptions, 'dice' | 'presharedKey' | 'address' | 'server' | 'computerName' | 'quickOffers'>
  /** False: it works only where there is no NAT on the way. */
  readonly natTraversal: boolean
  /** Whether it gives its computer's name for an identity when it finds itself behind a NAT. */
  readonly namesItself: boolean
  /** Its UDP port of L2TP is not 1701 but a high one, which Quick Mode's identity tells or leaves open; absent: 1701. */
  readonly randomPort?: 'told' | 'untold'
  /** Quick Mode's offers; `ahSpi` is what it would receive AH on. */
  quickProposals(espSpi: Uint8Array, ahSpi: Uint8Array, mode: number): readonly Proposal[]
  /** Waits between the transmissions of an IKE message, and after the last one before it gives up. */
  readonly intervals: readonly Millis[]
  /** Time between NAT keepalives; absent: it sends none. */
  readonly keepaliveMillis: Millis | undefined
  /** It makes its next phase 1 before the one that there is runs out; absent: when it needs one. */
  readonly renewsPhase1Early?: boolean
  /** After such a silence it asks the gateway whether it is there (RFC 3706); absent: never. */
  readonly deadPeerMillis?: Millis
  readonly lac: LacProfile
  readonly ppp: PppFlavour
  /** Its registry's default: it hears nothing from a server that it sees behind a NAT. */
  readonly refusesServerBehindNat?: boolean
  /** Its ICVs of SHA-256 have 96 bits in place of 128. */
  readonly cutsSha256?: boolean
  /** Its first Identification (LCP code 12), where it is not the flavour's own. */
  readonly identification?: string
}

const negotiationDiscovery = fromHex('fb1de3cdf341b7ea16b7e5be0855f120')
const cgaVersion1 = fromHex('e3a5966a76379fe707228231e5ce8652')
const nt5 = (word: number) => concat(VendorId.MsNt5, messageIdBytes(word))

const windowsIntervals = [1000, 2000, 4000, 8000, 16_000, 32_000]
const xpMarks = {
  vendorIds: 'S',
  phase1: 'R',
  nonce: 'R',
  identities: 'S',
  phase2: 'R',
  l2tp: 'D',
  ppp: 'S',
  timers: 'I',
} as const

/** One suite of the policy "L2TP, encryption required": ESP, alone or in a bundle with AH. */
interface XpSuite {
  readonly ah?: 'md5' | 'sha1'
  readonly esp: EspOffer
}

const xpSuites: readonly XpSuite[] = (['3des', 'des'] as const).flatMap(cipher => [
  { esp: { cipher, integrity: 'md5' } },
  { esp: { cipher, integrity: 'sha1' } },
  { ah: 'sha1', esp: { cipher } },
  { ah: 'md5', esp: { cipher } },
  { ah: 'sha1', esp: { cipher, integrity: 'sha1' } },
  { ah: 'md5', esp: { cipher, integrity: 'md5' } },
])

/** Windows XP SP2 and SP3: 3DES and MODP groups, draft-02, twelve suites of which eight are bundles with AH. */
export const windowsXp: VpnProfile = {
  name: 'Windows XP SP2',
  marks: xpMarks,
  ike: {
    ...windowsXpOffers,
    vendorIds: [nt5(4), VendorId.Fragmentation],
    lastVendorIds: [VendorId.InitialContact],
  },
  natTraversal: true,
  namesItself: true,
  quickProposals: (espSpi, ahSpi, mode) =>
    xpSuites.flatMap(({ ah, esp }, i) => [
      ...(ah ? [ahProposal(i + 1, ahSpi, ah, mode)] : []),
      espProposal(i + 1, espSpi, esp, mode),
    ]),
  refusesServerBehindNat: true,
  intervals: windowsIntervals,
  keepaliveMillis: 20_000,
  lac: xp,
  ppp: 'xp',
}

/** Before update 818043: no NAT traversal, and port 0 for the server's in Quick Mode. */
const windows2000Bare: VpnProfile = {
  ...windowsXp,
  name: 'Windows 2000',
  marks: { ...xpMarks, vendorIds: 'I', identities: 'S' },
  ike: { ...windows2000, serverPort: 0 },
  natTraversal: false,
  namesItself: false,
  refusesServerBehindNat: false,
  identification: 'MSRASV5.00',
}

const windowsXpBare: VpnProfile = {
  ...windows2000Bare,
  name: 'Windows XP SP1',
  ike: { ...windows2000Bare.ike, vendorIds: [nt5(3)] },
  identification: 'MSRASV5.10',
}

const windows2000Patched: VpnProfile = {
  ...windowsXp,
  name: 'Windows 2000 SP4 with 818043',
  marks: { ...xpMarks, vendorIds: 'I' },
  ike: { ...windowsXp.ike, vendorIds: [nt5(2), VendorId.Fragmentation] },
  refusesServerBehindNat: false,
  identification: 'MSRASV5.00',
}

const windowsXpPatched: VpnProfile = {
  ...windows2000Patched,
  name: 'Windows XP SP1a with 818043',
  ike: { ...windowsXp.ike, vendorIds: [nt5(3), VendorId.Fragmentation] },
  identification: 'MSRASV5.10',
}

const windowsServer2003: VpnProfile = { ...windowsXp, name: 'Windows Server 2003', lac: server2003 }

const each =
  (suites: readonly EspOffer[]): VpnProfile['quickProposals'] =>
  (espSpi, _, mode) =>
    suites.map((suite, i) => espProposal(i + 1, espSpi, suite, mode))

/** Windows 10 and 11: elliptic curves and AES first, RFC 3947, message IDs 1, 2, 3. */
export const windows10: VpnProfile = {
  name: 'Windows 10',
  marks: { ...xpMarks, phase1: 'I', nonce: 'S', phase2: 'I', l2tp: 'S', timers: 'I' },
  ike: {
    ...windows10Offers,
    vendorIds: [concat(VendorId.KeyMods, messageIdBytes(1)), nt5(9)],
    lastVendorIds: [VendorId.Fragmentation, negotiationDiscovery, VendorId.InitialContact, cgaVersion1],
  },
  natTraversal: true,
  namesItself: false,
  refusesServerBehindNat: true,
  quickProposals: each([
    { cipher: 'aes256', integrity: 'sha1' },
    { cipher: 'aes128', integrity: 'sha1' },
    { cipher: '3des', integrity: 'sha1' },
    { cipher: 'des', integrity: 'sha1' },
    { cipher: 'null', integrity: 'sha1' },
  ]),
  intervals: windowsIntervals,
  keepaliveMillis: 20_000,
  lac: windows10Lac,
  ppp: 'win7',
}

const windows81: VpnProfile = { ...windows10, name: 'Windows 8.1', lac: windows8 }

/** No KEY_MODS yet, and three suites in Quick Mode. */
const windows7: VpnProfile = {
  ...windows10,
  name: 'Windows 7',
  marks: { ...windows10.marks, phase1: 'S' },
  ike: { ...windows10.ike, vendorIds: [nt5(8)] },
  quickProposals: each([
    { cipher: 'aes128', integrity: 'sha1' },
    { cipher: '3des', integrity: 'sha1' },
    { cipher: 'des', integrity: 'sha1' },
  ]),
  lac: windows7Lac,
}

/** Before SP2 it sends no NAT keepalives; AES has 128 bits. */
const windowsVista: VpnProfile = {
  ...windows7,
  name: 'Windows Vista',
  marks: { ...windows7.marks, phase1: 'R', timers: 'D' },
  ike: {
    ...windows7.ike,
    vendorIds: [nt5(5)],
    offers: [
      { cipher: 'aes128', hash: 'sha1', group: 20 },
      { cipher: 'aes128', hash: 'sha1', group: 19 },
      { cipher: 'aes128', hash: 'sha1', group: 14 },
      { cipher: '3des', hash: 'sha1', group: 14 },
      { cipher: '3des', hash: 'sha1', group: 2 },
    ],
  },
  keepaliveMillis: undefined,
  lac: vista,
}

export const profiles = {
  win2000: windows2000Bare,
  'win2000-818043': windows2000Patched,
  xpsp1: windowsXpBare,
  'xpsp1-818043': windowsXpPatched,
  xp: windowsXp,
  win2003: windowsServer2003,
  vista: windowsVista,
  win7: windows7,
  win8: windows81,
  win10: windows10,
  ios: iphone,
  tiger,
  android,
  'android-sha256': androidSha256,
  strongswan: strongSwan,
  libreswan,
} as const satisfies Readonly<Record<string, VpnProfile>>
export type ProfileName = keyof typeof profiles
