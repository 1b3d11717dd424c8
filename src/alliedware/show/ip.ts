/** SHOW IP POOL: what the pools hold, and who has which address. */

import { type Column, dash, list } from './layout.ts'
import type { IpPoolState } from './state.ts'

const columns: readonly Column<IpPoolState>[] = [
  { head: 'Name', width: 17, text: p => p.name },
  { head: 'First', width: 17, text: p => p.first },
  { head: 'Last', width: 17, text: p => p.last },
  { head: 'Size', width: 8, text: p => p.size },
  { head: 'Used', width: 8, text: p => p.used.length },
  { head: 'Free', width: 8, text: p => p.free },
]

export function printIpPools(pools: readonly IpPoolState[]): string {
  return list('IP Pools', columns, pools, 'No IP pools.', pool =>
    pool.used.map(({ address, user }) => `${dash(address).padEnd(17)}${dash(user)}`),
  )
}
