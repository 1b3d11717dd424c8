/** When the peer of a tunnel was last heard in it, and on which SAs: whether it is there, and whether it is the same still. */

import type { Millis } from '../machine.ts'
import { RETRANSMISSION_CYCLE } from './constants.ts'

/** More SAs than this no peer has at once that lives on one of them. */
const MAX_SAS = 8

export class Presence {
  heardAt: Millis
  private dataHeardAt: Millis | undefined
  /** The SAs that carried something of the tunnel, the latest last. */
  private readonly sas = new Set<number>()
  private latest: number | undefined

  /** `sa` brought the SCCRQ. */
  constructor(sa: number, now: Millis) {
    this.heardAt = now
    this.remember(sa)
  }

  heard(now: Millis, sa: number): void {
    this.heardAt = now
    this.remember(sa)
  }

  heardData(now: Millis, sa: number | undefined): void {
    this.heardAt = now
    this.dataHeardAt = now
    if (sa !== undefined) this.remember(sa)
  }

  /**
   * A phone may fail to answer a HELLO while its data flows: as long as there is data, it is not dead. On an idle link
   * the data are answers to PPP's echo, which come hardly more often than a HELLO would.
   */
  hasData(now: Millis, helloSeconds: number): boolean {
    return this.dataHeardAt !== undefined && now - this.dataHeardAt < helloSeconds * 1000 + RETRANSMISSION_CYCLE
  }

  isOn(sa: number): boolean {
    return this.sas.has(sa)
  }

  private remember(sa: number): void {
    if (sa === this.latest) return
    this.latest = sa
    this.sas.delete(sa)
    this.sas.add(sa)
    if (this.sas.size > MAX_SAS) this.sas.delete(this.sas.values().next().value!)
  }
}
