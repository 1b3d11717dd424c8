/**
 * Who runs where: the gateway has the first processor to itself and everything else the others. What comes to its devices is
 * received in its sender's time. What leaves them would be received in the gateway's own, since a virtual cable has the
 * sender do the receiver's work: a drain takes single packets, and where TCP has to arrive the others' processors take it.
 */

import { availableParallelism } from 'node:os'
import { must, run } from '../test/support/command.ts'
import type { Network } from '../test/support/netns.ts'

const GATEWAY = '0'
/** More are not needed, and a mask of more would be written otherwise. */
const MOST = 32

const count = Math.min(MOST, availableParallelism())
const others = count > 1 ? `1-${count - 1}` : GATEWAY

/** This program, and whatever it starts from here on. */
export async function stepAside(): Promise<void> {
  await must(['taskset', '-a', '-c', '-p', others, String(process.pid)])
}

/** What runs in the namespace, and whatever that starts. */
export async function giveProcessor(network: Network, namespace: string): Promise<void> {
  const { output } = await run(['ip', 'netns', 'pids', `${network.id}-${namespace}`])
  for (const pid of output.trim().split('\n').filter(Boolean)) await must(['taskset', '-a', '-c', '-p', GATEWAY, pid])
}

/** Has what comes to a device received on the others' processors, or in its sender's time again. */
export async function receiveAside(network: Network, namespace: string, device: string, on: boolean): Promise<void> {
  const mask = on ? (2 ** count - 2).toString(16) : '0'
  if (count === 1) return
  await must(network.inside(namespace, 'sh', '-c', `echo ${mask} >/sys/class/net/${device}/queues/rx-0/rps_cpus`))
}
