/**
 * A configuration back to a script that builds the same one: sections with three `#` lines, lower case, CREATE then SET.
 * ENCO keys are never in it. Passwords are, as they are: CHAP (RFC 1994) needs them, so the file must be kept private.
 */

import { formatIpv4 } from '../packet/ip.ts'
import { nextPosition } from './commands/ipsec.ts'
import { isakmpPolicyDefaults } from './commands/isakmp.ts'
import type { Configuration, IpsecPolicy, IsakmpPolicyConfig, User } from './config.ts'
import { emptyConfiguration } from './draft.ts'
import { type Section, sections, sectionWords } from './grammar.ts'
import { type Keyword, resolve } from './keyword.ts'
import { parseCommand } from './parse.ts'
import { quote } from './token.ts'
import { formatRange } from './value.ts'
import { writeLimits, writeSsh } from './write-access.ts'
import { writeFirewallPolicy } from './write-firewall.ts'
import { always, ip, line, lineIfAny, plain, protocol, quoted, range, unless, when } from './write-line.ts'
import { writeLog } from './write-log.ts'

const titles: Readonly<Record<Section, string>> = {
  SYSTEM: 'SYSTEM',
  LOAD: 'LOAD',
  USER: 'USER',
  PPP: 'PPP templates',
  L2TP: 'L2TP',
  IP: 'IP',
  FIREWALL: 'FIREWALL',
  SSH: 'SSH',
  IPSEC: 'IPSEC',
  LOG: 'LOG',
  SNMP: 'SNMP',
  OTHER: 'OTHER modules',
  ALIAS: 'ALIAS',
}

const writers: Readonly<Record<Section, (c: Configuration) => string[]>> = {
  SYSTEM: c => [
    ...(c.systemName === undefined ? [] : [line('set system', { name: always(c.systemName) })]),
    ...(c.helpFile === undefined ? [] : [`set help=${c.helpFile}`]),
  ],
  LOAD: () => [],
  USER: c => [
    ...(c.secureDelaySeconds === emptyConfiguration.secureDelaySeconds
      ? []
      : [`set user securedelay=${c.secureDelaySeconds}`]),
    ...c.users.flatMap(writeUser),
    // Behind the users: a password may be older than the least length that is asked for.
    ...writeLimits(c.loginLimits),
  ],
  PPP: writePpp,
  L2TP: c => [
    ...when(c.l2tp.enabled, 'enable l2tp'),
    ...when(c.l2tp.server !== 'off', `enable l2tp server=${c.l2tp.server}`),
    ...c.l2tp.ranges.map(r => `add l2tp ip=${formatRange(r)} ppptemplate=${r.pppTemplate}`),
  ],
  IP: writeIp,
  FIREWALL: c => [
    ...when(c.firewall.enabled, 'enable firewall'),
    ...when(c.firewall.notifyManagers === false, 'disable firewall notify=manager'),
    ...lineIfAny('set firewall', { maxfragments: c.firewall.maxFragments }),
    ...c.firewall.policies.flatMap(writeFirewallPolicy),
  ],
  SSH: c => writeSsh(c.ssh),
  IPSEC: writeIpsec,
  LOG: c => writeLog(c.log),
  SNMP: () => [],
  OTHER: () => [],
  ALIAS: c => c.aliases.map(a => `add alias=${a.name} string=${always(a.string)}`),
}

/** The sections by the modules' names, for SHOW CONFIG DYNAMIC=module. */
const modules: readonly (Keyword & { readonly section: Section })[] = sectionWords.map(word => ({
  ...word,
  section: word.name === 'isakmp' ? 'IPSEC' : word.name === 'radius' ? 'USER' : (word.name.toUpperCase() as Section),
}))

/** The sections that a list of modules' names stands for; undefined where it holds none or two that it may mean. */
export function sectionsOf(list: string): readonly Section[] | undefined {
  const found = list.split(',').map(word => resolve(word.trim(), modules)?.section)
  return found.includes(undefined) ? undefined : sections.filter(s => found.includes(s))
}

/**
 * The script, or some sections of it. `readScript` of the whole gives the configuration again, but for its ENCO keys and
 * line numbers; held and inert commands stand at the end of their sections, the inert ones as they were typed.
 */
export function writeScript(configuration: Configuration, only: readonly Section[] = sections): string {
  const extra = new Map<string, string[]>()
  const add = (section: string, text: string) => extra.set(section, [...(extra.get(section) ?? []), text])
  for (const held of configuration.held) add(held.section, held.text)
  for (const inert of configuration.inert) {
    const result = parseCommand(inert.text)
    if (result.kind === 'faults') add('OTHER', inert.text)
    else if (result.command.entry.kind !== 'ENCO key') add(result.command.entry.section, inert.text)
  }
  return only
    .map(section => {
      const commands = [...writers[section](configuration), ...(extra.get(section) ?? [])]
      return [`#\n# ${titles[section]} configuration\n#\n`, ...commands.map(command => `${command}\n`)].join('')
    })
    .join('\n')
}

function writeUser(user: User): string[] {
  const head = `user=${quote(user.name)}`
  return [
    line(`add ${head}`, {
      password: quote(plain(user.password)),
      privilege: unless(user.privilege, 'user'),
      login: user.login ? 'yes' : 'no',
      telnet: user.telnet ? 'yes' : undefined,
      ipaddress: ip(user.ipAddress),
      netmask: ip(user.netmask),
      mtu: user.mtu,
    }),
    ...lineIfAny(`set ${head}`, { description: quoted(user.description) }),
    ...when(user.disabled === true, `disable ${head}`),
  ]
}

