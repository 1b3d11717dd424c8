/** IP: interfaces, routes, the pools that callers get their addresses from, and the local address. */

import { formatIpv4, type Ipv4, prefixMask } from '../../packet/ip.ts'
import { type Draft, merge, removeWhere, sameName } from '../draft.ts'
import { type Arguments, act, type CommandEntry, hold, type Report } from '../grammar.ts'
import { address, addressRange, bool, either, interfaceName, mask, name, number, oneOf, text } from '../value.ts'

/** The netmask of the address's class, which holds where MASK is not given: A /8, B /16, C and above /24. */
export function classfulMask(of: Ipv4): Ipv4 {
  const top = of >>> 24
  return prefixMask(top < 128 ? 8 : top < 192 ? 16 : 24)
}

const poolName = name(15)
const interfaceParameters = { IPaddress: either(oneOf('DHCP'), address), MAsk: mask } as const
const interfaceHeld = {
  BRoadcast: text(1, 15),
  DIRectedbroadcast: bool,
  FILter: text(1, 8),
  MEtric: number(1, 16),
  MULticast: text(1, 8),
  PRoxyarp: text(1, 10),
  RIPmetric: number(1, 16),
  VLantag: text(1, 8),
}

const routeParameters = {
  INTerface: interfaceName,
  NEXThop: address,
  MAsk: mask,
  METRIC1: number(1, 16),
  METRic: number(1, 16),
  PREFerence: number(0, 65535),
  POLIcy: number(0, 7),
} as const

/** Adds or changes: an interface has one entry. */
function setInterface(draft: Draft, wanted: string, args: Arguments<typeof interfaceParameters>, report: Report): void {
  const index = draft.ip.interfaces.findIndex(i => i.name === wanted)
  const before = draft.ip.interfaces[index]
  if (args.ipaddress === 'dhcp') return report.error('IPADDRESS=DHCP: give the address that the host has on it')
  const ip = args.ipaddress ?? before?.address
  if (ip === undefined) return report.error('IPADDRESS is missing')
  const kept = args.ipaddress === undefined && before && !before.classful ? before.mask : undefined
  const given = args.mask ?? kept
  const entry = {
    name: wanted,
    address: ip,
    mask: given ?? classfulMask(ip),
    classful: given === undefined,
    line: report.line,
  }
  if (index < 0) draft.ip.interfaces.push(entry)
  else draft.ip.interfaces[index] = entry
}

const routeIdentity = (network: Ipv4, args: Arguments<typeof routeParameters>) =>
  `${formatIpv4(network)} ${args.interface ?? ''}`

function warnOfMetrics(args: Arguments<typeof routeParameters>, report: Report): void {
  if (args.metric !== undefined || args.metric1 !== undefined || args.preference !== undefined || args.policy)
    report.warn('METRIC, PREFERENCE and POLICY have no effect here')
}

/** A route is told from others to the same network by what it has in common with the command. */
function setRoute(draft: Draft, network: Ipv4, args: Arguments<typeof routeParameters>, report: Report): void {
  const there = draft.ip.routes.filter(r => r.network === network && (args.mask === undefined || r.mask === args.mask))
  if (there.length === 0) return report.missing('IP route', routeIdentity(network, args))
  const score = (r: (typeof there)[number]) =>
    Number(r.interface === args.interface) + Number(r.nextHop === args.nexthop)
  const best = Math.max(...there.map(score))
  const [route, another] = there.filter(r => score(r) === best)
  if (another !== undefined) return report.error('several routes fit: DELETE the one that is meant, and ADD it anew')
  const changed = merge(route!, { interface: args.interface, nextHop: args.nexthop, line: report.line })
  if (there.some(r => r !== route && r.interface === changed.interface && r.nextHop === changed.nextHop))
    return report.error('the route exists already')
  warnOfMetrics(args, report)
  draft.ip.routes[draft.ip.routes.indexOf(route!)] = changed
}

