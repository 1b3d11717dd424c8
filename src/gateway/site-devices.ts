/** AlliedWare's interfaces on this host: which device each is, which addresses it has, and where proxy ARP is due. */

import type { Configuration } from '../alliedware/config.ts'
import { forwardable } from '../firewall/filter.ts'
import type { AddressRange } from '../firewall/policy.ts'
import type { Surroundings } from '../firewall/surroundings.ts'
import { formatIpv4, type Ipv4, inSubnet } from '../packet/ip.ts'
import { blocksOf, formatBlock, liesIn } from './blocks.ts'
import { type DeviceAddress, deviceAddresses, deviceExists, deviceIsDown, deviceMtu } from './host.ts'
import type { Site } from './site.ts'
import { unusableAddresses } from './unusable-addresses.ts'

/** The "dummy address" of RFC 7600: our end of the PPP links where no LAN lends its own. */
const DUMMY_ADDRESS: Ipv4 = 0xc0000008

export interface Devices {
  /** AlliedWare name (lower case) to Linux device, for every name that the script uses and the host has. */
  readonly byName: Readonly<Record<string, string>>
  readonly addresses: readonly DeviceAddress[]
  readonly privateDevices: readonly string[]
  readonly publicDevices: readonly string[]
  /** Our end of every PPP link. */
  readonly localAddress: Ipv4
  /**
   * Where sessions have their addresses apart from the subnets of the host's devices: what is for somebody who is away would
   * go where the host's default route leads. In a subnet it is asked for by ARP, and nobody answers.
   */
  readonly sessionBlocks: readonly string[]
  /** What does not fit, in words. */
  readonly warnings: readonly string[]
}

const UNGUARDED =
  ': the firewall and NAT are not in force where the public side really is. Name its device there, then RELOAD'

function isPublic(c: Configuration, name: string): boolean {
  const { enabled, policies } = c.firewall
  return enabled && policies.some(p => p.interfaces.some(i => i.type === 'public' && i.name.toLowerCase() === name))
}

/** Looks at the host with the script's eyes. */
export function findDevices(c: Configuration, site: Site): Devices {
  const addresses = deviceAddresses()
  const warnings: string[] = []
  const byName: Record<string, string> = {}
  for (const name of interfaceNames(c)) {
    const device = site.interfaces[name] ?? name
    if (deviceExists(device)) {
      byName[name] = device
      continue
    }
    const why =
      site.interfaces[name] === undefined
        ? `no device of that name, and the site file's "interfaces" maps it to none`
        : `this host has no device ${device}`
    warnings.push(`interface ${name}: ${why}${isPublic(c, name) ? UNGUARDED : ''}`)
  }
  for (const i of c.ip.interfaces) {
    const device = byName[i.name.toLowerCase()]
    if (device !== undefined && !addresses.some(a => a.device === device && a.address === i.address)) {
      warnings.push(
        `line ${i.line}: device ${device} (${i.name}) does not have the address ${formatIpv4(i.address)}; the gateway leaves the host's addresses alone`,
      )
    }
  }
  for (const [name, device] of Object.entries(byName)) {
    if (deviceIsDown(device))
      warnings.push(`device ${device} (${name}) is down or has no cable: nothing passes there until it is up`)
  }
  if (c.firewall.enabled && !site.hostFirewall) {
    warnings.push(
      '"hostFirewall": false in the site file: what sessions send and get is filtered; the host’s own devices have no firewall and no NAT of the gateway’s',
    )
  }
  const unusable = unusableAddresses(addresses)
  for (const { name, ipAddress } of c.users) {
    if (ipAddress !== undefined && (unusable.includes(ipAddress) || !forwardable(ipAddress)))
      warnings.push(
        `user ${name}: IPADDRESS=${formatIpv4(ipAddress)} is this host's own, or no one host's: such a connection carries nothing`,
      )
  }
  const ofType = (type: 'private' | 'public') => [
    ...new Set(
      c.firewall.policies
        .flatMap(p => p.interfaces)
        .filter(i => i.type === type)
        .flatMap(i => byName[i.name.toLowerCase()] ?? []),
    ),
  ]
  const privateDevices = ofType('private')
  const ipsecDevices = c.ipsec.policies.flatMap(p => byName[p.interface.toLowerCase()] ?? [])
  const publicDevices = [...new Set([...ofType('public'), ...ipsecDevices])].filter(d => !privateDevices.includes(d))
  const lan = addresses.find(a => privateDevices.includes(a.device))
  return {
    byName,
    addresses,
    privateDevices,
    publicDevices,
    localAddress: lan?.address ?? DUMMY_ADDRESS,
    sessionBlocks: sessionBlocks(c, addresses),
    warnings,
  }
}

