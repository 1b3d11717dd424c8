/** What the data path knows of each PPP link: one byte a session row. */

import { MAX_SESSIONS } from '../packet/table.ts'

export const LinkFlag = { Up: 1, CompressAddress: 2, CompressProtocol: 4 } as const

export interface PppFlags {
  /** IPCP is open: IPv4 may pass. */
  readonly up: boolean
  /** Frames to the peer leave out FF 03 (ACFC). */
  readonly compressAddress: boolean
  /** Frames to the peer leave out the protocol's first zero byte (PFC). */
  readonly compressProtocol: boolean
}

export class PppTable {
  /** LinkFlag bits by session row. */
  readonly flags = new Uint8Array(MAX_SESSIONS)

  set(session: number, flags: PppFlags): void {
    this.flags[session] =
      (flags.up ? LinkFlag.Up : 0) |
      (flags.compressAddress ? LinkFlag.CompressAddress : 0) |
      (flags.compressProtocol ? LinkFlag.CompressProtocol : 0)
  }

  clear(session: number): void {
    this.flags[session] = 0
  }
}