export const ipCommands: readonly CommandEntry[] = [
  ...[true, false].map(enabled =>
    act({
      verb: enabled ? 'enable' : 'disable',
      path: 'IP',
      section: 'IP',
      apply: draft => {
        draft.ip.enabled = enabled
      },
    }),
  ),
  act({
    verb: 'add',
    path: 'IP INTerface=',
    of: interfaceName,
    parameters: interfaceParameters,
    held: interfaceHeld,
    needs: ['ipaddress'],
    section: 'IP',
    kind: 'IP interface',
    apply: (draft, wanted, args, report) => {
      if (draft.ip.interfaces.some(i => i.name === wanted)) return report.error(`IP interface ${wanted} exists already`)
      setInterface(draft, wanted, args, report)
    },
  }),
  act({
    verb: 'set',
    path: 'IP INTerface=',
    of: interfaceName,
    parameters: interfaceParameters,
    held: interfaceHeld,
    section: 'IP',
    kind: 'IP interface',
    apply: (draft, wanted, args, report) => {
      if (!draft.ip.interfaces.some(i => i.name === wanted)) return report.missing('IP interface', wanted)
      setInterface(draft, wanted, args, report)
    },
  }),
  act({
    verb: 'delete',
    path: 'IP INTerface=',
    of: interfaceName,
    section: 'IP',
    kind: 'IP interface',
    apply: (draft, wanted, _, report) => {
      if (!removeWhere(draft.ip.interfaces, i => i.name === wanted)) report.missing('IP interface', wanted)
    },
  }),
  act({
    verb: 'add',
    path: 'IP ROUte=',
    of: address,
    parameters: routeParameters,
    needs: ['interface'],
    section: 'IP',
    kind: 'IP route',
    identity: routeIdentity,
    apply: (draft, network, args, report) => {
      const route = {
        network,
        mask: args.mask ?? (network === 0 ? 0 : classfulMask(network)),
        interface: args.interface!,
        nextHop: args.nexthop ?? 0,
        line: report.line,
      }
      if ((route.network & ~route.mask) !== 0) return report.error('ROUTE has bits outside its MASK')
      const same = (r: typeof route) =>
        r.network === route.network &&
        r.mask === route.mask &&
        r.interface === route.interface &&
        r.nextHop === route.nextHop
      if (draft.ip.routes.some(same)) return report.error('the route exists already')
      warnOfMetrics(args, report)
      draft.ip.routes.push(route)
    },
  }),
  act({
    verb: 'set',
    path: 'IP ROUte=',
    of: address,
    parameters: routeParameters,
    section: 'IP',
    kind: 'IP route',
    identity: routeIdentity,
    apply: setRoute,
  }),
  act({
    verb: 'delete',
    path: 'IP ROUte=',
    of: address,
    parameters: routeParameters,
    section: 'IP',
    kind: 'IP route',
    identity: routeIdentity,
    apply: (draft, network, args, report) => {
      const removed = removeWhere(
        draft.ip.routes,
        r =>
          r.network === network &&
          (args.mask === undefined || r.mask === args.mask) &&
          (args.interface === undefined || r.interface === args.interface) &&
          (args.nexthop === undefined || r.nextHop === args.nexthop),
      )
      if (!removed) report.missing('IP route', routeIdentity(network, args))
    },
  }),
  act({
    verb: 'create',
    path: 'IP POOL=',
    of: poolName,
    parameters: { IP: addressRange },
    needs: ['ip'],
    section: 'IP',
    kind: 'IP pool',
    apply: (draft, pool, args, report) => {
      if (draft.ip.pools.some(p => sameName(p.name, pool))) return report.error(`IP pool "${pool}" exists already`)
      draft.ip.pools.push({ name: pool, ...args.ip! })
    },
  }),
  act({
    verb: 'set',
    path: 'IP POOL=',
    of: poolName,
    parameters: { IP: addressRange },
    needs: ['ip'],
    section: 'IP',
    kind: 'IP pool',
    apply: (draft, pool, args, report) => {
      const index = draft.ip.pools.findIndex(p => sameName(p.name, pool))
      if (index < 0) return report.missing('IP pool', pool)
      draft.ip.pools[index] = { name: draft.ip.pools[index]!.name, ...args.ip! }
    },
  }),
  act({
    verb: 'destroy',
    path: 'IP POOL=',
    of: poolName,
    section: 'IP',
    kind: 'IP pool',
    apply: (draft, pool, _, report) => {
      const user = draft.pppTemplates.find(t => t.ipPool !== undefined && sameName(t.ipPool, pool))
      if (user) return report.error(`IP pool "${pool}" is in use by PPP template ${user.template}`)
      if (!removeWhere(draft.ip.pools, p => sameName(p.name, pool))) report.missing('IP pool', pool)
    },
  }),
  act({
    verb: 'set',
    path: 'IP LOCal',
    parameters: { IPaddress: address },
    needs: ['ipaddress'],
    section: 'IP',
    apply: (draft, _, args) => {
      draft.ip.localAddress = args.ipaddress === 0 ? undefined : args.ipaddress
    },
  }),
  // What the host does, or nobody: kept as it was typed. FILTER is not among them: a filter without effect would be none.
  ...['ARP', 'DNS', 'DNSRelay', 'ECHoreply', 'HELper', 'HOst', 'NAMeserver', 'REMoteassign', 'RIP', 'SRCroute'].flatMap(
    word =>
      ['add', 'delete', 'set', 'enable', 'disable'].map(verb =>
        hold({ verb, path: `IP ${word}=?`, of: text(0, 128), free: true, section: 'IP' }),
      ),
  ),
]
