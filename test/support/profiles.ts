/** Whole clients: what each generation of Windows says in IKE, L2TP and PPP. */

import { messageIdBytes } from '../../src/ike/keymat.ts'
import type { NatFlavour } from '../../src/ike/nat.ts'
import type { Phase1Suite } from '../../src/ike/policy.ts'
import type { Proposal } from '../../src/ike/proposal.ts'
import { VendorId } from '../../src/ike/vendor.ts'
import { fromHex } from '../../src/packet/bytes.ts'
import { concat } from '../../src/packet/writer.ts'
import { type LacProfile, windows10 as windows10Lac, xp } from './lac.ts'
import { ahProposal, type EspOffer, espProposal } from './offers.ts'
import type { PppFlavour } from './ppp-client.ts'
import { windows10 as windows10Offers, windowsXp as windowsXpOffers } from './windows.ts'

export interface VpnProfile {
  readonly name: string
  readonly ike: {
    readonly offers: readonly Phase1Suite[]
    readonly natFlavours: readonly NatFlavour[]
    readonly vendorIds: readonly Uint8Array[]
    readonly lastVendorIds: readonly Uint8Array[]
    readonly nonceLength: number
    readonly messageIds: 'random' | 'sequential'
  }
  /** Whether it gives its computer's name for an identity when it finds itself behind a NAT. */
  readonly namesItself: boolean
  /** Quick Mode's offers; `ahSpi` is what it would receive AH on. */
  quickProposals(espSpi: Uint8Array, ahSpi: Uint8Array, mode: number): readonly Proposal[]
  readonly lac: LacProfile
  readonly ppp: PppFlavour
}

const negotiationDiscovery = fromHex('fb1de3cdf341b7ea16b7e5be0855f120')
const cgaVersion1 = fromHex('e3a5966a76379fe707228231e5ce8652')

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

/** Windows XP SP2: 3DES and MODP groups, draft-02, twelve suites of which eight are bundles with AH. */
export const windowsXp: VpnProfile = {
  name: 'Windows XP SP2',
  ike: {
    ...windowsXpOffers,
    vendorIds: [concat(VendorId.MsNt5, messageIdBytes(4)), VendorId.Fragmentation],
    lastVendorIds: [VendorId.InitialContact],
  },
  namesItself: true,
  quickProposals: (espSpi, ahSpi, mode) =>
    xpSuites.flatMap(({ ah, esp }, i) => [
      ...(ah ? [ahProposal(i + 1, ahSpi, ah, mode)] : []),
      espProposal(i + 1, espSpi, esp, mode),
    ]),
  lac: xp,
  ppp: 'xp',
}

const windows10Suites: readonly EspOffer[] = [
  { cipher: 'aes256', integrity: 'sha1' },
  { cipher: 'aes128', integrity: 'sha1' },
  { cipher: '3des', integrity: 'sha1' },
  { cipher: 'des', integrity: 'sha1' },
  { cipher: 'null', integrity: 'sha1' },
]

/** Windows 10: elliptic curves and AES first, RFC 3947, message IDs 1, 2, 3. */
export const windows10: VpnProfile = {
  name: 'Windows 10',
  ike: {
    ...windows10Offers,
    vendorIds: [concat(VendorId.KeyMods, messageIdBytes(1)), concat(VendorId.MsNt5, messageIdBytes(9))],
    lastVendorIds: [VendorId.Fragmentation, negotiationDiscovery, VendorId.InitialContact, cgaVersion1],
  },
  namesItself: false,
  quickProposals: (espSpi, _, mode) => windows10Suites.map((suite, i) => espProposal(i + 1, espSpi, suite, mode)),
  lac: windows10Lac,
  ppp: 'win7',
}

export const profiles = { xp: windowsXp, win10: windows10 } as const
export type ProfileName = keyof typeof profiles
