/** Builds what SHOW IP prints: the script's interfaces and routes as this host has them, and those of the sessions. */

import type { ArpState, IpInterfaceState, IpRouteState, IpState } from '../alliedware/show/ip.ts'
import { formatIpv4, type Ipv4, maskPrefix, parseIpv4 } from '../packet/ip.ts'
import type { Control } from './control.ts'
import type { HostTables } from './host-tables.ts'
import type { Session } from './session.ts'

const HOST_MASK: Ipv4 = 0xffffffff

export function ipState(c: Control, host: HostTables | undefined): IpState {
  const { ip } = c.configuration
  return {
    enabled: ip.enabled,
    forwarding: host?.forwarding,
    localAddress: formatIpv4(c.world.network.localAddress),
    interfaces: ipInterfaces(c, host).length,
    routes: ipRoutes(c, host).length,
    pools: ip.pools.length,
    sessions: live(c).length,
  }
}

export function ipInterfaces(c: Control, host: HostTables | undefined): IpInterfaceState[] {
  const { ip, firewall } = c.configuration
  const placed = new Map(firewall.policies.flatMap(p => p.interfaces).map(i => [i.name.toLowerCase(), i.type]))
  const scripted = ip.interfaces.map((i): IpInterfaceState => {
    const device = host?.deviceOf(i.name)
    return {
      name: i.name,
      device: device ?? '',
      type: 'static',
      address: formatIpv4(i.address),
      mask: formatIpv4(i.mask),
      mtu: device === undefined ? undefined : host?.mtuOf(device),
      firewall: placed.get(i.name.toLowerCase()) ?? '',
    }
  })
  const dynamic = live(c).map(
    ({ session, address }): IpInterfaceState => ({
      name: session.name,
      device: '',
      type: 'dynamic',
      address: formatIpv4(address),
      mask: formatIpv4(HOST_MASK),
      mtu: session.mtu,
      firewall: '',
    }),
  )
  return [...scripted, ...dynamic]
}

export function ipRoutes(c: Control, host: HostTables | undefined): IpRouteState[] {
  const { ip } = c.configuration
  const scripted = ip.routes.map((r): IpRouteState => {
    const device = host?.deviceOf(r.interface)
    const inForce = host?.routes.some(
      h => h.network === r.network && h.mask === r.mask && h.nextHop === r.nextHop && h.device === device,
    )
    return row(r.network, r.mask, r.nextHop, r.interface, 'script', inForce)
  })
  const sessions = live(c)
  const ways = sessions.map(({ session, address }): IpRouteState => {
    const inForce = host?.routes.some(h => h.network === address && h.mask === HOST_MASK)
    return row(address, HOST_MASK, 0, session.name, 'session', inForce)
  })
  const ours = (network: Ipv4, mask: Ipv4, nextHop: Ipv4) =>
    ip.routes.some(r => r.network === network && r.mask === mask && r.nextHop === nextHop) ||
    (mask === HOST_MASK && sessions.some(s => s.address === network))
  const others = (host?.routes ?? [])
    .filter(h => !ours(h.network, h.mask, h.nextHop))
    .map(h => row(h.network, h.mask, h.nextHop, h.device, 'host', true))
  return [...scripted, ...ways, ...others]
}

/** The routes that lead to an address, the closest first. */
export function routesTo(routes: readonly IpRouteState[], address: Ipv4): IpRouteState[] {
  const mask = (r: IpRouteState) => parseIpv4(r.mask) ?? 0
  return routes
    .filter(r => (address & mask(r)) >>> 0 === parseIpv4(r.network))
    .sort((a, b) => (maskPrefix(mask(b)) ?? 0) - (maskPrefix(mask(a)) ?? 0))
}

export function arpEntries(c: Control, host: HostTables | undefined): ArpState[] {
  const proxies = live(c).flatMap(({ address }): ArpState[] => {
    const device = host?.proxyDevice(address) ?? c.world.network.proxyDevice(address)
    return device === undefined ? [] : [{ address: formatIpv4(address), hardware: '', device, type: 'proxy' }]
  })
  const neighbours = (host?.neighbours ?? []).map(
    (n): ArpState => ({ address: formatIpv4(n.address), hardware: n.hardware, device: n.device, type: 'dynamic' }),
  )
  return [...neighbours, ...proxies]
}

function row(
  network: Ipv4,
  mask: Ipv4,
  nextHop: Ipv4,
  name: string,
  origin: IpRouteState['origin'],
  inForce: boolean | undefined,
): IpRouteState {
  const hop = nextHop === 0 ? '' : formatIpv4(nextHop)
  return { network: formatIpv4(network), mask: formatIpv4(mask), nextHop: hop, interface: name, origin, inForce }
}

/** The sessions that forward, with their addresses. */
function live(c: Control): { readonly session: Session; readonly address: Ipv4 }[] {
  return [...c.sessions.all.values()].flatMap(session =>
    session.networkUp && session.admission?.kind === 'accepted'
      ? [{ session, address: session.admission.address }]
      : [],
  )
}
