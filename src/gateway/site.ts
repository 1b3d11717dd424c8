/** The site file: what belongs to this host and not to the router's script. JSON, checked against a schema. */

import { readFileSync } from 'node:fs'
import { Ajv, type ErrorObject } from 'ajv'
import { type Ipv4, ipv4, parseIpv4, prefixMask } from '../packet/ip.ts'
import type { DhcpRoute } from '../ppp/dhcp.ts'
import { unreadable } from './unreadable.ts'

export interface Site {
  /** AlliedWare interface name to Linux device. */
  readonly interfaces: Readonly<Record<string, string>>
  /** Placeholder text to value. */
  readonly values: Readonly<Record<string, string>>
  /** Whether the host's own devices have the firewall, too: an nftables table, without which there is no start. */
  readonly hostFirewall: boolean
  /** Whether devices of the LAN are made to merge UDP that they receive, where they do not yet. */
  readonly lanOffloads: boolean
  /** Our address as clients see it, where a NAT in front of us hides it. */
  readonly publicAddress: Ipv4 | undefined
  /** Whether every client is made to put ESP into UDP, as though a NAT were in front of it. */
  readonly forceEncapsulation: boolean
  /** What clients that ask by DHCPINFORM are told: the suffix of the office's names, and the networks behind us. */
  readonly dnsSuffix: string | undefined
  readonly routes: readonly DhcpRoute[]
  /** Data-path threads; undefined: one less than the processors. */
  readonly workers: number | undefined
  /** Where the SSH server is heard; undefined: port 22, of this host itself and of its private side. */
  readonly sshPort: number | undefined
  readonly sshAddresses: readonly string[] | undefined
}

export const EMPTY_SITE: Site = {
  interfaces: {},
  values: {},
  hostFirewall: true,
  lanOffloads: true,
  publicAddress: undefined,
  forceEncapsulation: false,
  dnsSuffix: undefined,
  routes: [],
  workers: undefined,
  sshPort: undefined,
  sshAddresses: undefined,
}

export const siteSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    interfaces: {
      type: 'object',
      propertyNames: { pattern: '^[A-Za-z]+[0-9]+(-[0-9]+)?$' },
      additionalProperties: { type: 'string', pattern: '^[^/\\s]{1,15}$' },
    },
    values: { type: 'object', additionalProperties: { type: 'string' } },
    hostFirewall: { type: 'boolean' },
    lanOffloads: { type: 'boolean' },
    publicAddress: { type: 'string', format: 'ipv4' },
    forceEncapsulation: { type: 'boolean' },
    dnsSuffix: { type: 'string', maxLength: 253, pattern: '^[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)*$' },
    // One DHCP option holds them: 255 bytes, at most nine a route.
    routes: { type: 'array', maxItems: 28, items: { type: 'string', format: 'ipv4-network' } },
    workers: { type: 'integer', minimum: 1, maximum: 64 },
    sshPort: { type: 'integer', minimum: 1, maximum: 65535 },
    sshAddresses: { type: 'array', minItems: 1, maxItems: 16, items: { type: 'string', format: 'ipv4' } },
  },
} as const

interface SiteFile {
  interfaces?: Record<string, string>
  values?: Record<string, string>
  hostFirewall?: boolean
  lanOffloads?: boolean
  publicAddress?: string
  forceEncapsulation?: boolean
  dnsSuffix?: string
  routes?: string[]
  workers?: number
  sshPort?: number
  sshAddresses?: string[]
}

const ajv = new Ajv({ allErrors: true })
ajv.addFormat('ipv4', (text: string) => parseIpv4(text) !== undefined)
ajv.addFormat('ipv4-network', (text: string) => parseNetwork(text) !== undefined)
const validate = ajv.compile<SiteFile>(siteSchema)

/** The site in `text`, or every fault in it. */
export function parseSite(text: string): { site: Site; faults: string[] } {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (e) {
    return { site: EMPTY_SITE, faults: [`not JSON: ${(e as Error).message}`] }
  }
  if (!validate(parsed)) return { site: EMPTY_SITE, faults: (validate.errors ?? []).map(describe) }
  return {
    site: {
      interfaces: lowerKeys(parsed.interfaces ?? {}),
      values: parsed.values ?? {},
      hostFirewall: parsed.hostFirewall ?? true,
      lanOffloads: parsed.lanOffloads ?? true,
      publicAddress: parsed.publicAddress === undefined ? undefined : ipv4(parsed.publicAddress),
      forceEncapsulation: parsed.forceEncapsulation ?? false,
      dnsSuffix: parsed.dnsSuffix,
      routes: (parsed.routes ?? []).map(text => parseNetwork(text)!),
      workers: parsed.workers,
      sshPort: parsed.sshPort,
      sshAddresses: parsed.sshAddresses,
    },
    faults: [],
  }
}

/** Reads a site file; one that is missing though nobody named it is an empty one. */
export function readSite(path: string, required: boolean): { site: Site; faults: string[] } {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (e) {
    const missing = (e as NodeJS.ErrnoException).code === 'ENOENT'
    return { site: EMPTY_SITE, faults: missing && !required ? [] : [unreadable(e)] }
  }
  return parseSite(text)
}

function describe(e: ErrorObject): string {
  const where = e.instancePath === '' ? 'the file' : e.instancePath.slice(1).replaceAll('/', '.')
  if (e.keyword === 'additionalProperties') {
    const known = Object.keys(siteSchema.properties).join(', ')
    return `${where}: unknown key "${(e.params as { additionalProperty: string }).additionalProperty}" (known: ${known})`
  }
  if (e.keyword === 'format' && (e.params as { format: string }).format === 'ipv4-network')
    return `${where}: expected a network such as 192.168.8.0/24, without bits behind its prefix`
  if (e.keyword === 'pattern' && where.startsWith('interfaces.'))
    return `${where}: expected the name of a Linux device, such as eth0`
  if (e.keyword === 'format') return `${where}: expected an IPv4 address`
  return `${where}: ${e.message ?? e.keyword}`
}

function parseNetwork(text: string): DhcpRoute | undefined {
  const [, quad, digits] = /^([\d.]+)\/(\d{1,2})$/.exec(text) ?? []
  const network = quad === undefined ? undefined : parseIpv4(quad)
  const length = Number(digits)
  if (network === undefined || length > 32 || (network & ~prefixMask(length)) !== 0) return undefined
  return { network, length }
}

function lowerKeys(map: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([k, v]) => [k.toLowerCase(), v]))
}
