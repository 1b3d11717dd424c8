/** What the kernel has of routes, neighbours and devices, read from /proc and /sys. */

import { readFileSync } from 'node:fs'
import { type Ipv4, parseIpv4, readIpv4 } from '../packet/ip.ts'
import { deviceMtu } from './host.ts'
import type { Devices } from './site-devices.ts'

export interface HostRoute {
  readonly network: Ipv4
  readonly mask: Ipv4
  /** 0 for none. */
  readonly nextHop: Ipv4
  readonly device: string
}

export interface HostNeighbour {
  readonly address: Ipv4
  readonly hardware: string
  readonly device: string
}

export interface HostTables {
  readonly forwarding: boolean | undefined
  readonly routes: readonly HostRoute[]
  readonly neighbours: readonly HostNeighbour[]
  /** AlliedWare name (lower case) to device. */
  readonly deviceOf: (name: string) => string | undefined
  readonly mtuOf: (device: string) => number
  /** The device on which we answer ARP for a session's address. */
  readonly proxyDevice: (address: Ipv4) => string | undefined
}

/** Reads what there is now. */
export function readHostTables(
  devices: Devices,
  proxyDevice: (devices: Devices, address: Ipv4) => string | undefined,
): HostTables {
  const forwarding = read('/proc/sys/net/ipv4/ip_forward').trim()
  return {
    forwarding: forwarding === '' ? undefined : forwarding === '1',
    routes: parseRoutes(read('/proc/net/route')),
    neighbours: parseNeighbours(read('/proc/net/arp')),
    deviceOf: name => devices.byName[name.toLowerCase()],
    mtuOf: deviceMtu,
    proxyDevice: address => proxyDevice(devices, address),
  }
}

/** /proc/net/route: numbers are hexadecimal, their bytes in the host's order. */
export function parseRoutes(text: string): HostRoute[] {
  return rows(text).flatMap(([device, destination, gateway, flags, , , , mask]) => {
    const [network, nextHop, bits] = [destination, gateway, mask].map(reversed)
    const up = (Number.parseInt(flags ?? '', 16) & 1) !== 0
    if (device === undefined || network === undefined || nextHop === undefined || bits === undefined || !up) return []
    return [{ network, mask: bits, nextHop, device }]
  })
}

/** /proc/net/arp. Neighbours that did not answer have no address of hardware, and are left out. */
export function parseNeighbours(text: string): HostNeighbour[] {
  return rows(text).flatMap(([ip, , , hardware, , device]) => {
    const address = parseIpv4(ip ?? '')
    if (address === undefined || device === undefined || hardware === undefined) return []
    return hardware === '00:00:00:00:00:00' ? [] : [{ address, hardware, device }]
  })
}

function rows(text: string): string[][] {
  return text
    .split('\n')
    .slice(1)
    .filter(line => line.trim() !== '')
    .map(line => line.trim().split(/\s+/))
}

function reversed(hex: string | undefined): Ipv4 | undefined {
  return hex !== undefined && /^[0-9A-Fa-f]{8}$/.test(hex)
    ? readIpv4(Uint8Array.from(Buffer.from(hex, 'hex').reverse()))
    : undefined
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
