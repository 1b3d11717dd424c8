/** The rows of Apple's, Android's and Linux' clients: racoon, strongSwan and libreswan under an L2TP daemon and pppd. */

import { createHash } from 'node:crypto'
import { natFlavours } from '../../src/ike/nat.ts'
import { VendorId } from '../../src/ike/vendor.ts'
import { fromHex } from '../../src/packet/bytes.ts'
import { concat } from '../../src/packet/writer.ts'
import { android as androidLac, apple as appleLac, xl2tpd } from './lac.ts'
import { type AttributeStyle, type EspOffer, type Phase1Offer, proposalOfMany } from './offers.ts'
import type { VpnProfile } from './profiles.ts'

const { rfc3947, apple, 'draft-02': draft02, 'draft-02lf': draft02lf, 'draft-03': draft03 } = natFlavours
const natDraft = (number: string) =>
  new Uint8Array(createHash('md5').update(`draft-ietf-ipsec-nat-t-ike-${number}`).digest())
/** The fragmentation vendor ID with the word that all but Windows put behind it. */
const fragmentation = concat(VendorId.Fragmentation, fromHex('80000000'))

const together =
  (offers: readonly EspOffer[], lifetimeSeconds: number, style: AttributeStyle): VpnProfile['quickProposals'] =>
  (espSpi, _, mode) => [proposalOfMany(espSpi, offers, mode, lifetimeSeconds, style)]

const offer = (cipher: Phase1Offer['cipher'], hash: Phase1Offer['hash'], group: Phase1Offer['group']): Phase1Offer => ({
  cipher,
  hash,
  group,
})

const product = (ciphers: readonly EspOffer['cipher'][], integrities: readonly ('sha1' | 'md5')[]): EspOffer[] =>
  ciphers.flatMap(cipher => integrities.map(integrity => ({ cipher, integrity })))

const racoonIntervals = Array.from({ length: 11 }, () => 3000)

/** iOS and macOS of recent years: fourteen transforms, a random L2TP port, every draft's name. */
export const iphone: VpnProfile = {
  name: 'iOS and macOS',
  marks: { vendorIds: 'S', phase1: 'S', nonce: 'R', identities: 'S', phase2: 'S', l2tp: 'R', ppp: 'R', timers: 'R' },
  ike: {
    offers: [
      offer('aes256', 'sha256', 14),
      offer('aes256', 'sha1', 14),
      offer('aes256', 'md5', 14),
      offer('aes256', 'sha512', 14),
      offer('aes256', 'sha256', 5),
      offer('aes256', 'sha1', 5),
      offer('aes256', 'md5', 5),
      offer('aes256', 'sha256', 2),
      offer('aes256', 'sha1', 2),
      offer('aes256', 'md5', 2),
      offer('aes128', 'sha1', 2),
      offer('aes128', 'md5', 2),
      offer('3des', 'sha1', 2),
      offer('3des', 'md5', 2),
    ],
    style: 'racoon',
    lifetimeSeconds: 3600,
    vendorIds: [
      rfc3947.vendorId,
      apple.vendorId,
      ...['08', '07', '06', '05', '04'].map(natDraft),
      draft03.vendorId,
      draft02.vendorId,
      draft02lf.vendorId,
      fragmentation,
      VendorId.Dpd,
    ],
    natFlavours: [],
    nonceLength: 16,
    bothOriginalAddresses: true,
    messageIds: 'random',
  },
  natTraversal: true,
  namesItself: false,
  randomPort: 'told',
  quickProposals: together(product(['aes256', 'aes128', '3des'], ['sha1', 'md5']), 3600, 'racoon'),
  intervals: racoonIntervals,
  keepaliveMillis: 20_000,
  deadPeerMillis: 30_000,
  lac: appleLac,
  ppp: 'plain',
}

/** Mac OS X 10.3 and 10.4: Apple's own payload numbers, and its own NAT-D first. */
const { deadPeerMillis: _, ...iphoneWithoutDpd } = iphone
export const tiger: VpnProfile = {
  ...iphoneWithoutDpd,
  name: 'Mac OS X 10.4',
  marks: { ...iphone.marks, phase1: 'S', phase2: 'I', timers: 'R' },
  ike: {
    ...iphone.ike,
    offers: [offer('3des', 'sha1', 2), offer('3des', 'md5', 2)],
    vendorIds: [apple.vendorId],
    ownNatDFirst: true,
  },
  quickProposals: together(product(['aes128', '3des'], ['sha1', 'md5']), 3600, 'racoon'),
}