/** What the narrowest public device carries now: a line may come up anew with another MTU. */
export function publicMtu(d: Devices): number {
  return Math.min(1500, ...d.publicDevices.map(deviceMtu))
}

/** The private device whose subnet holds a session's address: whoever is there asks for it by ARP. */
export function proxyDevice(d: Devices, address: Ipv4): string | undefined {
  return d.addresses.find(a => d.privateDevices.includes(a.device) && inSubnet(address, a.address, a.mask))?.device
}

/** The public device where a neighbour would ask for an address: the one whose subnet has it, or the first. */
export function publicDevice(d: Devices, address: Ipv4): string | undefined {
  const near = d.addresses.find(a => d.publicDevices.includes(a.device) && inSubnet(address, a.address, a.mask))
  return near?.device ?? d.publicDevices[0]
}

/** Ports that no translation of ours may take, whatever range it draws from: IKE's, ESP's in UDP, L2TP's and SSH's. */
const LISTENED = [22, 500, 1701, 4500]

/** What the firewall knows about the networks around us: the device's own addresses before the script's. */
export function surroundings(c: Configuration, d: Devices): Surroundings {
  const interfaces = Object.entries(d.byName).flatMap(([name, device]) =>
    d.addresses.filter(a => a.device === device).map(a => ({ name, device, address: a.address, mask: a.mask })),
  )
  const scripted = c.ip.interfaces
    .filter(i => !interfaces.some(x => x.name === i.name.toLowerCase()))
    .map(i => ({ name: i.name.toLowerCase(), address: i.address, mask: i.mask }))
  const routes = c.ip.routes
    .filter(r => r.mask !== 0)
    .map(r => ({ interface: r.interface.toLowerCase(), network: r.network, mask: r.mask }))
  const sessions = sessionRanges(c)
  return { interfaces: [...interfaces, ...scripted], routes, own: [d.localAddress], sessions, ports: LISTENED }
}

/** Where sessions have their addresses. */
export function sessionRanges(c: Configuration): AddressRange[] {
  const fixed = c.users.flatMap(u => (u.ipAddress === undefined ? [] : [{ first: u.ipAddress, last: u.ipAddress }]))
  return [...c.ip.pools.map(({ first, last }) => ({ first, last })), ...fixed]
}

export function sessionBlocks(c: Configuration, addresses: readonly DeviceAddress[]): string[] {
  const blocks = sessionRanges(c)
    .flatMap(blocksOf)
    .filter(b => !addresses.some(a => liesIn(b, a.address, a.mask)))
  return [...new Set(blocks.map(formatBlock))]
}

function interfaceNames(c: Configuration): Set<string> {
  const names = [
    ...c.ip.interfaces.map(i => i.name),
    ...c.ip.routes.map(r => r.interface),
    ...c.firewall.policies.flatMap(p => p.interfaces.map(i => i.name)),
    ...c.ipsec.policies.map(p => p.interface),
  ]
  return new Set(names.map(n => n.toLowerCase()).filter(n => !n.startsWith('dyn-')))
}
