/** SHOW of the modules around the tunnels: IP, LOG, ENCO, RADIUS. */

import type { Configuration } from '../alliedware/config.ts'
import { type Command, maskSecrets } from '../alliedware/parse.ts'
import { printCounterGroups } from '../alliedware/show/counter.ts'
import { printEnco, printEncoKeys } from '../alliedware/show/enco.ts'
import {
  printArp,
  printIp,
  printIpInterfaces,
  printIpPools,
  printIpRoutes,
  printUdpPorts,
} from '../alliedware/show/ip.ts'
import { chooseLog, type LogOptions, printLog, printLogCounts, printLogStatus } from '../alliedware/show/log.ts'
import { parseIpv4 } from '../packet/ip.ts'
import type { AdminAnswer } from './caller.ts'
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
  'ip udp': w =>
    answer(
      w.system().listening.filter(port => port.startsWith('UDP')),
      printUdpPorts,
    ),
  enco: w => answer(encoState(w.secrets, w.system()), printEnco),
  'enco key': (w, command) =>
    answer(
      w.secrets.keyIds().filter(k => named(command, k.id)),
      printEncoKeys,
    ),
  'enco channel': () => answer([], () => 'No ENCO channels: packets are sealed and opened where they are forwarded.'),
  'enco counters': ({ control: c }) => answer(encoCounters(c), printCounterGroups),
  feature: ({ control: c }) => {
    const data = heldOf(c.configuration, 'feature')
    return answer(data, list => heldText('Every feature is here, and none needs a licence.', list))
  },
  log: showLog,
  radius: ({ control: c }) => {
    const data = heldOf(c.configuration, 'radius')
    return answer(data, list => heldText('No RADIUS servers are asked: users are those of SHOW USER.', list))
  },
}

/** The held commands about something, as they may be shown. */
function heldOf(c: Configuration, object: string): string[] {
  return c.held.filter(h => h.text.split(' ').slice(1).join(' ').startsWith(object)).map(h => maskSecrets(h.text))
}

function heldText(title: string, held: readonly string[]): string {
  return [title, ...(held.length === 0 ? [] : ['Held, and without effect:', ...held])].join('\n')
}

function showLog(w: ShowWorld, command: Command): AdminAnswer {
  if (command.args['counter'] !== undefined) return answer(w.log.counts(), printLogCounts)
  if (command.args['status'] !== undefined) return answer(w.log.status(), printLogStatus)
  if (command.args['queue'] !== undefined)
    return answer([], () => 'No log messages wait: each is sent at once, or counted as lost (SHOW COUNTER=SYSLOG).')
  if (command.args['receive'] !== undefined)
    return answer(heldOf(w.control.configuration, 'log rece'), list =>
      heldText('No messages of other routers are received.', list),
    )
  return answer(chooseLog(w.log.entries(), logOptions(command)), entries => printLog(entries))
}

/** A number alone means that and worse: who asks for 4 wants to miss nothing. */
function severities({ args, parameters }: Command): LogOptions['severity'] {
  const given = args['severity'] as LogOptions['severity']
  const alone = parameters.some(p => p.name === 'severity' && /^\d$/.test(p.text ?? ''))
  return given && alone ? { ...given, last: 7 } : given
}

function logOptions(command: Command): LogOptions {
  const { reverse, module, type } = command.args
  const tail = command.args['tail'] ?? (typeof reverse === 'number' ? reverse : undefined)
  const severity = severities(command)
  return {
    ...(tail === undefined ? {} : { tail: typeof tail === 'number' ? tail : 20 }),
    ...(reverse === undefined ? {} : { reverse: true }),
    ...(typeof module === 'string' ? { module } : {}),
    ...(typeof type === 'string' ? { type } : {}),
    ...(severity === undefined ? {} : { severity }),
  }
}
