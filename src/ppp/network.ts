/** The network phase of a link (RFC 1661 section 3.7): IPCP (RFC 1332) for whom authentication let in. */

import type { Millis } from '../machine.ts'
import { formatIpv4 } from '../packet/ip.ts'
import { State } from './automaton.ts'
import { Code } from './constants.ts'
import type { AuthenticationResult } from './effects.ts'
import type { ControlPacket } from './frame.ts'
import { IpcpPolicy } from './ipcp.ts'
import type { Layer, Trouble, Turn } from './negotiation.ts'
import { Negotiation } from './negotiation.ts'
import { terminateReason } from './terminate-reason.ts'

export type Accepted = Extract<AuthenticationResult, { kind: 'accepted' }>

/** What the network phase needs of the link under it. */
export interface Carrier {
  send(packet: ControlPacket, turn: Turn): void
  /** IPCP is open, or is open no more. */
  up(accepted: Accepted, turn: Turn): void
  down(turn: Turn): void
  terminate(trouble: Trouble, turn: Turn): void
  /** How long a Code-Reject's copy may be; undefined where none may go out now. */
  rejectRoom(turn: Turn): number | undefined
}

export class NetworkPhase {
  /** IPv4 may pass. */
  isUp = false
  /** The peer has spoken IPCP since it was authenticated: it has heard our CHAP Success. */
  heard = false
  accepted: Accepted | undefined
  private readonly carrier: Carrier
  private policy: IpcpPolicy | undefined
  private ipcp: Negotiation | undefined

  constructor(carrier: Carrier) {
    this.carrier = carrier
  }

  get deadline(): Millis | undefined {
    return this.ipcp?.deadline
  }

  get state(): State {
    return this.ipcp?.state ?? State.Initial
  }

  open(accepted: Accepted, turn: Turn): void {
    this.accepted = accepted
    this.heard = false
    if (this.ipcp === undefined || this.policy === undefined) {
      this.policy = new IpcpPolicy(accepted)
      this.ipcp = new Negotiation(this.policy, this.layer())
      this.ipcp.signal('Open', turn)
    }
    this.policy.assignment = accepted
    this.ipcp.signal('Up', turn)
  }

  /** LCP fell back: nothing stands on it any more. */
  lowerDown(turn: Turn): void {
    this.ipcp?.signal('Down', turn)
  }

  receive(packet: ControlPacket, turn: Turn): void {
    this.heard = true
    const wasUp = this.isUp
    this.ipcp?.receive(packet, turn)
    if (packet.code !== Code.TerminateRequest) return
    const said = terminateReason(packet.data)
    const detail = said ? `the client closed IPCP: ${said}` : 'the client closed IPCP'
    this.carrier.terminate({ cause: wasUp ? 'peer-terminated' : 'ipcp-failed', detail }, turn)
  }

  expire(turn: Turn): void {
    this.ipcp?.expire(turn)
  }

  /** The link is being closed: IPCP asks for nothing more. */
  rest(): void {
    if (this.ipcp) this.ipcp.deadline = undefined
  }

  private layer(): Layer {
    const { carrier } = this
    return {
      send: (packet, turn) => carrier.send(packet, turn),
      up: turn => {
        this.isUp = true
        carrier.up(this.accepted!, turn)
      },
      down: turn => this.down(turn),
      finished: turn =>
        carrier.terminate(
          { cause: 'ipcp-failed', detail: 'the client did not answer our IPCP Configure-Requests' },
          turn,
        ),
      hopeless: (trouble, turn) =>
        carrier.terminate(trouble ?? { cause: 'ipcp-failed', detail: this.divergence() }, turn),
      rejectRoom: turn => carrier.rejectRoom(turn),
    }
  }

  private down(turn: Turn): void {
    if (!this.isUp) return
    this.isUp = false
    this.carrier.down(turn)
  }

  private divergence(): string {
    const address = this.accepted && formatIpv4(this.accepted.address)
    return `IPCP does not converge: the client does not take the address ${address}`
  }
}
