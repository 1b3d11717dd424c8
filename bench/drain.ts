/**
 * A drain behind a gateway's device: UDP to a port is counted and dropped as soon as it has left the cable. Sending over a
 * virtual cable runs the receiver's part in the sender's time, and what a host does with a packet, or waking another
 * processor for it, costs more than many a gateway does; a drain costs next to nothing.
 */

import { must } from '../test/support/command.ts'
import type { Network } from '../test/support/netns.ts'

const TABLE = 'netdev drain'
const IP_AND_UDP = 28

export interface Drained {
  /** What came through the cable: a packet, or a chain of datagrams that are equally long but for the last. */
  readonly trains: number
  readonly bytes: number
}

export class Drain {
  private readonly network: Network
  private readonly namespace: string
  private readonly rules: string

  constructor(network: Network, namespace: string, device: string, port: number) {
    this.network = network
    this.namespace = namespace
    this.rules = `table ${TABLE} {
      chain in { type filter hook ingress device "${device}" priority 0; udp dport ${port} counter drop; }
    }`
  }

  async open(): Promise<void> {
    await this.nft(this.rules)
  }

  /** Answers what came, and lets everything through again. */
  async close(): Promise<Drained> {
    const drained = await this.count()
    await this.nft(`delete table ${TABLE}`)
    return drained
  }

  async count(): Promise<Drained> {
    const listed = await must(this.network.inside(this.namespace, 'nft', 'list', 'table', ...TABLE.split(' ')))
    const [, trains, bytes] = /counter packets (\d+) bytes (\d+)/.exec(listed)!
    return { trains: Number(trains), bytes: Number(bytes) }
  }

  private async nft(input: string): Promise<void> {
    await must(this.network.inside(this.namespace, 'nft', '-f', '-'), { input })
  }
}

/** How many datagrams it was, where one alone is an IP packet of so many bytes. */
export function datagrams({ trains, bytes }: Drained, alone: number): number {
  return Math.round((bytes - IP_AND_UDP * trains) / (alone - IP_AND_UDP))
}
