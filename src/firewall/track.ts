/** What a packet does to the flow it belongs to: coarse connection states, and the timeouts that follow from them. */

import type { Millis } from '../machine.ts'
import { IpProtocol } from '../packet/ip.ts'
import { SIP_PORT, TcpFlag, Timeout, UDP_PROOF_PACKETS } from './constants.ts'
import type { FlowTable } from './flow.ts'
import { FlowState } from './flow-columns.ts'
import type { Headers } from './headers.ts'
import type { Ruleset } from './ruleset.ts'
import { follow, isResetPlausible } from './window.ts'

/** What a TCP flow remembers: the answer came, who has said FIN, and that somebody said RST. */
const Mark = { Answered: 1, FinForward: 2, FinReverse: 4, Reset: 8 } as const

/**
 * Counts the packet or the packets of a super-segment, moves the flow's state and sets when it expires. Answers false, with nothing changed, where the packet
 * is a RST that its sender cannot have sent: it must not pass.
 */
export function track(
  flows: FlowTable,
  row: number,
  reversed: boolean,
  bytes: Uint8Array,
  h: Headers,
  ruleset: Ruleset,
  policy: number,
  now: Millis,
): boolean {
  if (h.protocol === IpProtocol.Tcp) {
    if ((h.tcpFlags & TcpFlag.Rst) === 0) follow(flows, row, reversed, h, bytes)
    else if (!isResetPlausible(flows, row, reversed, h)) return false
  }
  const forward = flows.packetsForward[row]!
  const reverse = flows.packetsReverse[row]!
  if (reversed) {
    flows.packetsReverse[row] = reverse + h.packets
    flows.bytesReverse[row]! += h.wireBytes
  } else {
    flows.packetsForward[row] = forward + h.packets
    flows.bytesForward[row]! += h.wireBytes
  }

  let lifetime: Millis
  if (h.protocol === IpProtocol.Tcp) {
    lifetime = trackTcp(flows, row, reversed, h.tcpFlags, ruleset.tcpTimeouts[policy]!)
  } else {
    if (reversed) flows.state[row] = FlowState.Established
    if (h.protocol === IpProtocol.Udp) {
      const proven =
        forward >= UDP_PROOF_PACKETS ||
        reverse >= UDP_PROOF_PACKETS ||
        h.sourcePort === SIP_PORT ||
        h.destinationPort === SIP_PORT
      lifetime = udpLifetime(flows, row, proven, ruleset, policy)
    } else if (h.protocol === IpProtocol.Esp) {
      lifetime = ruleset.espTimeouts[policy]!
    } else {
      lifetime = h.protocol === IpProtocol.Icmp ? ruleset.icmpTimeouts[policy]! : ruleset.otherTimeouts[policy]!
    }
  }
  flows.touch(row, now, now + lifetime)
  return true
}

/** What is said of the port on the public side holds at once; everything else has to prove itself first. */
function udpLifetime(flows: FlowTable, row: number, proven: boolean, ruleset: Ruleset, policy: number): Millis {
  const ports = ruleset.udpPortTimeouts[policy]!
  if (ports.size > 0) {
    const port = flows.fromOutside[row] === 1 ? flows.sourcePort[row]! : flows.destinationPort[row]!
    const special = ports.get(port)
    if (special !== undefined) return special
  }
  const configured = ruleset.udpTimeouts[policy]!
  return proven ? configured : Math.min(configured, Timeout.udpUnproven)
}

/**
 * A RST in the window may still be a lucky guess: it only shortens the flow's life, and a later segment of either end, which
 * a true reset would have silenced, takes that back.
 */
function trackTcp(flows: FlowTable, row: number, reversed: boolean, flags: number, configured: Millis): Millis {
  let marks = flows.marks[row]!
  const syn = (flags & TcpFlag.Syn) !== 0
  if (syn && !reversed && (flags & TcpFlag.Ack) === 0 && flows.state[row] === FlowState.Closing) {
    // The client uses its port again.
    marks = 0
    flows.state[row] = FlowState.Opening
  }
  if ((flags & TcpFlag.Rst) !== 0) marks |= Mark.Reset
  else if (!syn) marks &= ~Mark.Reset
  if ((flags & TcpFlag.Fin) !== 0) marks |= reversed ? Mark.FinReverse : Mark.FinForward
  if (reversed && (flags & TcpFlag.Ack) !== 0 && (flags & TcpFlag.Rst) === 0) marks |= Mark.Answered
  flows.marks[row] = marks

  const bothFins = Mark.FinForward | Mark.FinReverse
  if ((marks & Mark.Reset) !== 0 || (marks & bothFins) === bothFins) {
    flows.observer?.closing(row)
    flows.state[row] = FlowState.Closing
  } else if ((marks & Mark.Answered) === 0) flows.state[row] = FlowState.Opening
  else if (!reversed || flows.state[row] === FlowState.Closing) flows.state[row] = FlowState.Established

  if (flows.state[row] === FlowState.Established) return configured
  return flows.state[row] === FlowState.Closing ? Timeout.tcpClosing : Math.min(configured, Timeout.tcpOpening)
}
