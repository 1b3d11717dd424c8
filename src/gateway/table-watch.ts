/**
 * Hears when somebody removes an nftables table (linux/netfilter/nf_tables.h): `nft flush ruleset`, which the host's own nftables
 * service begins with as well, takes ours with it. Whose table it was is asked afterwards.
 */

import type { Native } from './native.ts'
import { eachMessage, NetlinkWatch } from './netlink-watch.ts'

/** NFNL_SUBSYS_NFTABLES, in a message type's upper byte, and NFT_MSG_DELTABLE. */
const TABLE_GONE = (10 << 8) | 2
/** NFNLGRP_NFTABLES, as a bit. */
const GROUP = 1 << 6

export class TableWatch {
  private readonly watch: NetlinkWatch

  /** Calls back when a table is gone, ours or not, until close. Throws an Error where this kernel tells nobody. */
  constructor(native: Native, gone: () => void) {
    const take = (bytes: Uint8Array) => {
      if (tellsOfTableGone(bytes)) gone()
    }
    // What the kernel could not keep for us may have been just that.
    this.watch = new NetlinkWatch(native, native.netfilterSocket(GROUP), take, gone)
  }

  close(): void {
    this.watch.close()
  }
}

/** Whether what one receive gave tells of a table that is gone. */
export function tellsOfTableGone(bytes: Uint8Array): boolean {
  let gone = false
  eachMessage(bytes, type => {
    gone ||= type === TABLE_GONE
  })
  return gone
}
