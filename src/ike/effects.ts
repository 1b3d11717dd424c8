/** What goes into the IKE endpoint and what comes out of it: its whole interface, as plain data. */

import type { Secret } from '../packet/bytes.ts'
import type { Endpoint, Ipv4 } from '../packet/ip.ts'
import type { Phase1Suite, Phase2Suite } from './policy.ts'

export type IkeInput =
  /** A UDP datagram to our port 500 or 4500, already without the non-ESP marker. `local.port` tells which. */
  | { readonly kind: 'datagram'; readonly local: Endpoint; readonly remote: Endpoint; readonly bytes: Uint8Array }
  /** The data path authenticated a packet on this inbound SA: the peer holds our keys (implied third message). */
  | { readonly kind: 'saUsed'; readonly spi: number }
  /** The data path saw an authenticated packet of the peer from elsewhere. */
  | { readonly kind: 'peerMoved'; readonly peer: number; readonly local: Ipv4; readonly remote: Endpoint }
  /** The data path has had packets of the peer lately: it lives. */
  | { readonly kind: 'heard'; readonly peer: number }
  /** ESP came under an SPI that is not ours; native ESP has no ports: IKE's stand for them. */
  | { readonly kind: 'strayEsp'; readonly spi: number; readonly local: Endpoint; readonly remote: Endpoint }
  /** The peer started anew over the SA with this inbound SPI, and is up there: what is older it has forgotten. */
  | { readonly kind: 'startedAnew'; readonly peer: number; readonly spi: number }
  /** An SA reached its hard byte limit. */
  | { readonly kind: 'saExhausted'; readonly peer: number; readonly spi: number; readonly inbound: boolean }
  /** End this peer: DELETEs where the policy says so, then peerDown. */
  | { readonly kind: 'closePeer'; readonly peer: number; readonly reason: string }
  /** End everything: DELETEs for every SA, then peerDown for every peer. */
  | { readonly kind: 'shutdown' }

/** A pair of ESP SAs that Quick Mode made. Directions are ours: `inbound` protects what we receive. */
export interface ChildSa {
  readonly peer: number
  readonly inboundSpi: number
  readonly outboundSpi: number
  readonly suite: Phase2Suite
  readonly inboundKeys: { readonly encryption: Secret; readonly integrity: Secret }
  readonly outboundKeys: { readonly encryption: Secret; readonly integrity: Secret }
  /** What was agreed; undefined for none. */
  readonly lifetimeSeconds: number | undefined
  readonly lifetimeKilobytes: number | undefined
  /** UDP-encapsulated transport mode, or native ESP. */
  readonly udpEncapsulated: boolean
  readonly local: Ipv4
  /** Where the peer is now: the UDP port is that of IKE on 4500, and means nothing for native ESP. */
  readonly remote: Endpoint
  /** The name of the IPsec policy that the proposal was accepted under. */
  readonly policy: string
  readonly replayWindow: number
}

export type IkeEffect =
  /** Send an IKE message from our `local` to `remote`; the driver adds the non-ESP marker when local.port is 4500. */
  | { readonly kind: 'send'; readonly local: Endpoint; readonly remote: Endpoint; readonly bytes: Uint8Array }
  /** One byte 0xff to keep a NAT's mapping alive (RFC 3948 section 2.3). */
  | { readonly kind: 'keepalive'; readonly local: Endpoint; readonly remote: Endpoint }
  /** A peer authenticated for the first time, or again after it had been down. */
  | {
      readonly kind: 'peerUp'
      readonly peer: number
      readonly local: Endpoint
      readonly remote: Endpoint
      readonly identity: string
      readonly policy: string
    }
  /** An authenticated IKE message of the peer came from elsewhere: its SAs follow. */
  | { readonly kind: 'peerMoved'; readonly peer: number; readonly local: Endpoint; readonly remote: Endpoint }
  /** The peer started anew (INITIAL-CONTACT, authenticated): its L2TP tunnels are dead, though the peer lives. */
  | { readonly kind: 'peerRestarted'; readonly peer: number }
  /** Quick Mode's second message goes out: accept ESP on the inbound SA from now on. */
  | { readonly kind: 'installInbound'; readonly sa: ChildSa }
  /** Quick Mode is complete: seal with this SA from now on. */
  | { readonly kind: 'installOutbound'; readonly sa: ChildSa }
  | {
      readonly kind: 'removeSa'
      readonly peer: number
      readonly inboundSpi: number
      readonly outboundSpi: number
      readonly reason: string
    }
  /** Nothing of the peer is left: neither an ISAKMP SA nor an ESP SA. Its row may be used again. */
  /** `joined`: what it had is this peer's now, which it was all along. */
  | { readonly kind: 'peerDown'; readonly peer: number; readonly reason: string; readonly joined?: number }
  | { readonly kind: 'event'; readonly event: IkeEvent }

/** Something to log, count or explain. `exchange` is the exchange's number as SHOW ISAKMP EXCHANGE prints it. */
export type IkeEvent =
  | {
      readonly kind: 'phase1Started'
      readonly exchange: number
      readonly remote: Endpoint
      /** What the first message told of the sender, e.g. "Windows XP SP2/SP3 or Server 2003". */
      readonly client: string
    }
  | {
      readonly kind: 'phase1Completed'
      readonly exchange: number
      readonly peer: number
      readonly remote: Endpoint
      readonly identity: string
      readonly suite: Phase1Suite
      /** "none", "client", "server" or "both": who is behind a NAT. */
      readonly nat: 'none' | 'client' | 'server' | 'both'
    }
  | { readonly kind: 'phase2Started'; readonly exchange: number; readonly peer: number; readonly remote: Endpoint }
  | {
      readonly kind: 'phase2Completed'
      readonly exchange: number
      readonly peer: number
      readonly remote: Endpoint
      readonly suite: Phase2Suite
    }
  | {
      readonly kind: 'failed'
      readonly exchange: number
      readonly phase: 1 | 2
      readonly remote: Endpoint
      readonly peer: number | undefined
      readonly cause: FailureCause
      /** One plain line: what happened, with the particulars (offered, allowed, ...). */
      readonly detail: string
      /** What the operator or user should change. */
      readonly remedy: string
    }
  /** Something that explains why the peer goes no further, should it go no further. */
  | {
      readonly kind: 'suspected'
      readonly peer: number
      readonly remote: Endpoint
      readonly detail: string
      readonly remedy: string
    }
  /** A notify or DELETE that the peer sent us, authenticated, in words. */
  | { readonly kind: 'notified'; readonly peer: number; readonly remote: Endpoint; readonly text: string }
  /** A datagram that was not understood or not wanted; also counted. */
  | { readonly kind: 'discarded'; readonly remote: Endpoint; readonly reason: string }

export type FailureCause =
  /** Our second message was never answered. */
  | 'no-reply'
  /** Our fourth message was never answered on either port. */
  | 'no-float'
  /** Its fifth message is long, and came in part or not at all while the short ones before it came. */
  | 'mtu'
  | 'no-proposal-phase1'
  | 'no-proposal-phase2'
  | 'no-key'
  | 'wrong-key'
  | 'bad-identity'
  /** The peer's certificate, or what it signed with it, was refused. */
  | 'bad-certificate'
  | 'bad-message'
  /** The peer ended it, and gave its reason. */
  | 'client-refused'
  /** A Windows that takes us for being behind a NAT, and takes no L2TP from us therefore. */
  | 'server-nat'
  /** What we send in ESP does not seem to arrive. */
  | 'unheard'
  | 'timeout'
  | 'limit'
