/** From the router's configuration to what each room understands: what is unset becomes our default here, in one place. */

import type {
  Configuration,
  IpsecPolicy,
  IsakmpPolicyConfig,
  PppTemplateConfig,
  SaSpecification,
} from '../alliedware/config.ts'
import type { IpsecPolicyList } from '../firewall/ipsec-policy.ts'
import type { LocalIdentity, Phase1Cipher, Phase1Hash, Phase2Policy, Phase2Suite } from '../ike/policy.ts'
import { DEFAULT_BOUNDS, type Group, type IkeConfig, type IsakmpPolicy } from '../ike/policy.ts'
import type { RsaCredentials } from '../ike/signature.ts'
import { L2TP_DEFAULTS, type L2tpConfig } from '../l2tp/effects.ts'
import type { Secret } from '../packet/bytes.ts'
import { type Ipv4, parseIpv4 } from '../packet/ip.ts'
import type { PppTemplate } from '../ppp/effects.ts'

/** Phase 1 where the script sets nothing: the best that built-in clients offer, never DES or group 1 (docs/adr/0002). */
export const PHASE1_UNSET = {
  ciphers: ['aes256', 'aes128', '3des'],
  hashes: ['sha256', 'sha1', 'md5'],
  groups: [20, 19, 14, 5, 2],
} as const satisfies { ciphers: readonly Phase1Cipher[]; hashes: readonly Phase1Hash[]; groups: readonly Group[] }

/** AlliedWare's ISAKMP group numbers: 0 is MODP-512, which nothing else knows; 1 and 2 are IANA's; the rest is our extension. */
const GROUPS: Readonly<Record<number, Group>> = { 1: 1, 2: 2, 5: 5, 14: 14, 19: 19, 20: 20 }

const CIPHERS = {
  des: 'des',
  '3desouter': '3des',
  aes128: 'aes128',
  aes192: 'aes192',
  aes256: 'aes256',
} as const
const HASHES = { sha: 'sha1', md5: 'md5', sha256: 'sha256' } as const
const GCM = { aesgcm128: 'aesgcm128', aesgcm192: 'aesgcm192', aesgcm256: 'aesgcm256' } as const

/** Anti-replay where the specification does not say: always on, 64 packets (the router's default of none serves nobody). */
const REPLAY_WINDOW = 64
/** A phone in use, whose L2TP is asked each minute, is not woken up for this as well. */
const DPD_IDLE_SECONDS = 75
/** The largest IP packet that we give a client: what Windows asks for, too. */
const LARGEST_MRU = 1400

export function ikeConfig(
  c: Configuration,
  key: (id: number) => Secret | undefined,
  publicAddress: Ipv4 | undefined,
  forceEncapsulation = false,
  /** For policies with AUTHTYPE=RSASIG. */
  credentials?: RsaCredentials,
  interfaces: IkeConfig['interfaces'] = [],
): IkeConfig {
  const policies = c.isakmp.enabled && c.ipsec.enabled ? c.isakmp.policies : []
  return {
    policies: policies.flatMap(p => isakmpPolicy(c, p, key, credentials)),
    interfaces,
    publicAddress,
    forceEncapsulation,
    ...DEFAULT_BOUNDS,
  }
}

function isakmpPolicy(
  c: Configuration,
  p: IsakmpPolicyConfig,
  key: (id: number) => Secret | undefined,
  credentials: RsaCredentials | undefined,
): IsakmpPolicy[] {
  const peer = p.peer === 'any' || typeof p.peer === 'number' ? p.peer : parseIpv4(p.peer)
  if (peer === undefined || p.mode !== 'main') return []
  const group = p.group === undefined ? undefined : GROUPS[p.group]
  if (p.group !== undefined && group === undefined) return []
  return [
    {
      name: p.name,
      peer,
      ...(p.authType === 'rsasig' ? { authentication: 'rsa' as const, credentials } : {}),
      presharedKey: p.key === undefined ? undefined : key(p.key),
      keyId: p.key,
      ciphers: p.encryption === undefined ? PHASE1_UNSET.ciphers : [CIPHERS[p.encryption]],
      hashes: p.hash === undefined ? PHASE1_UNSET.hashes : [HASHES[p.hash]],
      groups: group === undefined ? PHASE1_UNSET.groups : [group],
      localIdentity: identity(p.localId),
      remoteIdentity: p.remoteId,
      natTraversal: p.natTraversal,
      sendDeletes: p.sendDeletes,
      sendNotify: p.sendNotify,
      lifetimeSeconds: p.expirySeconds ?? 86_400,
      messageTimeoutSeconds: p.msgTimeoutSeconds,
      messageRetryLimit: p.msgRetryLimit,
      messageBackoff: p.msgBackoff,
      deadPeerDetection: {
        announced: p.dpdMode !== 'none',
        idleSeconds: (p.dpdMode ?? 'both') === 'both' ? (p.dpdIdleSeconds ?? DPD_IDLE_SECONDS) : undefined,
      },
      phase2: c.ipsec.policies
        .filter(i => i.action !== 'ipsec' || (i.isakmpPolicy ?? p.name).toLowerCase() === p.name.toLowerCase())
        .flatMap(i => phase2Policy(c, i)),
    },
  ]
}

