/** Address ranges as the blocks that routes are made of (RFC 4632). */

import type { AddressRange } from '../firewall/policy.ts'
import { formatIpv4, type Ipv4 } from '../packet/ip.ts'

export interface Block {
  readonly network: Ipv4
  /** Bits of the network's part. */
  readonly length: number
}

/** The fewest blocks that hold all of a range and nothing else, in order. */
export function blocksOf({ first, last }: AddressRange): Block[] {
  const blocks: Block[] = []
  for (let at = first; at <= last; ) {
    let size = 1
    while (at % (2 * size) === 0 && at + 2 * size - 1 <= last) size *= 2
    blocks.push({ network: at, length: 32 - Math.log2(size) })
    at += size
  }
  return blocks
}

/** Whether a block lies wholly in a subnet. */
export function liesIn({ network, length }: Block, address: Ipv4, mask: number): boolean {
  const wanted = length === 0 ? 0 : (-1 << (32 - length)) >>> 0
  return (mask & wanted) >>> 0 === mask >>> 0 && (network & mask) >>> 0 === (address & mask) >>> 0
}

export const formatBlock = ({ network, length }: Block) => `${formatIpv4(network)}/${length}`
