/** Security associations as the data path sees them (RFC 4301 section 4.4.2, RFC 4303). */

import type { Secret } from '../packet/bytes.ts'
import type { Ipv4 } from '../packet/ip.ts'

export type Cipher = 'des' | '3des' | 'aes128' | 'aes192' | 'aes256' | GcmCipher
export type GcmCipher = 'aesgcm128' | 'aesgcm192' | 'aesgcm256'
export type Integrity = 'md5' | 'sha1' | 'sha256' | 'gcm'

/**
 * What protects a packet. Key, IV, block and ICV sizes follow from it: see suites.ts. AES-GCM goes with `gcm` alone, its
 * own integrity, and `gcm` with it.
 */
export interface Suite {
  readonly cipher: Cipher
  readonly integrity: Integrity
}

/** One direction's keys, each exactly as long as its suite asks. GCM's encryption key ends with its salt. */
export interface SaKeys {
  readonly encryption: Secret
  readonly integrity: Secret
}

export interface SaLimits {
  /** Plain bytes after which `soft` is reported; 0 for never. */
  readonly softBytes: number
  /** Plain bytes after which packets are dropped and `hard` is reported; 0 for never. */
  readonly hardBytes: number
}

/** An inbound SA: known by the SPI that we chose. */
export interface InboundSa {
  readonly spi: number
  readonly peer: number
  readonly suite: Suite
  readonly keys: SaKeys
  /** Anti-replay window in packets: 64, 128 or 256; 0 switches the check off. */
  readonly replayWindow: number
  readonly limits: SaLimits
}

/** An outbound SA: known by peer and the SPI that the peer chose. */
export interface OutboundSa {
  readonly spi: number
  readonly peer: number
  readonly suite: Suite
  readonly keys: SaKeys
  readonly limits: SaLimits
  /** The last sequence number used, where an SA moves here from another worker; absent for a new one. */
  readonly sequence?: number
}

/** Where a peer's packets go: the outer addresses, and the far UDP port, or 0 for native ESP (IP protocol 50). */
export interface PeerPath {
  readonly peer: number
  readonly local: Ipv4
  readonly remote: Ipv4
  readonly port: number
}
