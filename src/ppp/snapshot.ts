/** What a link tells of itself, for SHOW and for counters. */

import type { Ipv4 } from '../packet/ip.ts'
import type { AuthenticationMethod } from './effects.ts'

export type PppPhase = 'dead' | 'establish' | 'authenticate' | 'network' | 'terminate'

export interface PppCounters {
  framesIn: number
  framesOut: number
  /** Frames that were no PPP, or packets with broken lengths. */
  malformed: number
  /** Well-formed packets that meant nothing in their phase. */
  ignored: number
  protocolRejects: number
  codeRejects: number
  echoRequestsIn: number
  echoRequestsOut: number
}

export function newCounters(): PppCounters {
  return {
    framesIn: 0,
    framesOut: 0,
    malformed: 0,
    ignored: 0,
    protocolRejects: 0,
    codeRejects: 0,
    echoRequestsIn: 0,
    echoRequestsOut: 0,
  }
}

/** A link as SHOW prints it. */
export interface PppSnapshot {
  readonly phase: PppPhase
  /** RFC 1661's names: Initial, Req-Sent, Opened and so on. */
  readonly lcp: string
  readonly ipcp: string
  readonly user: string | undefined
  readonly address: Ipv4 | undefined
  readonly localAddress: Ipv4 | undefined
  /** The options that hold for what the peer takes, and for what we do. */
  readonly peerMru: number
  readonly peerMagic: number
  readonly compressAddress: boolean
  readonly compressProtocol: boolean
  readonly localMru: number
  readonly localMagic: number
  /** What is asked of the peer, or was agreed on. */
  readonly authentication: AuthenticationMethod
  /** Identification texts of the peer: Windows gives its version and the computer's name. */
  readonly identifications: readonly string[]
  readonly missedEchoes: number
  readonly counters: Readonly<PppCounters>
}
