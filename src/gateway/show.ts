/** Builds what SHOW prints from control's live state: see src/alliedware/show/state.ts for the meaning of each field. */

import type { IpsecPolicy } from '../alliedware/config.ts'
import type { LogConfig } from '../alliedware/log-config.ts'
import type { LogOutputState } from '../alliedware/show/log-output.ts'
import type {
  CounterState,
  IpPoolState,
  IpsecPolicyState,
  IpsecSaState,
  IsakmpExchangeState,
  IsakmpSaState,
  L2tpTunnelState,
  PppState,
  SessionState,
  UserState,
} from '../alliedware/show/state.ts'
import { formatRange } from '../alliedware/value.ts'
import { suiteName } from '../esp/suites.ts'
import { ipsecComment } from '../firewall/nft-ipsec.ts'
import { formatEndpoint, formatIpv4 } from '../packet/ip.ts'
import type { Control } from './control.ts'
import type { HostCounters } from './host-counters.ts'
import type { Log } from './log.ts'
import type { Session } from './session.ts'

export function isakmpSas(c: Control): IsakmpSaState[] {
  const now = c.world.clock.now()
  return c.ike.snapshot().sas.map(s => ({
    id: s.id,
    peer: s.peer,
    remote: formatEndpoint(s.peerAddress),
    local: formatEndpoint(s.local),
    policy: s.policy,
    identity: s.identity,
    client: s.client,
    encryption: s.suite.cipher,
    hash: s.suite.hash,
    group: s.suite.group,
    initiatorCookie: s.initiatorCookie,
    responderCookie: s.responderCookie,
    nat: s.nat,
    natTraversal: s.natFlavour ?? 'none',
    ageSeconds: seconds(now - s.established),
    lifetimeSeconds: seconds(s.expires - s.established),
    messageBackoff: backoff(c, s.policy),
  }))
}

export function isakmpExchanges(c: Control): IsakmpExchangeState[] {
  const now = c.world.clock.now()
  return c.ike.snapshot().exchanges.map(e => ({
    id: e.id,
    phase: e.phase,
    state: e.state,
    peerAddress: formatIpv4(e.peerAddress.address),
    type: e.type.toUpperCase(),
    policy: e.policy,
    peerPort: e.peerAddress.port,
    local: formatEndpoint(e.local),
    ageSeconds: seconds(now - e.started),
    messageBackoff: backoff(c, e.policy),
  }))
}

/** Of an ISAKMP policy; of one that is gone, or of a Quick Mode's, nothing. */
function backoff(c: Control, policy: string): string {
  return c.configuration.isakmp.policies.find(p => p.name === policy)?.msgBackoff.toUpperCase() ?? ''
}

export function ipsecSas(c: Control): IpsecSaState[] {
  const now = c.world.clock.now()
  const bundles = new Map(c.configuration.ipsec.policies.map(p => [p.name, p.bundle]))
  const out: IpsecSaState[] = []
  for (const p of c.peers.all.values()) {
    const current = c.peers.current(p.peer)
    for (const { sa, installed, outbound } of p.sas.values()) {
      out.push({
        id: out.length,
        policy: sa.policy,
        bundle: bundles.get(sa.policy),
        state: !outbound ? 'Inbound only' : sa === current ? 'Valid' : 'Replaced',
        protocol: 'ESP',
        inSpi: sa.inboundSpi,
        outSpi: sa.outboundSpi,
        peer: p.peer,
        remote: formatEndpoint(p.remote),
        suite: suiteName(sa.suite),
        encapsulation: sa.udpEncapsulated ? 'UDP' : 'none',
        ageSeconds: seconds(now - installed),
        lifetimeSeconds: sa.lifetimeSeconds,
        lifetimeKilobytes: sa.lifetimeKilobytes,
      })
    }
  }
  return out
}

