/**
 * Ports of a global address that several workers share: blocks of 256, by turns one worker's. Who draws ports from his own
 * blocks alone owns what comes to them; the TUN device's program (native/tun_steering.cc) reckons the same.
 */

import { NAT_FIRST_PORT, NAT_LAST_PORT } from './constants.ts'

const BLOCK_BITS = 8
const BLOCK = 1 << BLOCK_BITS
const FIRST_BLOCK = NAT_FIRST_PORT >>> BLOCK_BITS
const BLOCKS = (NAT_LAST_PORT >>> BLOCK_BITS) + 1 - FIRST_BLOCK

/** More workers would leave some too few ports. */
export const MOST_SHARING = 64

/** The worker whose a port is. */
export function ownerOfPort(port: number, workers: number): number {
  return (port >>> BLOCK_BITS) % workers
}

/** How many ports a worker has to draw from. */
export function portsOfWorker(worker: number, workers: number): number {
  const before = firstBlock(worker, workers) - FIRST_BLOCK
  return Math.ceil((BLOCKS - before) / workers) * BLOCK
}

/** The `index`th of them. */
export function portOfWorker(index: number, worker: number, workers: number): number {
  return ((firstBlock(worker, workers) + (index >>> BLOCK_BITS) * workers) << BLOCK_BITS) | (index & (BLOCK - 1))
}

function firstBlock(worker: number, workers: number): number {
  return FIRST_BLOCK + ((((worker - FIRST_BLOCK) % workers) + workers) % workers)
}
