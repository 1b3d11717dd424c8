// The site file of a first start: the device of the default route is eth0, another one with a private address vlan1. A device
// without cable counts, too, behind those that have one: it is there, only down.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** What to write, and what to say about it. */
export function firstSite() {
  const devices = addresses()
  const outside = devices.find(d => d.device === defaultRoute()) ?? devices[0]
  const inside = devices.find(d => d.device !== outside?.device && isPrivate(d.address))
  const values = { 'x.x.x.x-x.x.x.x': pool(devices.map(d => d.address)) }
  const interfaces = {}
  if (outside) {
    interfaces.eth0 = outside.device
    values['office Internet address'] = outside.address
  }
  if (inside) {
    interfaces.vlan1 = inside.device
    values['office private LAN address'] = inside.address
  }
  return {
    site: { interfaces, values },
    words: `eth0 is ${named(outside) ?? 'missing'}, vlan1 is ${named(inside) ?? 'missing (this host has no second device with a private address)'}`,
  }
}

function named(d) {
  return d && `${d.device}${d.down ? ' (which is down)' : ''}`
}

/** The host's addresses but its loopback's and those of bridges that join nothing, such as Docker's without containers. */
function addresses() {
  const { stdout, status } = spawnSync('ip', ['-j', '-4', 'address', 'show'], { encoding: 'utf8' })
  if (status !== 0) return []
  const devices = JSON.parse(stdout).filter(d => d.ifname !== undefined && !d.flags.includes('LOOPBACK'))
  return devices
    .filter(({ ifname }) => !isEmpty(`/sys/class/net/${ifname}/brif`))
    .flatMap(d => d.addr_info.map(a => ({ device: d.ifname, address: a.local, down: /down$/i.test(d.operstate) })))
    .sort((a, b) => a.down - b.down)
}

function isEmpty(directory) {
  return existsSync(directory) && readdirSync(directory).length === 0
}

/** A range for clients that no device of this host is near. */
function pool(addresses) {
  const net =
    ['10.98.0', '172.30.98', '192.168.198'].find(n => !addresses.some(a => a.startsWith(`${n}.`))) ?? '10.98.0'
  return `${net}.10-${net}.250`
}

function isPrivate(address) {
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/.test(address)
}

function defaultRoute() {
  for (const line of readFileSync('/proc/net/route', 'utf8').split('\n').slice(1)) {
    const f = line.split('\t')
    if (f[1] === '00000000' && f[7] === '00000000') return f[0]
  }
  return undefined
}