export function ipsecPolicies(c: Control, host: HostCounters): IpsecPolicyState[] {
  return c.configuration.ipsec.policies.map(p => {
    const t = c.peers.policyTraffic(p.name)
    const clear = { in: host.of(ipsecComment(p.name, 'in')).packets, out: host.of(ipsecComment(p.name, 'out')).packets }
    const permits = p.action === 'permit'
    return {
      name: p.name,
      interface: p.interface,
      position: p.position,
      action: p.action.toUpperCase(),
      keyManagement: (p.keyManagement ?? '').toUpperCase(),
      isakmpPolicy: p.isakmpPolicy ?? '',
      bundle: p.bundle,
      peerAddress: peerText(p),
      localPort: String(p.localPort).toUpperCase(),
      remotePort: String(p.remotePort).toUpperCase(),
      transportProtocol: protocolText(p.transportProtocol),
      localAddress: selectorText(p.localAddress),
      remoteAddress: selectorText(p.remoteAddress),
      localName: p.localName ?? 'ANY',
      remoteName: p.remoteName ?? 'ANY',
      icmpTypes: p.icmpTypes?.join(', ') ?? 'ANY',
      usePfsKey: p.usePfsKey,
      group: p.group,
      counters: {
        outPermit: permits ? clear.out : 0,
        outDeny: permits ? 0 : clear.out,
        inPermit: permits ? clear.in : 0,
        inDeny: permits ? 0 : clear.in,
        outProcessStart: t.packetsOut + t.failedOut,
        outProcessDone: t.packetsOut,
        outProcessFail: t.failedOut,
        outBytes: t.bytesOut,
        inProcessStart: t.packetsIn + t.failedIn,
        inProcessDone: t.packetsIn,
        inProcessFail: t.failedIn,
        inBytes: t.bytesIn,
      },
    }
  })
}

function peerText(p: IpsecPolicy): string {
  if (p.peer === undefined) return ''
  return typeof p.peer === 'number' ? formatIpv4(p.peer) : p.peer.toUpperCase()
}

function selectorText(range: IpsecPolicy['localAddress']): string {
  return range === undefined ? 'ANY' : formatRange(range)
}

function protocolText(protocol: IpsecPolicy['transportProtocol']): string {
  if (typeof protocol === 'string') return protocol.toUpperCase()
  return { 1: 'ICMP', 6: 'TCP', 17: 'UDP', 47: 'GRE', 50: 'ESP' }[protocol] ?? String(protocol)
}

export function l2tpTunnels(c: Control): L2tpTunnelState[] {
  const now = c.world.clock.now()
  return c.l2tp.snapshot().tunnels.map(t => {
    const peer = c.peers.all.get(t.peer)
    return {
      localTunnelId: t.localTunnelId,
      remoteTunnelId: t.remoteTunnelId,
      peer: t.peer,
      remote: peer ? formatEndpoint(peer.remote) : '',
      hostName: t.hostName,
      vendor: t.vendor,
      state: t.state,
      ns: t.ns,
      nr: t.nr,
      ageSeconds: seconds(now - t.since),
      calls: t.sessions.map(s => ({
        session: s.session,
        localSessionId: s.localSessionId,
        remoteSessionId: s.remoteSessionId,
        state: s.state,
        ppp: c.sessions.all.get(s.session)?.name ?? '',
      })),
    }
  })
}

const AUTHENTICATIONS = { 'chap-md5': 'CHAP', mschap2: 'MS-CHAPv2', none: 'NONE' } as const

export function pppInterfaces(c: Control): PppState[] {
  const now = c.world.clock.now()
  const templates = new Map(c.configuration.pppTemplates.map(t => [t.template, t]))
  return [...c.sessions.all.values()].map(s => {
    const link = s.link.snapshot()
    const template = templates.get(s.ids.template)
    const { packetsIn, packetsOut, bytesIn, bytesOut } = c.world.stats.session(s.ids.session)
    const carried = packetsIn + packetsOut !== s.packetsCarried
    return {
      name: s.name,
      session: s.ids.session,
      template: s.ids.template,
      over: `TNL-${s.ids.localTunnelId}/${s.ids.localSessionId}`,
      user: userOf(s),
      lcp: link.lcp,
      ipcp: link.ipcp,
      phase: link.phase,
      address: addressOf(s),
      localAddress: formatIpv4(c.world.network.localAddress),
      peerMru: link.peerMru,
      authentication: AUTHENTICATIONS[link.authentication],
      identification: link.identifications,
      ageSeconds: seconds(c.world.wall().getTime() - s.started.getTime()),
      localMru: link.localMru,
      compression: [...(link.compressAddress ? ['ACFC'] : []), ...(link.compressProtocol ? ['PFC'] : [])],
      missedEchoes: link.missedEchoes,
      idleSeconds: s.networkUp ? (carried ? 0 : seconds(now - s.usedAt)) : undefined,
      idleLimitSeconds: template?.idleSeconds,
      echoSeconds: template?.echoSeconds,
      bytesIn,
      bytesOut,
      packetsIn,
      packetsOut,
      counters: { ...link.counters },
    }
  })
}

