/** Addresses that no client can have, though a pool may hold them or a user be given one. */

import type { LocalInterface } from '../firewall/surroundings.ts'
import type { Ipv4 } from '../packet/ip.ts'

/** A subnet of fewer hosts has no addresses that mean all of it (RFC 3021). */
const POINT_TO_POINT = 2

/** The gateway's own, and those that stand for a whole subnet (RFC 1122 section 3.2.1.3). */
export function unusableAddresses(interfaces: readonly Pick<LocalInterface, 'address' | 'mask'>[]): Ipv4[] {
  return interfaces.flatMap(({ address, mask }) => {
    const others = ~mask >>> 0
    if (address === 0) return []
    return others < POINT_TO_POINT ? [address] : [address, (address & mask) >>> 0, (address | others) >>> 0]
  })
}
