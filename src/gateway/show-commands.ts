/** SHOW: what each answers, as text in the router's style and as data. */

import type { Command } from '../alliedware/parse.ts'
import { printAttempts } from '../alliedware/show/attempt.ts'
import { printCounters } from '../alliedware/show/counter.ts'
import { printEncoKeys } from '../alliedware/show/enco.ts'
import { printIpPools } from '../alliedware/show/ip.ts'
import {
  printBundles,
  printIpsecPolicies,
  printIpsecPolicy,
  printIpsecSas,
  printSaSpecifications,
} from '../alliedware/show/ipsec.ts'
import { printIsakmpExchanges, printIsakmpPolicies, printIsakmpSa, printIsakmpSas } from '../alliedware/show/isakmp.ts'
import { printL2tpTunnels } from '../alliedware/show/l2tp.ts'
import { type LogOptions, printLog } from '../alliedware/show/log.ts'
import { printPpp } from '../alliedware/show/ppp.ts'
import { printSession, printSessions } from '../alliedware/show/session.ts'
import type { AttemptState, CounterState, SystemState } from '../alliedware/show/state.ts'
import { printSystem } from '../alliedware/show/system.ts'
import { printUsers } from '../alliedware/show/user.ts'
import { formatIpv4 } from '../packet/ip.ts'
import type { AdminAnswer } from './admin.ts'
import type { Control } from './control.ts'
import { HostCounters } from './host-counters.ts'
import type { Log } from './log.ts'
import type { SecretStore } from './secret-store.ts'
import * as show from './show.ts'

export interface ShowWorld {
  readonly control: Control
  readonly secrets: SecretStore
  readonly log: Log
  readonly system: () => SystemState
  readonly moreCounters: () => CounterState
  /** What the kernel counted in our nftables table; none where there is no kernel to ask. */
  readonly hostCounters?: () => Promise<HostCounters>
}

/** What a SHOW answers: its text, and the same as data. */
export async function showing(w: ShowWorld, command: Command): Promise<AdminAnswer> {
  const { control: c, secrets } = w
  const { configuration } = c
  const { value } = command
  const answer = <T>(data: T, print: (data: T) => string): AdminAnswer => ({ exit: 0, text: print(data), data })
  const one = <T>(data: readonly T[], fits: (item: T) => boolean, print: (item: T) => string): AdminAnswer => {
    const found = data.find(fits)
    if (found === undefined) return { exit: 1, text: `Error: ${command.object.join(' ')} "${value}" does not exist` }
    return answer(found, print)
  }
  switch (command.object.join(' ')) {
    case 'isakmp sa':
      return value === undefined
        ? answer(show.isakmpSas(c), printIsakmpSas)
        : one(show.isakmpSas(c), s => s.id === Number(value), printIsakmpSa)
    case 'isakmp exchange':
      return answer(
        show.isakmpExchanges(c).filter(e => value === undefined || e.id === Number(value)),
        printIsakmpExchanges,
      )
    case 'isakmp policy':
      return answer(configuration.isakmp.policies, printIsakmpPolicies)
    case 'ipsec sa':
      return answer(
        show.ipsecSas(c).filter(s => value === undefined || s.id === Number(value)),
        printIpsecSas,
      )
    case 'ipsec policy': {
      const policies = show.ipsecPolicies(c, (await w.hostCounters?.()) ?? new HostCounters())
      return value === undefined
        ? answer(policies, printIpsecPolicies)
        : one(
            policies,
            p => p.name.toLowerCase() === value.toLowerCase(),
            p => printIpsecPolicy(p, command.args['counter'] === true),
          )
    }
    case 'ipsec saspecification':
      return answer(configuration.ipsec.saSpecifications, printSaSpecifications)
    case 'ipsec bundlespecification':
      return answer(configuration.ipsec.bundles, printBundles)
    case 'l2tp tunnel':
      return answer(
        show.l2tpTunnels(c).filter(t => value === undefined || t.localTunnelId === Number(value)),
        printL2tpTunnels,
      )
    case 'ppp':
      return answer(
        show.pppInterfaces(c).filter(p => value === undefined || p.name === `ppp${value}`),
        printPpp,
      )
    case 'ip pool':
      return answer(
        show.ipPools(c).filter(p => value === undefined || p.name.toLowerCase() === value.toLowerCase()),
        printIpPools,
      )
    case 'user':
      return answer(
        show.users(c).filter(u => value === undefined || u.name.toLowerCase() === value.toLowerCase()),
        printUsers,
      )
    case 'log':
      return answer(w.log.entries(), entries => printLog(entries, logOptions(command)))
    case 'session':
      return value === undefined
        ? answer(
            show.sessions(c).filter(s => sameUser(s.user, command)),
            printSessions,
          )
        : one(show.sessions(c), s => s.id === Number(value), printSession)
    case 'attempt':
      return answer(attempts(c, command), printAttempts)
    case 'counter': {
      const groups = Object.entries(show.counters(c, w.moreCounters()))
      const wanted = groups.filter(([group]) => value === undefined || group === value.toLowerCase())
      return wanted.length > 0
        ? answer(Object.fromEntries(wanted), printCounters)
        : { exit: 1, text: `Error: counters are ${groups.map(([group]) => group).join(', ')}` }
    }
    case 'system':
      return answer(w.system(), printSystem)
    case 'enco key':
      return answer(secrets.keyIds(), printEncoKeys)
    default:
      return { exit: 1, text: `Error: SHOW ${command.object.join(' ').toUpperCase()} is not to be had here yet` }
  }
}

function sameUser(user: string, command: Command): boolean {
  const wanted = command.args['user']
  return typeof wanted !== 'string' || wanted.toLowerCase() === user.toLowerCase()
}

function attempts(c: Control, command: Command): AttemptState[] {
  const { tail, peer } = command.args
  const states = c.attempts
    .states()
    .filter(a => command.value === undefined || a.id === Number(command.value))
    .filter(a => sameUser(a.user, command))
    .filter(a => typeof peer !== 'number' || a.remote.startsWith(`${formatIpv4(peer)}:`))
  if (tail === undefined) return states
  return states.slice(-(typeof tail === 'number' ? tail : 20))
}

/** SEVERITY takes a number, or one with a comparison before it: `>3`, `>=4`. */
function leastSeverity(text: unknown): number | undefined {
  const m = /^(>=?)?([0-7])$/.exec(typeof text === 'string' ? text : '')
  return m ? Number(m[2]) + (m[1] === '>' ? 1 : 0) : undefined
}

function logOptions(command: Command): LogOptions {
  const { tail, reverse, module } = command.args
  const severity = leastSeverity(command.args['severity'])
  return {
    ...(tail === undefined ? {} : { tail: typeof tail === 'number' ? tail : 20 }),
    ...(reverse === undefined ? {} : { reverse: true }),
    ...(typeof module === 'string' ? { module } : {}),
    ...(severity === undefined ? {} : { severity }),
  }
}
