/** What goes into the L2TP endpoint (LNS) and what comes out of it: its whole interface, as plain data. */

import type { Ipv4 } from '../packet/ip.ts'

export type L2tpInput =
  /** A control message that came out of one of the peer's SAs: bytes from the L2TP header (flags) on. */
  | {
      readonly kind: 'message'
      readonly peer: number
      /** SPI of the inbound SA that carried it: tells a client that started anew from a retransmission. */
      readonly sa: number
      /** The peer's outer address, for ADD L2TP IP's ranges. */
      readonly remote: Ipv4
      /** Inner UDP ports: where it came from (1701, or 49152 and up with Apple) and went to. */
      readonly remotePort: number
      readonly localPort: number
      readonly bytes: Uint8Array
    }
  /** The peer has no SA left or started anew: its tunnels end without a word. */
  | { readonly kind: 'peerGone'; readonly peer: number; readonly reason: string }
  /**
   * Data came through this session lately: its tunnel is alive, and needs no HELLO. Optional, as often as one likes; `sa`
   * where it came through that SA, or since there is that SA.
   */
  | { readonly kind: 'heard'; readonly session: number; readonly sa?: number | undefined }
  /** End one session with a CDN (RFC 2661 section 4.4.2 result code), and its tunnel when it was the last. */
  | { readonly kind: 'closeSession'; readonly session: number; readonly resultCode: number; readonly reason: string }
  /** End one tunnel and its calls with a StopCCN; nothing where there is none, or it has ended. */
  | { readonly kind: 'closeTunnel'; readonly peer: number; readonly localTunnelId: number; readonly reason: string }
  /** End every tunnel with a StopCCN. */
  | { readonly kind: 'shutdown' }

export interface L2tpSessionIds {
  /** Row number of the session: unique in the gateway. */
  readonly session: number
  readonly peer: number
  readonly localTunnelId: number
  readonly remoteTunnelId: number
  readonly localSessionId: number
  readonly remoteSessionId: number
  readonly remotePort: number
  readonly localPort: number
  /** The PPP template that ADD L2TP IP names for this peer's address. */
  readonly template: number
  /** Host Name AVP. */
  readonly hostName: string
  /** Whether data messages we send carry sequence numbers: false at first, see `sessionConnected`. */
  readonly sequencing: boolean
}

export type L2tpEffect =
  /** An L2TP control message to wrap in UDP and ESP and send to the peer. */
  | {
      readonly kind: 'send'
      readonly peer: number
      readonly localPort: number
      readonly remotePort: number
      readonly bytes: Uint8Array
    }
  /** ICRP goes out: data may come from now on; start PPP. */
  | { readonly kind: 'sessionUp'; readonly ids: L2tpSessionIds }
  /** ICCN came: the call is established. */
  | {
      readonly kind: 'sessionConnected'
      readonly session: number
      readonly connectSpeed: number | undefined
      /** The peer wants sequence numbers in data messages, which only now it could say (Sequencing Required AVP). */
      readonly sequencing: boolean
    }
  /** Once for each sessionUp; the row number may be given to another session at once. */
  | { readonly kind: 'sessionDown'; readonly session: number; readonly peer: number; readonly reason: string }
  /** SCCCN came: the tunnel is established. Each one has its tunnelDown, once. */
  | { readonly kind: 'tunnelUp'; readonly peer: number; readonly localTunnelId: number; readonly hostName: string }
  | {
      readonly kind: 'tunnelDown'
      readonly peer: number
      readonly localTunnelId: number
      readonly reason: string
      /** The peer stopped answering, in its other tunnels as well; its IKE peer should be closed, too. */
      readonly dead: boolean
    }
  /**
   * The client opened a tunnel over an SA that its older tunnels, which ended just now, were never heard on: once it is
   * up there, what the peer has of SAs older than this one is forgotten by it, too.
   */
  | { readonly kind: 'startedAnew'; readonly peer: number; readonly sa: number }
  | {
      readonly kind: 'discarded'
      readonly peer: number
      readonly reason: string
      /** Where it would have opened a tunnel. */
      readonly refusal?: TunnelRefusal | undefined
    }

/** Why there is no tunnel: L2TP is off, the address is in no range, another version, a secret is asked for, bad AVPs. */
export type TunnelRefusal = 'disabled' | 'no-range' | 'version' | 'challenge' | 'malformed'

export interface L2tpConfig {
  readonly enabled: boolean
  /** ADD L2TP IP: first matching range wins; a peer in none is refused. */
  readonly ranges: readonly { readonly first: Ipv4; readonly last: Ipv4; readonly template: number }[]
  readonly hostName: string
  /** Silence of the peer after which a HELLO is sent; 0 for never. */
  readonly helloSeconds: number
  readonly receiveWindow: number
  readonly maxTunnelsPerPeer: number
  readonly maxSessionsPerTunnel: number
}

export const L2TP_DEFAULTS = {
  hostName: 'floatgate',
  helloSeconds: 60,
  receiveWindow: 8,
  maxTunnelsPerPeer: 4,
  maxSessionsPerTunnel: 16,
} as const
