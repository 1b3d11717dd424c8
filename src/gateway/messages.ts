/** What control and the workers say to each other. Keys travel as plain bytes, and are zeroed behind them and on arrival. */

import type { EngineEvent } from '../esp/engine.ts'
import type { Suite } from '../esp/sa.ts'
import type { Ruleset } from '../firewall/ruleset.ts'
import type { SessionRow } from '../firewall/sessions.ts'
import type { L2tpSessionIds } from '../l2tp/effects.ts'
import type { FirewallNews, FirewallQuestion } from './firewall-messages.ts'
import type { MirroredPacket, MirrorOrder } from './mirror.ts'
import type { StatsMemory } from './stats.ts'

export interface SaMessage {
  readonly spi: number
  readonly peer: number
  readonly suite: Suite
  /** For encryption, and behind it for integrity: one piece of memory, which is nobody's any more once the message is on its way. */
  readonly keys: Uint8Array
  readonly replayWindow: number
  readonly softBytes: number
  readonly hardBytes: number
}

/** Control to worker. */
export type ToWorker =
  | {
      readonly kind: 'setPath'
      readonly peer: number
      readonly local: number
      readonly remote: number
      readonly port: number
    }
  | { readonly kind: 'installInbound'; readonly sa: SaMessage }
  | { readonly kind: 'installOutbound'; readonly sa: SaMessage }
  | {
      readonly kind: 'removeSa'
      readonly peer: number
      readonly inboundSpi: number
      readonly outboundSpi: number
    }
  | { readonly kind: 'removePeer'; readonly peer: number }
  /** The call is there: frames of it are known from now on. */
  | { readonly kind: 'installSession'; readonly ids: L2tpSessionIds }
  /** IPCP is open: forward. To workers that do not carry the session the row has peer 0. */
  | {
      readonly kind: 'networkUp'
      readonly row: SessionRow
      readonly compressAddress: boolean
      readonly compressProtocol: boolean
    }
  | { readonly kind: 'networkDown'; readonly session: number }
  | { readonly kind: 'removeSession'; readonly session: number }
  | { readonly kind: 'setRuleset'; readonly ruleset: Ruleset }
  | { readonly kind: 'askFirewall'; readonly question: FirewallQuestion }
  /** Copy these peers' packets for a capture, or none any more. */
  | { readonly kind: 'mirror'; readonly order: MirrorOrder }
  /** Bytes from the inner UDP header on, to seal for the peer as they are. */
  | { readonly kind: 'inject'; readonly peer: number; readonly bytes: Uint8Array }
  /** A PPP frame, to encapsulate in the session's L2TP and seal. */
  | { readonly kind: 'injectFrame'; readonly peer: number; readonly session: number; readonly bytes: Uint8Array }
  /** ESP in UDP that came to control, coalesced with a message of IKE before it. */
  | {
      readonly kind: 'arrived'
      readonly local: number
      readonly address: number
      readonly port: number
      readonly bytes: Uint8Array
    }
  | { readonly kind: 'stop' }

/** A packet that is control's business; `bytes` are the receiver's. */
export interface Punt {
  readonly kind: 'punt'
  readonly reason: number
  readonly peer: number
  readonly session: number
  readonly sa: number
  readonly local: number
  readonly address: number
  readonly port: number
  readonly bytes: Uint8Array
}

/** Worker to control. */
export type FromWorker =
  | Punt
  | { readonly kind: 'engine'; readonly events: readonly EngineEvent[] }
  | { readonly kind: 'firewall'; readonly news: FirewallNews }
  | { readonly kind: 'mirrored'; readonly packets: readonly MirroredPacket[] }
  /** Something thrown that nobody expected: the worker goes on with the next batch. */
  | { readonly kind: 'bug'; readonly text: string }
  /** The last that is heard of it; `why` where nobody told it to stop. */
  | { readonly kind: 'stopped'; readonly why?: string }

/** What a worker thread is started with. */
export interface WorkerStart {
  readonly worker: number
  readonly udpFd: number
  readonly rawFd: number
  readonly tunFd: number
  /** Which super-segments the TUN device gives and takes: kernels before 6.2 none of UDP. */
  readonly tunOffloads: 'none' | 'tcp' | 'all'
  /** Whether datagrams may come coalesced. */
  readonly coalesced: boolean
  /** What control says, and what wakes the worker for it; what the worker says, and what wakes control: shared-ring.ts. */
  readonly ring: SharedArrayBuffer
  readonly wakeFd: number
  readonly upRing: SharedArrayBuffer
  readonly upFd: number
  readonly stats: StatsMemory
  /** 32 random bits for the flow table's hash. */
  readonly seed: number
}