function writePpp(c: Configuration): string[] {
  return [
    ...c.pppTemplates.map(t =>
      line(`create ppp template=${t.template}`, {
        bap: t.bap,
        ippool: quoted(t.ipPool),
        authentication: unless(t.authentication, 'none'),
        echo: t.echoSeconds,
        lqr: t.lqrSeconds ?? 'off',
        mru: t.mru,
        mtu: t.mtu,
        mssheader: t.mssHeader,
        idle: t.idleSeconds,
        rechallenge: t.rechallengeSeconds,
      }),
    ),
    ...lineIfAny('set ppp', {
      dnsprimary: ip(c.ppp.dnsPrimary),
      dnssecondary: ip(c.ppp.dnsSecondary),
      winsprimary: ip(c.ppp.winsPrimary),
      winssecondary: ip(c.ppp.winsSecondary),
    }),
  ]
}

function writeIp(c: Configuration): string[] {
  return [
    ...when(c.ip.enabled, 'enable ip'),
    ...c.ip.interfaces.map(i =>
      line(`add ip interface=${i.name}`, {
        ipaddress: ip(i.address),
        mask: i.classful ? undefined : ip(i.mask),
      }),
    ),
    ...c.ip.routes.map(r =>
      line(`add ip route=${formatIpv4(r.network)}`, {
        mask: ip(r.mask),
        interface: r.interface,
        nexthop: ip(r.nextHop),
      }),
    ),
    ...c.ip.pools.map(p => `create ip pool=${always(p.name)} ip=${formatRange(p)}`),
    ...lineIfAny('set ip local', { ipaddress: ip(c.ip.localAddress) }),
  ]
}

function writeIpsec(c: Configuration): string[] {
  return [
    ...c.ipsec.saSpecifications.map(s =>
      line(`create ipsec saspecification=${s.id}`, {
        keymanagement: s.keyManagement,
        protocol: s.protocol,
        encalg: s.encryption,
        hashalg: s.hash,
        mode: s.mode,
        antireplayenabled: s.antiReplay,
        replaywindowsize: s.replayWindow,
      }),
    ),
    ...c.ipsec.bundles.map(b =>
      line(`create ipsec bundlespecification=${b.id}`, {
        keymanagement: b.keyManagement,
        string: always(b.string),
        expirykbytes: b.expiryKilobytes,
        expiryseconds: b.expirySeconds,
      }),
    ),
    ...c.ipsec.policies.flatMap((policy, index) => writeIpsecPolicy(policy, c.ipsec.policies.slice(0, index))),
    ...when(c.ipsec.enabled, 'enable ipsec'),
    ...c.isakmp.policies.flatMap(writeIsakmpPolicy),
    ...when(c.isakmp.enabled, 'enable isakmp'),
  ]
}

function writeIpsecPolicy(p: IpsecPolicy, before: readonly IpsecPolicy[]): string[] {
  const head = `ipsec policy=${always(p.name)}`
  return [
    line(`create ${head}`, {
      interface: p.interface,
      action: p.action,
      position: unless(p.position, nextPosition(before, p.interface)),
      keymanagement: p.keyManagement,
      bundlespecification: p.bundle,
      isakmppolicy: quoted(p.isakmpPolicy),
      peeraddress: typeof p.peer === 'number' ? ip(p.peer) : p.peer,
    }),
    ...lineIfAny(`set ${head}`, {
      laddress: range(p.localAddress),
      lport: unless(p.localPort, 'any'),
      raddress: range(p.remoteAddress),
      rport: unless(p.remotePort, 'any'),
      transportprotocol: protocol(unless(p.transportProtocol, 'any')),
      icmptype: p.icmpTypes?.join(','),
      lname: quoted(p.localName),
      rname: quoted(p.remoteName),
      usepfskey: p.usePfsKey ? 'true' : undefined,
      group: p.group,
    }),
  ]
}

function writeIsakmpPolicy(p: IsakmpPolicyConfig): string[] {
  const head = `isakmp policy=${always(p.name)}`
  const usual = isakmpPolicyDefaults
  return [
    line(`create ${head}`, {
      peer: typeof p.peer === 'number' ? ip(p.peer) : p.peer,
      key: p.key,
      authtype: unless(p.authType, usual.authType),
      encalg: p.encryption,
      hashalg: p.hash,
      group: p.group,
      mode: unless(p.mode, usual.mode),
    }),
    // NATTRAVERSAL is always said: releases differ in what holds where it is not.
    line(`set ${head}`, {
      nattraversal: p.natTraversal,
      senddeletes: unless(p.sendDeletes, usual.sendDeletes),
      sendnotify: unless(p.sendNotify, usual.sendNotify),
      localid: quoted(p.localId),
      remoteid: quoted(p.remoteId),
      expiryseconds: p.expirySeconds,
      msgretrylimit: unless(p.msgRetryLimit, usual.msgRetryLimit),
      msgtimeout: unless(p.msgTimeoutSeconds, usual.msgTimeoutSeconds),
      msgbackoff: unless(p.msgBackoff, usual.msgBackoff),
      dpdmode: p.dpdMode,
      dpdidletimeout: p.dpdIdleSeconds,
    }),
  ]
}
