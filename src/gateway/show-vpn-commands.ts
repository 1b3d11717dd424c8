/** SHOW of what makes a tunnel: ISAKMP, IPSEC, L2TP and PPP. */

import type { Command } from '../alliedware/parse.ts'
import { printCounterGroups } from '../alliedware/show/counter.ts'
import * as ipsec from '../alliedware/show/ipsec.ts'
import * as isakmp from '../alliedware/show/isakmp.ts'
import * as l2tp from '../alliedware/show/l2tp.ts'
import * as ppp from '../alliedware/show/ppp.ts'
import type { AdminAnswer } from './caller.ts'
import { HostCounters } from './host-counters.ts'
import * as show from './show.ts'
import { answer, named, one, type Showing, type ShowWorld } from './show-answer.ts'
import { ipsecCounters, isakmpCounters } from './show-counters.ts'
import * as modules from './show-modules.ts'

/** By the object's words. */
export const vpnShows: Readonly<Record<string, Showing>> = {
  isakmp: ({ control: c }) => answer(modules.isakmpState(c), isakmp.printIsakmp),
  'isakmp sa': ({ control: c }, command) =>
    command.value === undefined
      ? answer(show.isakmpSas(c), isakmp.printIsakmpSas)
      : one(command, show.isakmpSas(c), s => s.id === Number(command.value), isakmp.printIsakmpSa),
  'isakmp exchange': ({ control: c }, command) =>
    command.value === undefined
      ? answer(show.isakmpExchanges(c), isakmp.printIsakmpExchanges)
      : one(command, show.isakmpExchanges(c), e => e.id === Number(command.value), isakmp.printIsakmpExchange),
  'isakmp policy': ({ control: c }, command) => {
    const { policies } = c.configuration.isakmp
    return command.value === undefined
      ? answer(policies, isakmp.printIsakmpPolicies)
      : one(command, policies, p => named(command, p.name), isakmp.printIsakmpPolicy)
  },
  'isakmp counter': ({ control: c }, command) => {
    const groups = Object.entries(isakmpCounters(c)).filter(([group]) => named(command, group))
    const titled = groups.map(([group, counters]) => [`ISAKMP ${group.toUpperCase()}`, counters] as const)
    return answer(Object.fromEntries(groups), () => printCounterGroups(Object.fromEntries(titled)))
  },

  ipsec: ({ control: c }) => answer(modules.ipsecState(c), ipsec.printIpsec),
  'ipsec sa': ({ control: c }, command) =>
    command.value === undefined
      ? answer(show.ipsecSas(c), ipsec.printIpsecSas)
      : one(
          command,
          show.ipsecSas(c).map(s => ({ ...s, counters: modules.peerTraffic(c, s.peer) })),
          s => s.id === Number(command.value),
          s => ipsec.printIpsecSa(s, command.args['counter'] === undefined ? undefined : s.counters),
        ),
  'ipsec policy': showIpsecPolicy,
  'ipsec saspecification': ({ control: c }, command) =>
    answer(
      c.configuration.ipsec.saSpecifications.filter(s => named(command, s.id)),
      ipsec.printSaSpecifications,
    ),
  'ipsec bundlespecification': ({ control: c }, command) =>
    answer(
      c.configuration.ipsec.bundles.filter(b => named(command, b.id)),
      ipsec.printBundles,
    ),
  'ipsec counter': ({ control: c }) => answer(ipsecCounters(c), printCounterGroups),
  'ipsec udptunnel': ({ control: c }) =>
    answer(
      show.ipsecSas(c).filter(s => s.encapsulation === 'UDP'),
      ipsec.printUdpTunnels,
    ),

  l2tp: ({ control: c }) => answer(modules.l2tpState(c), l2tp.printL2tp),
  'l2tp tunnel': ({ control: c }, command) =>
    answer(
      show.l2tpTunnels(c).filter(t => named(command, t.localTunnelId)),
      l2tp.printL2tpTunnels,
    ),
  'l2tp call': ({ control: c }, command) =>
    answer(
      modules.l2tpCalls(c).filter(call => named(command, call.localSessionId)),
      l2tp.printL2tpCalls,
    ),
  'l2tp ip': ({ control: c }) => answer(modules.l2tpRanges(c), l2tp.printL2tpRanges),
  'l2tp counter': ({ control: c }) => answer({ L2TP: c.l2tp.snapshot().counters }, printCounterGroups),
  'l2tp user': () => answer([], () => 'No L2TP users: this gateway dials nobody.'),

  ppp: showPpp,
  'ppp template': ({ control: c }, command) =>
    answer(
      c.configuration.pppTemplates.filter(t => named(command, t.template)),
      ppp.printPppTemplates,
    ),
}

async function showIpsecPolicy(w: ShowWorld, command: Command): Promise<AdminAnswer> {
  const policies = show.ipsecPolicies(w.control, (await w.hostCounters?.()) ?? new HostCounters())
  const counted = command.args['counter'] === true
  if (command.value !== undefined) {
    const sas = show.ipsecSas(w.control).filter(s => named(command, s.policy))
    const bundle = command.args['sabundle'] === true ? `\n\n${ipsec.printIpsecSas(sas)}` : ''
    return one(
      command,
      policies.map(p => ({ ...p, sas })),
      p => named(command, p.name),
      p => ipsec.printIpsecPolicy(p, counted) + bundle,
    )
  }
  if (!counted) return answer(policies, ipsec.printIpsecPolicies)
  return answer(
    policies,
    list => list.map(p => ipsec.printIpsecPolicy(p, true)).join('\n\n') || ipsec.printIpsecPolicies([]),
  )
}

/** SHOW PPP, of all links or one, and each of its views. */
function showPpp({ control: c }: ShowWorld, command: Command): AdminAnswer {
  const { args } = command
  const links = show.pppInterfaces(c).filter(p => named(command, p.name.replace(/^ppp/, '')))
  if (args['counter'] !== undefined) return answer(links, ppp.printPppCounters)
  if (args['configuration'] !== undefined) return answer(links, ppp.printPppConfigurations)
  if (args['idletimer'] !== undefined) return answer(links, ppp.printPppIdleTimers)
  if (args['limits'] !== undefined) return answer(links, ppp.printPppLimits)
  if (args['nameservers'] !== undefined) return answer(modules.nameServers(c), ppp.printNameServers)
  if (args['multilink'] !== undefined) return answer(links, ppp.printPppMultilink)
  if (args['utilisation'] !== undefined) return answer(links, ppp.printPppUtilisation)
  if (args['txstatus'] !== undefined) return answer(links, ppp.printPppTransmissions)
  return answer(links, ppp.printPpp)
}