/** LOCALID: an address or nothing is our address; with an @ it is a user; anything else is a domain name. */
function identity(localId: string | undefined): LocalIdentity {
  if (localId === undefined || parseIpv4(localId) !== undefined) return { kind: 'address' }
  return localId.includes('@') ? { kind: 'user', name: localId } : { kind: 'fqdn', name: localId }
}

function phase2Policy(c: Configuration, i: IpsecPolicy): Phase2Policy[] {
  const bundle = c.ipsec.bundles.find(b => b.id === i.bundle)
  // OPAQUE is for packets whose ports cannot be read: L2TP's can. ICMP is not L2TP either.
  const cannotBeL2tp = i.localPort === 'opaque' || i.remotePort === 'opaque' || i.transportProtocol === 'opaque'
  if ((i.action === 'ipsec' && !bundle) || cannotBeL2tp || i.icmpTypes !== undefined) return []
  const specifications = (bundle?.alternatives ?? []).flatMap(ids =>
    // Several together are AND: AH or compression with ESP, which no built-in client needs and we do not do.
    ids.length === 1 ? c.ipsec.saSpecifications.filter(s => s.id === ids[0]) : [],
  )
  return [
    {
      name: i.name,
      interface: i.interface,
      action: i.action,
      suites: specifications.flatMap(suite),
      pfsGroup: i.usePfsKey ? (GROUPS[i.group ?? 2] ?? 2) : undefined,
      lifetimeSeconds: bundle?.expirySeconds,
      lifetimeKilobytes: bundle?.expiryKilobytes,
      replayWindow: Math.max(REPLAY_WINDOW, ...specifications.map(s => s.replayWindow ?? 0)),
      peer: i.peer === 'any' ? undefined : i.peer,
      localPort: typeof i.localPort === 'number' ? i.localPort : undefined,
      remotePort: typeof i.remotePort === 'number' ? i.remotePort : undefined,
      protocol: typeof i.transportProtocol === 'number' ? i.transportProtocol : undefined,
      localAddress: i.localAddress,
      remoteAddress: i.remoteAddress,
      localName: i.localName,
      remoteName: i.remoteName,
    },
  ]
}

/** The IPsec policies as the filter of clear packets; none while IPsec is disabled. */
export function ipsecLists(c: Configuration): IpsecPolicyList[] {
  if (!c.ipsec.enabled) return []
  return [...new Set(c.ipsec.policies.map(p => p.interface))].map(name => ({
    interface: name,
    policies: c.ipsec.policies
      .filter(p => p.interface === name)
      .map(p => ({
        name: p.name,
        action: p.action,
        localAddress: p.localAddress,
        remoteAddress: p.remoteAddress,
        localPort: p.localPort,
        remotePort: p.remotePort,
        protocol: p.transportProtocol,
        icmpTypes: p.icmpTypes,
        named: p.localName !== undefined || p.remoteName !== undefined,
      })),
  }))
}

function suite(s: SaSpecification): Phase2Suite[] {
  if (s.protocol !== 'esp' || s.mode !== 'transport' || s.keyManagement !== 'isakmp') return []
  if (s.encryption !== undefined && s.encryption in GCM)
    return [{ cipher: GCM[s.encryption as keyof typeof GCM], integrity: 'gcm' }]
  const cipher =
    s.encryption !== undefined && s.encryption in CIPHERS ? CIPHERS[s.encryption as keyof typeof CIPHERS] : undefined
  const integrity = s.hash !== undefined && s.hash in HASHES ? HASHES[s.hash as keyof typeof HASHES] : undefined
  return cipher && integrity ? [{ cipher, integrity }] : []
}

export function l2tpConfig(c: Configuration): L2tpConfig {
  return {
    ...L2TP_DEFAULTS,
    enabled: c.l2tp.enabled && (c.l2tp.server === 'lns' || c.l2tp.server === 'both'),
    ranges: c.l2tp.ranges.map(r => ({ first: r.first, last: r.last, template: r.pppTemplate })),
    hostName: c.systemName ?? L2TP_DEFAULTS.hostName,
  }
}

/** The link's template; `pathMru` is what ESP leaves of the path's MTU. */
export function pppTemplate(c: Configuration, template: number, pathMru: number): PppTemplate {
  const t = c.pppTemplates.find(p => p.template === template)
  return {
    template,
    authentication: authentication(t),
    rechallengeSeconds: rechallenge(t?.rechallengeSeconds),
    echoSeconds: t?.echoSeconds,
    mru: Math.min(LARGEST_MRU, pathMru, t?.mru ?? LARGEST_MRU, t?.mtu ?? LARGEST_MRU),
    hostName: c.systemName ?? L2TP_DEFAULTS.hostName,
  }
}

/** PAP is not spoken: CHAP stands in for it. */
function authentication(t: PppTemplateConfig | undefined): PppTemplate['authentication'] {
  return t === undefined || t.authentication === 'pap' ? 'chap' : t.authentication
}

/** ON is a different time each time, within what may be given as a number. */
function rechallenge(seconds: number | 'on' | undefined): readonly [number, number] | undefined {
  if (seconds === undefined) return undefined
  return seconds === 'on' ? [360, 3600] : [seconds, seconds]
}
