/**
 * Hears when somebody removes an nftables table (linux/netfilter/nf_tables.h): `nft flush ruleset`, which the host's own nftables
 * service begins with as well, takes ours with it. Whose table it was is asked afterwards.
 */

import { endianness } from 'node:os'
import type { Native, NativeWatcher } from './native.ts'

const LITTLE = endianness() === 'LE'
/** NFNL_SUBSYS_NFTABLES, in a message type's upper byte, and NFT_MSG_DELTABLE. */
const TABLE_GONE = (10 << 8) | 2
/** NFNLGRP_NFTABLES, as a bit. */
const GROUP = 1 << 6
const HEADER = 16
const RECEIVE = 65_536
/** Receives before others get their turn. */
const ROUNDS = 8

export class TableWatch {
  private readonly native: Native
  private readonly fd: number
  private readonly watcher: NativeWatcher
  private readonly buffer = new Uint8Array(RECEIVE)

  /** Calls back when a table is gone, ours or not, until close. Throws an Error where this kernel tells nobody. */
  constructor(native: Native, gone: () => void) {
    this.native = native
    this.fd = native.netfilterSocket(GROUP)
    this.watcher = native.watch(this.fd, () => {
      if (this.read()) gone()
    })
  }

  close(): void {
    this.native.unwatch(this.watcher)
    this.native.close(this.fd)
  }

  private read(): boolean {
    let gone = false
    for (let i = 0; i < ROUNDS; i++) {
      const length = this.native.netlinkReceive(this.fd, this.buffer)
      if (length === -1) break
      // What the kernel could not keep for us may have been just that.
      gone ||= length < 0 || tellsOfTableGone(this.buffer.subarray(0, length))
    }
    return gone
  }
}

/** Whether what one receive gave tells of a table that is gone. */
export function tellsOfTableGone(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = view.getUint32(at, LITTLE)
    if (length < HEADER) return false
    if (view.getUint16(at + 4, LITTLE) === TABLE_GONE) return true
    at += (length + 3) & ~3
  }
  return false
}
