/**
 * Who runs where: the gateway has the first processor to itself, or the first few, and everything else the others. What comes to its devices is
 * received in its sender's time. What leaves them would be received in the gateway's own, since a virtual cable has the
 * sender do the receiver's work: a drain takes single packets, and where TCP has to arrive the others' processors take it.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { must, run } from '../test/support/command.ts'
import type { Network } from '../test/support/netns.ts'

/** More are not needed, and a mask of more would be written otherwise. */
const MOST = 32

const count = Math.min(MOST, availableParallelism())

/** The processors from one on, or all of them where there are none of these. */
const from = (first: number) => `${first < count ? first : 0}-${count - 1}`

/** This program, and whatever it starts from here on; the gateway's are so many. */
export async function stepAside(gateways = 1): Promise<void> {
  await must(['taskset', '-a', '-c', '-p', from(gateways), String(process.pid)])
}

/** The first processors for what runs in the namespace, and whatever that starts. */
export async function giveProcessors(network: Network, namespace: string, many = 1): Promise<void> {
  const first = `0-${Math.min(many, count) - 1}`
  for (const pid of await pids(network, namespace)) await must(['taskset', '-a', '-c', '-p', first, pid])
}

/** Has what comes to a device received on the others' processors, or in its sender's time again. */
export async function receiveAside(network: Network, namespace: string, device: string, on: boolean): Promise<void> {
  const mask = on ? (2 ** count - 2).toString(16) : '0'
  if (count === 1) return
  await must(network.inside(namespace, 'sh', '-c', `echo ${mask} >/sys/class/net/${device}/queues/rx-0/rps_cpus`))
}

/** Nanoseconds that all threads of all processes in the namespace have run. */
export async function timeOf(network: Network, namespace: string): Promise<number> {
  return [...(await timesOf(network, namespace)).values()].reduce((sum, each) => sum + each, 0)
}

/** The same by thread. */
export async function timesOf(network: Network, namespace: string): Promise<Map<string, number>> {
  const times = new Map<string, number>()
  for (const pid of await pids(network, namespace)) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      times.set(task, Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]))
    }
  }
  return times
}

async function pids(network: Network, namespace: string): Promise<string[]> {
  const { output } = await run(['ip', 'netns', 'pids', `${network.id}-${namespace}`])
  return output.trim().split('\n').filter(Boolean)
}
