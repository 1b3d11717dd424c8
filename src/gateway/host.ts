/** What this host has and lacks: each lack in one line with the command that mends it. */

import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { type Ipv4, readIpv4 } from '../packet/ip.ts'
import { loadNative } from './native.ts'

export interface DeviceAddress {
  readonly device: string
  readonly address: Ipv4
  readonly mask: Ipv4
}

/** The IPv4 addresses of every device, whether it is up or not: a cable that is out comes back. */
export function deviceAddresses(): DeviceAddress[] {
  return loadNative().addresses()
}

/** Whether a device is switched off or has no cable. One that does not tell, as a tunnel, is up. */
export function deviceIsDown(device: string): boolean {
  return readText(`/sys/class/net/${device}/operstate`).trim().endsWith('down')
}

export function deviceExists(device: string): boolean {
  return existsSync(`/sys/class/net/${device}`)
}

/** The device's MTU in bytes, or 1500 where it cannot be read. */
export function deviceMtu(device: string): number {
  try {
    return Number(readFileSync(`/sys/class/net/${device}/mtu`, 'utf8')) || 1500
  } catch {
    return 1500
  }
}

/** The device and gateway of the default route, where there is one. */
export function defaultRoute(): { device: string; gateway: Ipv4 } | undefined {
  for (const line of readLines('/proc/net/route').slice(1)) {
    const [device, destination, gateway, , , , , mask] = line.split('\t')
    if (destination === '00000000' && mask === '00000000' && device !== undefined && gateway !== undefined) {
      return { device, gateway: readIpv4(Uint8Array.from(Buffer.from(gateway, 'hex').reverse())) }
    }
  }
  return undefined
}

/** Lines for the operator: what is missing in the host and how to mend it. */
export function hostLacks(): string[] {
  const lacks: string[] = []
  if (readText('/proc/sys/net/ipv4/ip_forward').trim() !== '1') {
    lacks.push(
      'IPv4 forwarding is off, so clients reach nothing behind this host: run "sysctl -w net.ipv4.ip_forward=1"',
    )
  }
  return lacks
}

/** Who holds a UDP port, as "name (pid N)", or undefined where it cannot be told. */
export function udpPortHolder(port: number): string | undefined {
  return portHolder(port, ['/proc/net/udp', '/proc/net/udp6'])
}

/** Who listens on a TCP port, in the same words. */
export function tcpPortHolder(port: number): string | undefined {
  return portHolder(port, ['/proc/net/tcp', '/proc/net/tcp6'], TCP_LISTEN)
}

/** In /proc/net/tcp. */
const TCP_LISTEN = '0A'

function portHolder(port: number, files: readonly string[], state?: string): string | undefined {
  const inodes = new Set<string>()
  for (const file of files) {
    for (const line of readLines(file).slice(1)) {
      const fields = line.trim().split(/\s+/)
      if (state !== undefined && fields[3] !== state) continue
      if (Number.parseInt(fields[1]?.split(':')[1] ?? '', 16) === port && fields[9]) inodes.add(`socket:[${fields[9]}]`)
    }
  }
  if (inodes.size === 0) return undefined
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        if (inodes.has(readlinkSync(`/proc/${pid}/fd/${fd}`))) {
          return `${readText(`/proc/${pid}/comm`).trim()} (pid ${pid})`
        }
      }
    } catch {
      // The process ended or is not ours to look into.
    }
  }
  return 'another process'
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function readLines(path: string): string[] {
  return readText(path).split('\n').filter(Boolean)
}
