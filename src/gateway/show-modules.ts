/** Builds what SHOW of a whole module prints, and of one of its things: see src/alliedware/show for each field's meaning. */

import type { EncoState } from '../alliedware/show/enco.ts'
import type { IpsecState, PeerTraffic } from '../alliedware/show/ipsec.ts'
import type { IsakmpState } from '../alliedware/show/isakmp.ts'
import type { L2tpCallState, L2tpRangeState, L2tpState } from '../alliedware/show/l2tp.ts'
import type { NameServerState } from '../alliedware/show/ppp.ts'
import type { SystemState } from '../alliedware/show/state.ts'
import { formatIpv4, type Ipv4 } from '../packet/ip.ts'
import type { Control } from './control.ts'
import type { SecretStore } from './secret-store.ts'
import { ipsecSas, l2tpTunnels } from './show.ts'
import { IKE_NAT_PORT, IKE_PORT } from './sockets.ts'
import { l2tpConfig } from './translate.ts'

export function isakmpState(c: Control): IsakmpState {
  const { sas, exchanges } = c.ike.snapshot()
  return {
    enabled: c.configuration.isakmp.enabled,
    listening: [`UDP ${IKE_PORT}`, `UDP ${IKE_NAT_PORT}`],
    policies: c.configuration.isakmp.policies.length,
    sas: sas.length,
    exchanges: exchanges.length,
    debugging: debugged(c, 'isakmp'),
  }
}

export function ipsecState(c: Control): IpsecState {
  const { enabled, saSpecifications, bundles, policies } = c.configuration.ipsec
  return {
    enabled,
    saSpecifications: saSpecifications.length,
    bundles: bundles.length,
    policies: policies.length,
    sas: ipsecSas(c).length,
    debugging: debugged(c, 'ipsec'),
  }
}

export function peerTraffic(c: Control, peer: number): PeerTraffic {
  const t = c.world.stats.peer(peer)
  return {
    outProcessDone: t.packetsOut,
    inProcessDone: t.packetsIn,
    outProcessFail: t.failedOut,
    inProcessFail: t.failedIn,
    outBytes: t.bytesOut,
    inBytes: t.bytesIn,
  }
}

export function l2tpState(c: Control): L2tpState {
  const { enabled, server } = c.configuration.l2tp
  const { hostName, receiveWindow, helloSeconds } = l2tpConfig(c.configuration)
  const { tunnels } = c.l2tp.snapshot()
  return {
    enabled,
    server,
    hostName,
    window: receiveWindow,
    helloSeconds,
    tunnels: tunnels.length,
    calls: tunnels.reduce((sum, t) => sum + t.sessions.length, 0),
    debugging: debugged(c, 'l2tp'),
  }
}

export function l2tpCalls(c: Control): L2tpCallState[] {
  return l2tpTunnels(c).flatMap(t =>
    t.calls.map(call => {
      const admission = c.sessions.all.get(call.session)?.admission
      return {
        localSessionId: call.localSessionId,
        remoteSessionId: call.remoteSessionId,
        localTunnelId: t.localTunnelId,
        remote: t.remote,
        ppp: call.ppp,
        user: admission?.kind === 'accepted' ? admission.user : '',
        state: call.state,
      }
    }),
  )
}

export function l2tpRanges(c: Control): L2tpRangeState[] {
  return c.configuration.l2tp.ranges.map(r => ({
    first: formatIpv4(r.first),
    last: formatIpv4(r.last),
    pppTemplate: r.pppTemplate,
  }))
}

export function nameServers(c: Control): NameServerState {
  const text = (address: Ipv4 | undefined) => (address === undefined ? '' : formatIpv4(address))
  const { dnsPrimary, dnsSecondary, winsPrimary, winsSecondary } = c.configuration.ppp
  return {
    dnsPrimary: text(dnsPrimary),
    dnsSecondary: text(dnsSecondary),
    winsPrimary: text(winsPrimary),
    winsSecondary: text(winsSecondary),
  }
}

export function encoState(secrets: SecretStore, system: SystemState): EncoState {
  return {
    crypto: system.crypto,
    workers: system.workers,
    keys: secrets.keyIds().length,
    ciphers: ['AESGCM256', 'AESGCM192', 'AESGCM128', 'AES256', 'AES192', 'AES128', '3DESOUTER', 'DES'],
    hashes: ['SHA256', 'SHA', 'MD5'],
  }
}

/** The modes that are on for anybody. */
function debugged(c: Control, module: string): string[] {
  const modes = c.debug.active().flatMap(d => (d.module === module ? d.modes : []))
  return [...new Set(modes)]
}
