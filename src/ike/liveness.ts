/** Whether a peer that fell silent still lives: asked of those that said they answer (RFC 3706). Windows does not. */

import type { Millis } from '../machine.ts'
import { equal } from '../packet/bytes.ts'
import { concat } from '../packet/writer.ts'
import { Notify, Protocol } from './constants.ts'
import type { Context } from './context.ts'
import { notifyPayload } from './informational.ts'
import { messageIdBytes } from './keymat.ts'
import type { Payload } from './message.ts'
import { type Notification, notification } from './payload.ts'
import type { Cookies, EstablishedPhase1, Peer } from './state.ts'

/** Silence after which a peer is asked, where its policy does not say. */
const IDLE_MILLIS = 75_000
const RETRY_MILLIS = 10_000
const MAX_ASKED = 5

export class Liveness {
  private readonly context: Context
  private readonly send: (phase1: EstablishedPhase1, question: Payload) => void
  private readonly dead: (peer: Peer) => void

  constructor(context: Context, send: Liveness['send'], dead: Liveness['dead']) {
    this.context = context
    this.send = send
    this.dead = dead
  }

  /** The peer has a new ISAKMP SA. */
  watch(peer: Peer): void {
    this.heard(peer)
    this.look(peer)
  }

  /** Something authentic came from the peer, in IKE or in ESP. */
  heard(peer: Peer): void {
    peer.heard = this.context.now
    peer.asked = 0
  }

  forget(peer: Peer): void {
    this.context.timers.cancel(peer.liveness)
  }

  /** Whether a notify is the answer to our last question under this ISAKMP SA. */
  isAnswer(phase1: EstablishedPhase1, n: Notification): boolean {
    const { sa } = phase1.state
    return (
      sa.question !== undefined && equal(n.spi, cookies(phase1.start)) && equal(n.data, messageIdBytes(sa.question))
    )
  }

  private arm(peer: Peer, at: Millis): void {
    this.forget(peer)
    peer.liveness = this.context.timers.set(at, () => this.look(peer))
  }

  private look(peer: Peer): void {
    this.forget(peer)
    peer.liveness = undefined
    // The newest: an older one the peer may have forgotten. Without any it cannot be asked until there is one again.
    const phase1 = [...peer.phase1s].at(-1)
    const idle = phase1 && patience(phase1)
    if (phase1 === undefined || idle === undefined) return
    const due = peer.heard + idle
    if (peer.asked === 0 && this.context.now < due) return this.arm(peer, due)
    if (peer.asked >= MAX_ASKED) return this.dead(peer)
    peer.asked++
    this.context.count('dpd-asked')
    this.send(phase1, this.ask(phase1))
    this.arm(peer, this.context.now + RETRY_MILLIS)
  }

  /** Sequence numbers start anywhere in each ISAKMP SA, and well below their end (RFC 3706 section 6.2). */
  private ask(phase1: EstablishedPhase1): Payload {
    const { sa } = phase1.state
    if (sa.question === undefined) {
      const b = this.context.dice(4)
      sa.question = ((b[0]! & 0x7f) << 24) | (b[1]! << 16) | (b[2]! << 8) | b[3]!
    } else sa.question++
    const sequence = messageIdBytes(sa.question)
    return notifyPayload(notification(Notify.DpdRUThere, Protocol.Isakmp, cookies(phase1.start), sequence))
  }
}

/** How long this peer may be silent before it is asked; undefined where it may be for ever. */
function patience({ start }: EstablishedPhase1): Millis | undefined {
  const rule = start.policy.deadPeerDetection
  if (!start.deadPeerDetection) return undefined
  if (rule === undefined) return IDLE_MILLIS
  return rule.announced && rule.idleSeconds !== undefined ? rule.idleSeconds * 1000 : undefined
}

function cookies(c: Cookies): Uint8Array {
  return concat(c.initiatorCookie, c.responderCookie)
}
