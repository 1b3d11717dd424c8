/** What the IKE responder may agree to: the ISAKMP policies and the IPsec policies behind them, as plain data. */

import type { Secret } from '../packet/bytes.ts'
import type { Ipv4 } from '../packet/ip.ts'
import type { RsaCredentials } from './signature.ts'

export type Phase1Cipher = 'des' | '3des' | 'aes128' | 'aes192' | 'aes256'
export type Phase1Hash = 'md5' | 'sha1' | 'sha256'
/** IANA "Group Description" numbers. */
export type Group = 1 | 2 | 5 | 14 | 19 | 20

export interface Phase1Suite {
  readonly cipher: Phase1Cipher
  readonly hash: Phase1Hash
  readonly group: Group
}

export interface Phase2Suite {
  readonly cipher: Phase1Cipher | 'aesgcm128' | 'aesgcm192' | 'aesgcm256'
  /** `gcm` with AES-GCM, which is its own integrity, and with nothing else. */
  readonly integrity: 'md5' | 'sha1' | 'sha256' | 'gcm'
}

/** What our own identity payload says. */
export type LocalIdentity =
  | { readonly kind: 'address' }
  | { readonly kind: 'fqdn'; readonly name: string }
  | { readonly kind: 'user'; readonly name: string }

/** An ISAKMP policy (CREATE ISAKMP POLICY). */
export interface IsakmpPolicy {
  readonly name: string
  /** Whose first message it answers. An exact address is tried before `any`. */
  readonly peer: 'any' | Ipv4
  /** How both sides authenticate; unset: by the pre-shared key. */
  readonly authentication?: 'psk' | 'rsa'
  /** For `rsa`; undefined where there are none: negotiation then fails and says so. */
  readonly credentials?: RsaCredentials | undefined
  /** The pre-shared key; undefined where the ENCO key it names does not exist: negotiation then fails and says so. */
  readonly presharedKey: Secret | undefined
  /** The ENCO key's number, for the failure's remedy. */
  readonly keyId: number | undefined
  /** Accepted algorithms, best first. The translation from "unset" to these lists is the gateway's (ADR 0002). */
  readonly ciphers: readonly Phase1Cipher[]
  readonly hashes: readonly Phase1Hash[]
  readonly groups: readonly Group[]
  readonly localIdentity: LocalIdentity
  /** The identity the peer must show, or undefined for any. */
  readonly remoteIdentity: string | undefined
  readonly natTraversal: boolean
  readonly sendDeletes: boolean
  readonly sendNotify: boolean
  readonly lifetimeSeconds: number
  /** First retransmission of what we send unasked, in seconds; only towards a peer that proved its address. */
  readonly messageTimeoutSeconds: number
  readonly messageRetryLimit: number
  readonly messageBackoff: 'incremental' | 'none'
  /** Dead peer detection (RFC 3706); unset: as far as the peer does it, with a question after 75 s of silence. */
  readonly deadPeerDetection?: {
    /** Whether we say that we answer. */
    readonly announced: boolean
    /** The silence after which we ask; undefined: never. */
    readonly idleSeconds: number | undefined
  }
  /** The IPsec policies that name this ISAKMP policy (or none), and those without ACTION=IPSEC, in position order. */
  readonly phase2: readonly Phase2Policy[]
}

export interface AddressRange {
  readonly first: Ipv4
  readonly last: Ipv4
}

/**
 * An IPsec policy and its bundle (CREATE IPSEC POLICY, BUNDLESPECIFICATION, SASPECIFICATION). A selector that is undefined
 * matches everything.
 */
export interface Phase2Policy {
  readonly name: string
  /** The interface it belongs to, as IkeConfig's `interfaces` name it. */
  readonly interface?: string
  /** PEERADDRESS: one peer's address, or one peer at a time from anywhere. */
  readonly peer?: Ipv4 | 'dynamic' | undefined
  /** Accepted transforms, preferred first. */
  readonly suites: readonly Phase2Suite[]
  /** Refuse Quick Modes without PFS in this group; undefined: accept with and without. */
  readonly pfsGroup: Group | undefined
  /** Upper bound of an SA's life in seconds; a longer wish is cut with RESPONDER-LIFETIME. */
  readonly lifetimeSeconds: number | undefined
  readonly lifetimeKilobytes: number | undefined
  /** 64, 128 or 256; at least 64. */
  readonly replayWindow: number
  /** Local (our) port and protocol selectors: UDP 1701 for L2TP. */
  readonly localPort: number | undefined
  readonly protocol: number | undefined
  readonly remotePort?: number | undefined
  readonly localAddress?: AddressRange | undefined
  /** The peer's address as it reaches us: behind NAT, the NAT's. */
  readonly remoteAddress?: AddressRange | undefined
  /** LNAME and RNAME: what one side calls itself in either phase. */
  readonly localName?: string | undefined
  readonly remoteName?: string | undefined
  /** A policy that lets packets pass in clear, or denies them, is here for its position. */
  readonly action: 'ipsec' | 'permit' | 'deny'
}

export interface IkeConfig {
  readonly policies: readonly IsakmpPolicy[]
  /** Which addresses are whose, so that a peer is judged by the IPsec policies of the interface it talks to. */
  readonly interfaces?: readonly { readonly name: string; readonly address: Ipv4 }[]
  /** Our public address where a NAT in front of us hides it: our NAT-D and identity then use it. */
  readonly publicAddress: Ipv4 | undefined
  /** Nothing but UDP reaches us: every client is made to encapsulate, and plain ESP is agreed to with nobody. */
  readonly forceEncapsulation: boolean
  /** Bounds against floods. */
  readonly maxHalfOpen: number
  readonly maxPeers: number
}

export const DEFAULT_BOUNDS = { maxHalfOpen: 4096, maxPeers: 16384 } as const
