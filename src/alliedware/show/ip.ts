/** SHOW IP, its INTERFACE, ROUTE, ARP and POOL: what the pools hold, and who has which address. */

import { type Column, clean, dash, leaders, list, page, timeDate, yesNo } from './layout.ts'
import type { IpPoolState } from './state.ts'

/** SHOW IP. */
export interface IpState {
  readonly enabled: boolean
  /** Whether this host forwards IPv4; undefined where it cannot be told. */
  readonly forwarding: boolean | undefined
  /** Our end of every PPP link. */
  readonly localAddress: string
  readonly interfaces: number
  readonly routes: number
  readonly pools: number
  readonly sessions: number
}

export function printIp(s: IpState): string {
  return page(
    'IP Module Configuration',
    '',
    leaders([
      ['Module Status', s.enabled ? 'ENABLED' : 'DISABLED'],
      ['Host forwards IPv4', s.forwarding === undefined ? undefined : yesNo(s.forwarding)],
      ['Local Address of PPP', s.localAddress],
      ['Interfaces', s.interfaces],
      ['Routes', s.routes],
      ['Pools', s.pools],
      ['Sessions', s.sessions],
    ]),
  )
}

export interface IpInterfaceState {
  readonly name: string
  /** The host's device; empty where it has none. */
  readonly device: string
  readonly type: 'static' | 'dynamic'
  readonly address: string
  readonly mask: string
  readonly mtu: number | undefined
  /** Private or public in the firewall; empty where it is in no policy. */
  readonly firewall: string
}

const interfaceColumns: readonly Column<IpInterfaceState>[] = [
  { head: 'Interface', width: 11, text: i => i.name },
  { head: 'Type', width: 9, text: i => i.type },
  { head: 'Device', width: 10, text: i => dash(i.device) },
  { head: 'IP Address', width: 17, text: i => i.address },
  { head: 'Mask', width: 17, text: i => i.mask },
  { head: 'MTU', width: 6, text: i => dash(i.mtu) },
  { head: 'Firewall', width: 9, text: i => dash(i.firewall) },
]

export function printIpInterfaces(interfaces: readonly IpInterfaceState[]): string {
  return list('IP Interfaces', interfaceColumns, interfaces, 'No IP interfaces.')
}

export interface IpRouteState {
  readonly network: string
  readonly mask: string
  readonly nextHop: string
  readonly interface: string
  /** `script`: ADD IP ROUTE; `session`: the way to a client; `host`: any other of this host's. */
  readonly origin: 'script' | 'session' | 'host'
  /** Whether this host has it; undefined where it cannot be told. */
  readonly inForce: boolean | undefined
}

const routeColumns: readonly Column<IpRouteState>[] = [
  { head: 'Destination', width: 17, text: r => r.network },
  { head: 'Mask', width: 17, text: r => r.mask },
  { head: 'NextHop', width: 17, text: r => dash(r.nextHop) },
  { head: 'Interface', width: 11, text: r => r.interface },
  { head: 'Origin', width: 9, text: r => r.origin },
  { head: 'InForce', width: 7, text: r => (r.inForce === undefined ? '-' : yesNo(r.inForce)) },
]

export function printIpRoutes(routes: readonly IpRouteState[]): string {
  return list('IP Routes', routeColumns, routes, 'No IP routes.')
}

export interface ArpState {
  readonly address: string
  readonly hardware: string
  readonly device: string
  /** `proxy`: we answer for a client whose address is of that LAN. */
  readonly type: 'dynamic' | 'proxy'
}

const arpColumns: readonly Column<ArpState>[] = [
  { head: 'IP Address', width: 17, text: a => a.address },
  { head: 'Physical Address', width: 19, text: a => dash(a.hardware) },
  { head: 'Device', width: 12, text: a => a.device },
  { head: 'ARP Type', width: 10, text: a => a.type },
]

export function printArp(entries: readonly ArpState[]): string {
  return list('ARP Table', arpColumns, entries, 'No ARP entries.')
}

/** SHOW IP UDP: the ports that the gateway listens on, as SHOW SYSTEM names them. */
export function printUdpPorts(ports: readonly string[]): string {
  return list('UDP Ports', [{ head: 'Listening', width: 30, text: port => port }], ports, 'No UDP ports.')
}

/** SHOW IP TCP: where the SSH server listens, and who is in. */
export interface TcpState {
  readonly listening: string
  readonly connections: readonly { readonly user: string; readonly place: string; readonly since: string }[]
}

export function printTcp(s: TcpState): string {
  const rows = s.connections.map(c => [clean(c.user), `${clean(c.place)}, since ${timeDate(c.since)}`] as const)
  return page('TCP', '', leaders([['SSH server', s.listening], ...rows]))
}

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
