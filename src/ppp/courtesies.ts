/**
 * LCP's packets beside the negotiation: echoes (RFC 1661 section 5.8), Protocol-Reject (section 5.7), Identification and
 * Time-Remaining (RFC 1570). None of them changes the link's state.
 */

import { printable, toHex } from '../packet/bytes.ts'
import { concat } from '../packet/writer.ts'
import { Allowance } from './allowance.ts'
import {
  Code,
  ECHO_BURST,
  ECHO_REFILL_MILLIS,
  MAX_IDENTIFICATIONS,
  REJECT_BURST,
  REJECT_REFILL_MILLIS,
} from './constants.ts'
import type { ControlPacket } from './frame.ts'
import type { Turn } from './negotiation.ts'
import type { PppCounters } from './snapshot.ts'

/** What the courtesies need of the link around them. */
export interface Surroundings {
  /** Sends a packet of LCP. */
  send(packet: ControlPacket, turn: Turn): void
  takeId(): number
  /** LCP is opened. */
  opened(): boolean
  /** Our Magic-Number, and the largest packet that the peer takes. */
  magic(): number
  peerMru(): number
}

export class Courtesies {
  /** What the peer says it is. */
  readonly identifications: string[] = []
  private readonly link: Surroundings
  private readonly counters: PppCounters
  private readonly allowance = new Allowance(REJECT_BURST, REJECT_REFILL_MILLIS)

  /** One who asks without end gets no more of our time for it. */
  private readonly echoes = new Allowance(ECHO_BURST, ECHO_REFILL_MILLIS)

  constructor(link: Surroundings, counters: PppCounters) {
    this.link = link
    this.counters = counters
  }

  /** A reject's copy is cut to the peer's MRU (RFC 1661 sections 5.6 and 5.7); beyond the allowance none is sent. */
  rejectRoom(counter: 'codeRejects' | 'protocolRejects', turn: Turn): number | undefined {
    if (!this.allowance.take(turn.now)) return undefined
    this.counters[counter]++
    return this.link.peerMru() - 4
  }

  rejectProtocol(protocol: number, payload: Uint8Array, turn: Turn): void {
    const room = this.rejectRoom('protocolRejects', turn)
    if (room === undefined) return
    const data = concat(Uint8Array.of(protocol >>> 8, protocol), payload).subarray(0, room)
    this.link.send({ code: Code.ProtocolReject, id: this.link.takeId(), data }, turn)
  }

  /** Takes a packet that is one of these; answers whether it was. */
  receive(packet: ControlPacket, turn: Turn): boolean {
    switch (packet.code) {
      case Code.EchoRequest:
        this.echoRequested(packet, turn)
        return true
      case Code.EchoReply:
      case Code.DiscardRequest:
        return true
      case Code.Identification:
        this.identified(packet, turn)
        return true
      case Code.TimeRemaining:
        this.timeRemaining(packet, turn)
        return true
      default:
        return false
    }
  }

  private echoRequested(packet: ControlPacket, turn: Turn): void {
    this.counters.echoRequestsIn++
    if (!this.link.opened() || packet.data.length < 4 || !this.echoes.take(turn.now)) return
    const data = concat(this.magicBytes(), packet.data.subarray(4)).subarray(0, this.link.peerMru() - 4)
    this.link.send({ code: Code.EchoReply, id: packet.id, data }, turn)
  }

  sendEcho(turn: Turn): void {
    this.counters.echoRequestsOut++
    this.link.send({ code: Code.EchoRequest, id: this.link.takeId(), data: this.magicBytes() }, turn)
  }

  private identified(packet: ControlPacket, turn: Turn): void {
    const { identifications } = this
    const text = identificationText(packet.data.subarray(4))
    if (text === '' || identifications.includes(text) || identifications.length >= MAX_IDENTIFICATIONS) return
    identifications.push(text)
    turn.effects.push({ kind: 'event', text: `the client says it is ${text}` })
  }

  private timeRemaining(packet: ControlPacket, turn: Turn): void {
    if (packet.data.length < 8 || !this.allowance.take(turn.now)) return
    const d = packet.data
    const seconds = ((d[4]! << 24) | (d[5]! << 16) | (d[6]! << 8) | d[7]!) >>> 0
    turn.effects.push({
      kind: 'event',
      text: `the client says ${seconds} seconds remain ${printable(d.subarray(8), 64)}`.trim(),
    })
  }

  private magicBytes(): Uint8Array {
    const m = this.link.magic()
    return Uint8Array.of(m >>> 24, m >>> 16, m >>> 8, m)
  }
}

/** Text, or hexadecimal for the correlation GUID that Windows since Vista adds. */
function identificationText(bytes: Uint8Array): string {
  const isText = bytes.every(b => b === 0 || (b >= 0x20 && b < 0x7f))
  return isText ? printable(bytes, 64) : toHex(bytes.subarray(0, 32))
}
