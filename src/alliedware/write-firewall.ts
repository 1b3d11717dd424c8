/** A firewall policy back to the commands that make it. */

import { type FirewallPolicy, FRAGMENT_KINDS, ICMP_KINDS, IP_OPTION_KINDS, type PortRange } from '../firewall/policy.ts'
import { formatDays, formatTime } from './commands/firewall-match.ts'
import { quote } from './token.ts'
import { formatRange } from './value.ts'
import { line, lineIfAny, protocol, range, unless, when } from './write-line.ts'

const ports = (r: PortRange | undefined) => r && (r.first === r.last ? `${r.first}` : `${r.first}-${r.last}`)

/** One policy: what it consists of before what refers to that. Rules with a TTL are never saved. */
export function writeFirewallPolicy(p: FirewallPolicy): string[] {
  const head = `firewall policy=${p.name}`
  const minutes = (seconds: number, usual: number) => (seconds === usual ? undefined : Math.floor(seconds / 60))
  return [
    `create ${head}`,
    ...lineIfAny(`set ${head}`, {
      tcptimeout: minutes(p.tcpTimeoutSeconds, 3600),
      udptimeout: minutes(p.udpTimeoutSeconds, 1200),
      othertimeout: minutes(p.otherTimeoutSeconds, 1200),
      icmptimeout: minutes(p.icmpTimeoutSeconds, 60),
      esptimeout: p.espTimeoutSeconds === undefined ? undefined : minutes(p.espTimeoutSeconds, -1),
      ftpdataport: p.ftpDataPort,
    }),
    ...p.udpPortTimeouts.map(u =>
      line(`add ${head}`, {
        udpporttimeout: u.port,
        timeout: u.seconds === undefined ? 'default' : Math.floor(u.seconds / 60),
      }),
    ),
    ...lineIfAny(`disable ${head}`, {
      icmp_forwarding: missing(ICMP_KINDS, p.icmpForwarding),
      options: missing(IP_OPTION_KINDS, p.ipOptions),
      fragment: missing(FRAGMENT_KINDS, p.fragments),
    }),
    ...Object.entries(p.attacks).map(([attack, t]) =>
      line(`set ${head}`, {
        attack,
        intrigger: t.inTrigger,
        outtrigger: t.outTrigger,
        detail: t.detail,
        time: t.timeMinutes,
      }),
    ),
    ...lineIfAny(`enable ${head}`, { log: p.log.join(',') || undefined }),
    ...when(p.ping, `enable ${head} ping`),
    ...when(p.isolation, `enable ${head} isolation`),
    ...when(p.accounting, `enable ${head} accounting`),
    ...p.lists.flatMap(l =>
      l.file === undefined
        ? l.addresses.map(a => `add ${head} list=${l.name} ip=${formatRange(a)}`)
        : [`add ${head} list=${l.name} file=${l.file} type=${l.hardware === undefined ? 'ip' : 'address'}`],
    ),
    ...p.dynamics.flatMap(d => [
      `create ${head} dynamic=${d.name}`,
      ...[...when(d.any, 'ANY'), ...when(d.none, 'NONE'), ...d.users.map(quote)].map(
        user => `add ${head} dynamic=${d.name} user=${user}`,
      ),
      ...(d.files ?? []).map(f => `add ${head} dynamic=${d.name} file=${f.file}`),
    ]),
    ...p.interfaces.map(i =>
      line(`add ${head}`, { interface: i.name, type: i.type, method: unless(i.method, 'dynamic') }),
    ),
    ...p.nats.map(n =>
      line(`add ${head}`, {
        nat: n.kind,
        interface: n.interface,
        ip: range(n.ip),
        gblinterface: n.globalInterface,
        gblip: range(n.globalIp),
      }),
    ),
    ...p.limitRules.map(r =>
      line(`add ${head}`, {
        limitrule: r.number,
        srciplimit: r.sessions,
        interface: r.interface,
        ip: range(r.ip),
        gblremoteip: range(r.globalRemoteIp),
      }),
    ),
    ...p.rules
      .filter(r => r.ttlSeconds === undefined)
      .map(r =>
        line(`add ${head}`, {
          rule: r.number,
          interface: r.interface,
          action: r.action,
          protocol: protocol(r.protocol) ?? 'all',
          ip: range(r.ip),
          port: ports(r.port),
          gblip: range(r.globalIp),
          gblport: ports(r.globalPort),
          remoteip: range(r.remoteIp),
          sourceport: ports(r.sourcePort),
          gblremoteip: range(r.globalRemoteIp),
          nattype: r.natType,
          list: r.list,
          days: formatDays(r.days),
          after: formatTime(r.afterMinute),
          before: formatTime(r.beforeMinute),
          user: r.user === undefined ? undefined : quote(r.user),
          group: r.group,
          encapsulation: r.encapsulation,
        }),
      ),
  ]
}

/** What a policy does not let pass, of all it could. */
function missing(all: readonly string[], kept: readonly string[]): string | undefined {
  return all.filter(kind => !kept.includes(kind)).join(',') || undefined
}
