/** NAT detection and the numbers of each NAT traversal flavour (RFC 3947, draft-ietf-ipsec-nat-t-ike-02 and -03). */

import { equal, fromHex } from '../packet/bytes.ts'
import { type Endpoint, ipv4Bytes } from '../packet/ip.ts'
import { hash } from './cipher.ts'
import { Encapsulation, PayloadType } from './constants.ts'
import type { Phase1Hash } from './policy.ts'

export type NatFlavour = 'rfc3947' | 'draft-02lf' | 'draft-02' | 'draft-03' | 'apple'

export interface NatNumbers {
  readonly vendorId: Uint8Array
  readonly natD: number
  readonly natOa: number
  readonly udpTransport: number
  /** Whether our second Quick Mode message carries both original addresses (Vista and later expect them; racoon refuses them in the draft). */
  readonly answersOriginalAddresses: boolean
}

const draft = {
  natD: PayloadType.NatDDraft,
  natOa: PayloadType.NatOaDraft,
  udpTransport: Encapsulation.UdpTransportDraft,
  answersOriginalAddresses: false,
}

/** Best first: exactly one is answered. `draft-02lf` hashed the draft's name with a line feed behind it; Windows knows only that one. */
export const natFlavours: Readonly<Record<NatFlavour, NatNumbers>> = {
  rfc3947: {
    vendorId: fromHex('4a131c81070358455c5728f20e95452f'),
    natD: PayloadType.NatD,
    natOa: PayloadType.NatOa,
    udpTransport: Encapsulation.UdpTransport,
    answersOriginalAddresses: true,
  },
  'draft-02lf': { vendorId: fromHex('90cb80913ebb696e086381b5ec427b1f'), ...draft },
  'draft-02': { vendorId: fromHex('cd60464335df21f87cfdb2fc68b6a448'), ...draft },
  'draft-03': { vendorId: fromHex('7d9419a65310ca6f2c179d9215529d56'), ...draft },
  apple: {
    vendorId: fromHex('4df37928e9fc4fd1b3262170d515c662'),
    natD: PayloadType.NatDApple,
    natOa: PayloadType.NatOaApple,
    udpTransport: Encapsulation.UdpTransport,
    answersOriginalAddresses: false,
  },
}

const flavourNames = Object.keys(natFlavours) as NatFlavour[]

/** The best flavour among the peer's vendor IDs. */
export function chooseNatFlavour(vendorIds: readonly Uint8Array[]): NatFlavour | undefined {
  for (const name of flavourNames) {
    const { vendorId } = natFlavours[name]
    if (vendorIds.some(v => equal(v, vendorId))) return name
  }
  return undefined
}

/** NAT-D data: HASH(CKY-I | CKY-R | address | port), RFC 3947 section 3.2. */
export function natDetectionHash(
  algorithm: Phase1Hash,
  cookies: { readonly initiatorCookie: Uint8Array; readonly responderCookie: Uint8Array },
  e: Endpoint,
): Uint8Array {
  const port = Uint8Array.of(e.port >>> 8, e.port)
  return hash(algorithm, cookies.initiatorCookie, cookies.responderCookie, ipv4Bytes(e.address), port)
}

export interface NatFinding {
  readonly client: boolean
  readonly server: boolean
}

/**
 * Compares what the peer hashed with what we see. The order of its NAT-Ds is not trusted: Mac OS X 10.3 sent them the
 * other way round, and a host with several addresses sends several of its own.
 */
export function detectNat(received: readonly Uint8Array[], remoteHash: Uint8Array, localHash: Uint8Array): NatFinding {
  if (received.length === 0) return { client: false, server: false }
  return {
    client: !received.some(r => equal(r, remoteHash)),
    server: !received.some(r => equal(r, localHash)),
  }
}

export function natText(nat: NatFinding): 'none' | 'client' | 'server' | 'both' {
  if (nat.client) return nat.server ? 'both' : 'client'
  return nat.server ? 'server' : 'none'
}