/** Android up to 11: racoon with group 2 alone, and an L2TP daemon that leaves HELLOs unanswered. */
export const android: VpnProfile = {
  name: 'Android up to 11',
  marks: { vendorIds: 'I', phase1: 'S', nonce: 'R', identities: 'S', phase2: 'S', l2tp: 'S', ppp: 'R', timers: 'S' },
  ike: {
    offers: (['3des', 'des', 'aes128'] as const).flatMap(c => [offer(c, 'sha1', 2), offer(c, 'md5', 2)]),
    style: 'racoon',
    lifetimeSeconds: 28800,
    vendorIds: [rfc3947.vendorId, draft02.vendorId, draft02lf.vendorId, natDraft('00'), fragmentation],
    natFlavours: [],
    nonceLength: 16,
    identityPort: 500,
    clientPort: 0,
    bothOriginalAddresses: true,
    messageIds: 'random',
  },
  natTraversal: true,
  namesItself: false,
  randomPort: 'untold',
  quickProposals: together(product(['3des', 'des', 'aes128'], ['sha1', 'md5']), 28800, 'racoon'),
  intervals: racoonIntervals,
  keepaliveMillis: 20_000,
  lac: androidLac,
  ppp: 'plain',
}

/** Later ones begin with AES and SHA-256, and cut the latter short in ESP: as a draft says and no RFC. */
export const androidSha256: VpnProfile = {
  ...android,
  name: 'Android with SHA-256 of 96 bits',
  marks: { ...android.marks, phase1: 'I', phase2: 'I' },
  ike: { ...android.ike, offers: [offer('aes256', 'sha256', 2), ...android.ike.offers] },
  quickProposals: together(
    [{ cipher: 'aes256', integrity: 'sha256' }, ...product(['aes256', 'aes128', '3des'], ['sha1', 'md5'])],
    28800,
    'racoon',
  ),
  cutsSha256: true,
}

/** What NetworkManager-l2tp configures with either IPsec daemon: Windows' offers and Apple's in one. */
const networkManagerOffers = [
  offer('aes256', 'sha256', 14),
  offer('aes256', 'sha256', 5),
  offer('aes256', 'sha256', 2),
  offer('aes256', 'sha1', 14),
  offer('aes256', 'sha1', 5),
  offer('aes256', 'sha1', 2),
  offer('aes256', 'sha1', 20),
  offer('aes128', 'sha1', 2),
  offer('aes128', 'sha1', 19),
  offer('3des', 'sha1', 14),
  offer('3des', 'sha1', 2),
]
const networkManagerEsp = product(['aes256', 'aes128', '3des'], ['sha1'])

export const strongSwan: VpnProfile = {
  name: 'strongSwan (NetworkManager-l2tp)',
  marks: { vendorIds: 'R', phase1: 'S', nonce: 'R', identities: 'S', phase2: 'S', l2tp: 'S', ppp: 'S', timers: 'R' },
  ike: {
    offers: networkManagerOffers,
    lifetimeSeconds: 10800,
    vendorIds: [VendorId.Xauth, VendorId.Dpd, fragmentation, rfc3947.vendorId, draft02lf.vendorId],
    natFlavours: [],
    nonceLength: 32,
    initialContact: true,
    messageIds: 'random',
  },
  natTraversal: true,
  namesItself: false,
  quickProposals: together(networkManagerEsp, 3600, 'windows'),
  intervals: [4000, 7200, 12_960, 23_328, 41_990, 75_582],
  keepaliveMillis: 20_000,
  renewsPhase1Early: true,
  deadPeerMillis: 30_000,
  lac: xl2tpd,
  ppp: 'plain',
}

export const libreswan: VpnProfile = {
  ...strongSwan,
  name: 'libreswan (NetworkManager-l2tp)',
  ike: {
    offers: networkManagerOffers,
    style: 'pluto',
    lifetimeSeconds: 3600,
    vendorIds: [VendorId.Dpd, fragmentation, rfc3947.vendorId, draft03.vendorId, draft02lf.vendorId, draft02.vendorId],
    natFlavours: [],
    nonceLength: 32,
    messageIds: 'random',
  },
  quickProposals: together(networkManagerEsp, 28800, 'pluto'),
  intervals: [500, 1000, 2000, 4000, 8000, 16_000, 32_000],
}

/** Settings by hand, with AES-GCM where the daemon's defaults have none: there is no integrity beside it (RFC 4106). */
const gcm: readonly EspOffer[] = [
  { cipher: 'aesgcm256', integrity: 'gcm' },
  { cipher: 'aesgcm128', integrity: 'gcm' },
]

export const strongSwanGcm: VpnProfile = {
  ...strongSwan,
  name: 'strongSwan with AES-GCM',
  marks: { ...strongSwan.marks, phase2: 'I' },
  quickProposals: together(gcm, 3600, 'windows'),
}

export const libreswanGcm: VpnProfile = {
  ...libreswan,
  name: 'libreswan with AES-GCM',
  marks: { ...libreswan.marks, phase2: 'I' },
  quickProposals: together([...gcm, ...networkManagerEsp], 28800, 'pluto'),
}
