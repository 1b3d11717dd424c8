/**
 * The way that the host knows to each session. It is asked for as soon as the client has its address, and IPCP, which takes a
 * few messages more, is done behind it: a client's first packet may come with the last of these, and its answer finds the way.
 */

import type { Ipv4 } from '../packet/ip.ts'
import type { HostNetwork } from './ports.ts'

interface SessionRoute {
  readonly address: Ipv4
  readonly mtu: number
  readonly user: string
}

export class SessionRoutes {
  private readonly network: HostNetwork
  private readonly all = new Map<number, SessionRoute>()

  constructor(network: HostNetwork) {
    this.network = network
  }

  /** Makes the session's route, unless it is there as it should be. */
  lay(session: number, address: Ipv4, mtu: number, user: string): void {
    const before = this.all.get(session)
    if (before?.address === address && before.mtu === mtu && before.user === user) return
    if (before !== undefined && (before.address !== address || before.user !== user)) this.remove(session)
    this.all.set(session, { address, mtu, user })
    this.network.addSession(address, mtu, this.network.proxyDevice(address), user)
  }

  remove(session: number): void {
    const route = this.all.get(session)
    if (!this.all.delete(session) || route === undefined) return
    this.network.removeSession(route.address)
  }
}
