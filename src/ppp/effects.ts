/** What goes into one PPP link (server side) and what comes out of it: its whole interface, as plain data. */

import type { Ipv4 } from '../packet/ip.ts'

export type PppInput =
  /** The call is there: send the first Configure-Request. */
  | { readonly kind: 'start' }
  /** A PPP frame other than IPv4 data, from the address field (FF 03) or the protocol field on. */
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  /** Data arrived on the link since the last look: no echo is needed. */
  | { readonly kind: 'active' }
  /** The answer to an `authenticate` effect. */
  | { readonly kind: 'authenticated'; readonly request: number; readonly result: AuthenticationResult }
  /** Hang up from our side: Terminate-Request, then `down`. */
  | { readonly kind: 'close'; readonly reason: string }
  /** The carrier is gone: `down` at once, without a word to the peer. */
  | { readonly kind: 'lost'; readonly reason: string }

export type AuthenticationResult =
  | {
      readonly kind: 'accepted'
      readonly user: string
      /** What IPCP shall give the peer. */
      readonly address: Ipv4
      readonly localAddress: Ipv4
      readonly dns: readonly [Ipv4 | undefined, Ipv4 | undefined]
      readonly wins: readonly [Ipv4 | undefined, Ipv4 | undefined]
      /** The message in the CHAP Success packet. */
      readonly message: string
      /** MS-CHAPv2: `S=` and 40 digits, with which we prove that we know the password. */
      readonly proof?: string | undefined
    }
  /** `reason` is for the operator; `message` is what the peer is told in the CHAP Failure. */
  | { readonly kind: 'rejected'; readonly reason: RejectReason; readonly message: string }

export type RejectReason = 'unknown-user' | 'wrong-password' | 'pool-empty' | 'not-allowed' | 'unavailable'

/** `chap-md5`: RFC 1994. `mschap2`: RFC 2759. */
export type AuthenticationMethod = 'chap-md5' | 'mschap2' | 'none'

export type PppEffect =
  /** A PPP frame from the protocol field on, with FF 03 before it where the link has not agreed to leave it out. */
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /**
   * Ask AAA, which answers with an `authenticated` input of the same `request`. `chap-md5`: `identifier`, our challenge
   * and the peer's response. `mschap2`: the name byte for byte, both challenges and the NT-Response; the answer is to
   * carry a `proof`. `none`: the template asks for no authentication, so all of them are empty, and only an address is
   * to be assigned. LCP may be renegotiated on a link that is up: then the same link asks once more, and should be given
   * the address that it has. With `again` the link stays up and only the password is proven anew: nothing is assigned.
   */
  | {
      readonly kind: 'authenticate'
      readonly request: number
      readonly name: string
      readonly rawName: Uint8Array
      readonly method: AuthenticationMethod
      readonly again: boolean
      readonly identifier: number
      readonly challenge: Uint8Array
      readonly peerChallenge: Uint8Array
      readonly response: Uint8Array
    }
  /** IPCP is open both ways: forward packets. */
  | {
      readonly kind: 'networkUp'
      readonly address: Ipv4
      readonly localAddress: Ipv4
      readonly user: string
      /** The largest IP packet the peer takes: its MRU, or less where the template says so. */
      readonly peerMru: number
      /** Frames to the peer may leave out FF 03 (ACFC) and the protocol's first zero byte (PFC). */
      readonly compressAddress: boolean
      readonly compressProtocol: boolean
    }
  /** LCP or IPCP is being negotiated anew: forward nothing until the next `networkUp`, or `down`. */
  | { readonly kind: 'networkDown' }
  /** The link is finished; nothing more comes. `detail` carries Microsoft's Terminate reason in words where there was one. */
  | { readonly kind: 'down'; readonly cause: PppDownCause; readonly detail: string }
  /** Something to tell in a log line. */
  | { readonly kind: 'event'; readonly text: string }

export type PppDownCause =
  | 'peer-terminated'
  | 'closed'
  | 'lost'
  | 'echo-failed'
  | 'lcp-failed'
  | 'authentication-failed'
  | 'ipcp-failed'
  | 'peer-refused'

/** One CREATE PPP TEMPLATE, as the link needs it. */
export interface PppTemplate {
  readonly template: number
  /** `none`: no authentication is asked for; `chap`: CHAP-MD5; `either`: MS-CHAPv2, or CHAP-MD5 where it is refused. */
  readonly authentication: 'chap' | 'mschap2' | 'either' | 'none'
  /** Least and most seconds until the peer has to prove its password once more; undefined for never. */
  readonly rechallengeSeconds?: readonly [number, number] | undefined
  /** LCP echo period in seconds, undefined for none. */
  readonly echoSeconds: number | undefined
  /** The MRU we ask for, and the largest IP packet we send: never above what ESP leaves of the path's MTU. */
  readonly mru: number
  readonly hostName: string
}
