/** The options of IPCP: addresses and name servers (RFC 1332 section 3, RFC 1877 section 1). */

import type { Ipv4 } from '../packet/ip.ts'
import { Code, IpcpOption } from './constants.ts'
import type { PppOption } from './frame.ts'
import { option32, optionNumber } from './frame.ts'
import type { Judgement, Policy, Trouble } from './negotiation.ts'

/** What the peer is to be told. */
export interface IpcpAssignment {
  readonly address: Ipv4
  readonly localAddress: Ipv4
  readonly dns: readonly [Ipv4 | undefined, Ipv4 | undefined]
  readonly wins: readonly [Ipv4 | undefined, Ipv4 | undefined]
}

export class IpcpPolicy implements Policy {
  assignment: IpcpAssignment
  private tellsAddress = true

  constructor(assignment: IpcpAssignment) {
    this.assignment = assignment
  }

  ask(): readonly PppOption[] {
    return this.tellsAddress ? [option32(IpcpOption.Address, this.assignment.localAddress)] : []
  }

  /**
   * What we cannot fill goes back in one Reject, values in one Nak after it. The address is never rejected, not even one
   * of a wrong length: Windows would hang up with error 738. A request without it is Nakked with it appended.
   */
  judge(options: readonly PppOption[], naksSpent: boolean): Judgement {
    const rejects = options.filter(
      o => this.value(o.type) === undefined || (naksSpent && this.isServer(o) && this.isWrong(o)),
    )
    if (rejects.length > 0) return { code: Code.ConfigureReject, options: rejects }
    const wrong = options.filter(o => this.isWrong(o)).map(o => o.type)
    const hasAddress = options.some(o => o.type === IpcpOption.Address)
    // After Max-Failure Naks nothing is appended any more (RFC 1661 section 4.6): then it must know by other means.
    if (!hasAddress && !naksSpent) wrong.push(IpcpOption.Address)
    if (wrong.length === 0) return { code: Code.ConfigureAck, options }
    return { code: Code.ConfigureNak, options: wrong.map(type => option32(type, this.value(type)!)) }
  }

  agree(): void {
    // An Ack only ever repeats what we assigned.
  }

  /** The peer would like another address for us: it is ours to choose, so we ask for the same again. */
  nakked(): Trouble | undefined {
    return undefined
  }

  rejected(options: readonly PppOption[]): Trouble | undefined {
    if (options.some(o => o.type === IpcpOption.Address)) this.tellsAddress = false
    return undefined
  }

  private isWrong(o: PppOption): boolean {
    return optionNumber(o, 4) !== this.value(o.type)
  }

  private isServer(o: PppOption): boolean {
    return o.type !== IpcpOption.Address
  }

  /** What the option should say; undefined where we know nothing to say. A server 0.0.0.0 is none: a Nak with it loops. */
  private value(type: number): Ipv4 | undefined {
    const a = this.assignment
    switch (type) {
      case IpcpOption.Address:
        return a.address
      case IpcpOption.PrimaryDns:
        return a.dns[0] || undefined
      case IpcpOption.SecondaryDns:
        return a.dns[1] || undefined
      case IpcpOption.PrimaryNbns:
        return a.wins[0] || undefined
      case IpcpOption.SecondaryNbns:
        return a.wins[1] || undefined
      default:
        return undefined
    }
  }
}
