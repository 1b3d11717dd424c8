/** What the responder knows of each phase 1, each Quick Mode, each peer and each pair of ESP SAs. */

import type { Millis } from '../machine.ts'
import type { Endpoint } from '../packet/ip.ts'
import type { Allowance } from './allowance.ts'
import { COOKIE_LENGTH } from './constants.ts'
import type { ChildSa } from './effects.ts'
import type { Skeyids } from './keymat.ts'
import type { NatFinding, NatFlavour } from './nat.ts'
import type { IsakmpPolicy, Phase1Suite, Phase2Suite } from './policy.ts'
import type { Protection } from './protect.ts'
import type { Replies } from './retransmit.ts'
import type { Timer } from './timers.ts'
import type { UnusedPairs } from './unused.ts'

/** Where a peer is, and which of our addresses and ports it talks to. */
export interface Place {
  readonly local: Endpoint
  readonly remote: Endpoint
}

export interface Cookies {
  readonly initiatorCookie: Uint8Array
  readonly responderCookie: Uint8Array
}

/** An ISAKMP policy, and the life of an ISAKMP SA under it. */
export interface PolicyChoice {
  readonly policy: IsakmpPolicy
  readonly lifetimeSeconds: number
}

/** What the first message settled. */
export interface MainModeStart extends Cookies, PolicyChoice {
  /** Policies that would have agreed to the same under another pre-shared key: the fifth message decides. */
  readonly others: readonly PolicyChoice[]
  readonly suite: Phase1Suite
  /** How long the client takes it to live, whose offer was accepted as it was. */
  readonly offeredSeconds: number
  readonly natFlavour: NatFlavour | undefined
  /** Who sent it, in words. */
  readonly client: string
  readonly microsoft: boolean
  /** Whether it bore Vid-Initial-Contact; to be believed only after authentication. */
  readonly initialContact: boolean
  /** Whether it said that it puts fragments together, */
  readonly fragmentation: boolean
  /** and that it answers liveness checks. */
  readonly deadPeerDetection: boolean
  /** The body of its SA payload, which both authentication hashes cover. */
  readonly sa: Uint8Array
}

/** What the third and fourth message settled. */
export interface MainModeKeys extends Skeyids {
  readonly protection: Protection
  readonly firstIv: Uint8Array
  readonly initiatorPublic: Uint8Array
  readonly responderPublic: Uint8Array
  readonly nat: NatFinding
  /** Whether the peer may take us for being behind a NAT, or is itself, or has to behave so: then plain ESP is wrong. */
  readonly natVisible: boolean
}

/** An authenticated ISAKMP SA: what Quick Mode and Informational need. */
export interface IsakmpSa {
  readonly keys: MainModeKeys
  /** The last ciphertext block of main mode, from which every later exchange's IV comes. */
  readonly lastBlock: Uint8Array
  peer: Peer
  readonly identity: string
  readonly established: Millis
  readonly expires: Millis
  /** Over by our policy, though the client was not told: it still answers, but makes nothing new. */
  retired: boolean
  /** By message ID; Windows counts them 1, 2, 3 in every SA, so they mean nothing outside it. */
  readonly quickModes: Map<number, QuickMode>
  /** Message IDs that an authenticated message bore, so that a recorded one cannot be played again: of every Quick Mode, */
  readonly usedQuickModeIds: Set<number>
  /** and of the latest Informational messages. */
  readonly usedInformationalIds: Set<number>
  /** The sequence number of our last liveness check. */
  question: number | undefined
  readonly unused: UnusedPairs
}

/** What message 3 makes of a policy: the keys, were it the client's. */
export interface Trial extends PolicyChoice {
  readonly keys: MainModeKeys
}

/** Message 4 is out. */
export interface KeSent {
  readonly name: 'KESENT'
  readonly keys: MainModeKeys
  /** What they are under the other policies. */
  readonly trials: readonly Trial[]
  /** How many fifth messages were refused. */
  refused: number
}

export type MainModeState =
  /** Message 2 is out. */
  { readonly name: 'SASENT' } | KeSent | { readonly name: 'UP'; readonly sa: IsakmpSa }

export interface Phase1 {
  readonly id: number
  /** Its policy is settled when the fifth message authenticates. */
  readonly start: MainModeStart
  readonly startedAt: Millis
  readonly replies: Replies
  state: MainModeState
  /** While half open; afterwards the peer's place counts. */
  place: Place
  /** How often the peer repeated itself. */
  repetitions: number
  /** Whether a failure of this exchange was reported already. */
  reported: boolean
  /** Whether long messages go out in pieces: the peer does so, or seems not to get them whole. */
  fragments: boolean
  /** Whether a message has come in part only: pieces of it are missing. */
  incomplete: boolean
  /** How often its third message found no time for our Diffie-Hellman. */
  postponed: number
  /** What the peer, or someone who saw its cookies, told in clear of why it ends this: believed in no state. */
  hearsay: string | undefined
  timer: Timer | undefined
}

/** A phase 1 that is up. */
export type EstablishedPhase1 = Phase1 & { readonly state: { readonly name: 'UP'; readonly sa: IsakmpSa } }

export interface QuickMode {
  readonly id: number
  readonly messageId: number
  readonly initiatorNonce: Uint8Array
  readonly responderNonce: Uint8Array
  /** The IV of the message that comes next. */
  readonly iv: Uint8Array
  readonly replies: Replies
  readonly reply: Uint8Array
  readonly child: Child
  readonly suite: Phase2Suite
  state: 'WAIT_HASH' | 'DONE'
  /** How often the second message was sent unasked, the first time included. */
  sent: number
  timer: Timer | undefined
}

/** A pair of ESP SAs. */
export interface Child {
  sa: ChildSa
  readonly phase1: number
  readonly established: Millis
  readonly expires: Millis
  readonly sendDeletes: boolean
  /** The exchange that made it, until it is complete. */
  quickMode: QuickMode | undefined
  timer: Timer | undefined
}

export interface Peer {
  readonly id: number
  readonly identityKey: string
  readonly identity: string
  readonly policy: string
  place: Place
  /** Authenticated phase 1s, oldest first. */
  readonly phase1s: Set<EstablishedPhase1>
  /** By inbound SPI, oldest first. */
  readonly children: Map<number, Child>
  /** Since when it has no ESP SA. */
  childlessSince: Millis | undefined
  /** How much it may still have us tell the operator. */
  readonly events: Allowance
  keepalive: Timer | undefined
  /** When something authentic came from it last, */
  heard: Millis
  /** how often it was asked since whether it lives, */
  asked: number
  /** and when it is looked at again. */
  liveness: Timer | undefined
}

export function isEstablished(p: Phase1): p is EstablishedPhase1 {
  return p.state.name === 'UP'
}

const bothCookies = Buffer.alloc(2 * COOKIE_LENGTH)

/** The key of a phase 1: both cookies in hexadecimal, made at once, as a map flattens what was put together of pieces. */
export function cookieKey(c: Cookies): string {
  bothCookies.set(c.initiatorCookie)
  bothCookies.set(c.responderCookie, COOKIE_LENGTH)
  return bothCookies.toString('hex')
}

/** The key of a place: the peer's address and port, and which of our ports it talks to. */
export function placeKey(p: Place): string {
  return `${p.remote.address}:${p.remote.port}>${p.local.port}`
}