export function ipPools(c: Control): IpPoolState[] {
  return c.residents.poolStates()
}

export function users(c: Control): UserState[] {
  const live = (name: string) =>
    [...c.sessions.all.values()].filter(s => userOf(s).toLowerCase() === name.toLowerCase()).length
  return c.configuration.users.map(u => {
    const counts = c.admissions.counts.get(u.name.toLowerCase()) ?? { good: 0, bad: 0 }
    return {
      name: u.name,
      description: u.description ?? '',
      privilege: u.privilege,
      login: u.login,
      telnet: u.telnet,
      ipAddress: u.ipAddress === undefined ? '' : formatIpv4(u.ipAddress),
      sessions: live(u.name),
      authentications: counts.good,
      fails: counts.bad,
    }
  })
}

/** One row a client that has its inner address: everything that three daemons would tell apart. */
export function sessions(c: Control): SessionState[] {
  return [...c.sessions.all.values()].flatMap(s => {
    const peer = c.peers.all.get(s.ids.peer)
    const sa = c.peers.current(s.ids.peer)
    if (s.since === undefined || !peer) return []
    const traffic = c.world.stats.session(s.ids.session)
    return [
      {
        id: s.ids.session,
        user: userOf(s),
        identity: peer.identity,
        remote: formatEndpoint(peer.remote),
        nat: peer.nat,
        suite: sa ? suiteName(sa.suite) : 'none',
        address: addressOf(s),
        bytesIn: traffic.bytesIn,
        bytesOut: traffic.bytesOut,
        packetsIn: traffic.packetsIn,
        packetsOut: traffic.packetsOut,
        since: s.since.toISOString(),
        client: peer.client,
        hostName: s.ids.hostName,
        mtu: s.mtu,
      },
    ]
  })
}

export function logOutputs(c: LogConfig, log: Log): LogOutputState[] {
  return c.outputs.map(o => ({
    id: String(o.id),
    destination: o.destination,
    enabled: c.enabled && o.enabled,
    server: o.server === undefined ? '' : `${formatIpv4(o.server)}:${o.port}`,
    filters: o.filters.map(f =>
      [
        `${f.id} ${f.action}`,
        f.severity && `severity ${f.severity.first}-${f.severity.last}`,
        f.module && `module ${f.module}`,
        f.type && `type ${f.type}`,
        f.subtype && `subtype ${f.subtype}`,
        f.text && `"${f.text}"`,
      ]
        .filter(Boolean)
        .join(' '),
    ),
    taken: log.takenBy(o.id),
  }))
}

export function counters(c: Control, more: CounterState): CounterState {
  return {
    ike: { ...c.ike.snapshot().counters, 'short-icv': c.engineEvents.shortIcvs },
    l2tp: c.l2tp.snapshot().counters,
    ppp: c.sessions.pppCounters(),
    data: c.world.stats.totals(),
    gateway: { bugs: c.bugs, peers: c.peers.all.size, sessions: c.sessions.all.size },
    ...more,
  }
}

function userOf(s: Session): string {
  return s.admission?.kind === 'accepted' ? s.admission.user : ''
}

function addressOf(s: Session): string {
  return s.admission?.kind === 'accepted' ? formatIpv4(s.admission.address) : ''
}

function seconds(millis: number): number {
  return Math.max(0, Math.round(millis / 1000))
}
