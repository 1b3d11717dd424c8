/** SHOW of the modules around the tunnels: IP, LOG, ENCO, RADIUS. */

import { type Command, maskSecrets } from '../alliedware/parse.ts'
import { printCounterGroups } from '../alliedware/show/counter.ts'
import { printEnco, printEncoKeys } from '../alliedware/show/enco.ts'
import { printArp, printIp, printIpInterfaces, printIpPools, printIpRoutes } from '../alliedware/show/ip.ts'
import { chooseLog, type LogOptions, printLog, printLogCounts, printLogStatus } from '../alliedware/show/log.ts'
import { parseIpv4 } from '../packet/ip.ts'
import type { AdminAnswer } from './admin.ts'
import * as show from './show.ts'
import { answer, named, type Showing, type ShowWorld } from './show-answer.ts'
import { encoCounters, ipCounters } from './show-counters.ts'
import * as ip from './show-ip.ts'
import { encoState } from './show-modules.ts'

/** By the object's words. */
export const hostShows: Readonly<Record<string, Showing>> = {
  ip: w => answer(ip.ipState(w.control, w.hostTables?.()), printIp),
  'ip interface': (w, command) =>
    answer(
      ip.ipInterfaces(w.control, w.hostTables?.()).filter(i => named(command, i.name)),
      printIpInterfaces,
    ),
  'ip route': (w, command) => {
    const routes = ip.ipRoutes(w.control, w.hostTables?.())
    const to = command.value === undefined ? undefined : parseIpv4(command.value)
    return answer(to === undefined ? routes : ip.routesTo(routes, to), printIpRoutes)
  },
  'ip arp': w => answer(ip.arpEntries(w.control, w.hostTables?.()), printArp),
  'ip pool': ({ control: c }, command) =>
    answer(
      show.ipPools(c).filter(p => named(command, p.name)),
      printIpPools,
    ),
  'ip counter': ({ control: c }) => answer(ipCounters(c), printCounterGroups),
  enco: w => answer(encoState(w.secrets, w.system()), printEnco),
  'enco key': (w, command) =>
    answer(
      w.secrets.keyIds().filter(k => named(command, k.id)),
      printEncoKeys,
    ),
  'enco counter': ({ control: c }) => answer(encoCounters(c), printCounterGroups),
  log: showLog,
  radius: ({ control: c }) => {
    const data = c.configuration.held.filter(h => /^\S+ radius\b/.test(h.text)).map(h => maskSecrets(h.text))
    const held = data.length === 0 ? [] : ['Held, and without effect:', ...data]
    return { exit: 0, text: ['No RADIUS servers are asked: users are those of SHOW USER.', ...held].join('\n'), data }
  },
}

function showLog(w: ShowWorld, command: Command): AdminAnswer {
  if (command.args['counter'] !== undefined) return answer(w.log.counts(), printLogCounts)
  if (command.args['status'] !== undefined) return answer(w.log.status(), printLogStatus)
  return answer(chooseLog(w.log.entries(), logOptions(command)), entries => printLog(entries))
}

/** SEVERITY takes a number, or one with a comparison before it: `>3`, `>=4`. */
function leastSeverity(text: unknown): number | undefined {
  const m = /^(>=?)?([0-7])$/.exec(typeof text === 'string' ? text : '')
  return m ? Number(m[2]) + (m[1] === '>' ? 1 : 0) : undefined
}

function logOptions(command: Command): LogOptions {
  const { reverse, module, type } = command.args
  const tail = command.args['tail'] ?? (typeof reverse === 'number' ? reverse : undefined)
  const severity = leastSeverity(command.args['severity'])
  return {
    ...(tail === undefined ? {} : { tail: typeof tail === 'number' ? tail : 20 }),
    ...(reverse === undefined ? {} : { reverse: true }),
    ...(typeof module === 'string' ? { module } : {}),
    ...(typeof type === 'string' ? { type } : {}),
    ...(severity === undefined ? {} : { severity }),
  }
}
