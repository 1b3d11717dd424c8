/** SHOW: what each answers, as text in the router's style and as data. */

import type { Command } from '../alliedware/parse.ts'
import { printAttempts } from '../alliedware/show/attempt.ts'
import { printCounters } from '../alliedware/show/counter.ts'
import { printLogOutputs } from '../alliedware/show/log-output.ts'
import { printSession, printSessions } from '../alliedware/show/session.ts'
import type { AttemptState } from '../alliedware/show/state.ts'
import { printSystem, printTime } from '../alliedware/show/system.ts'
import { printUsers } from '../alliedware/show/user.ts'
import { formatIpv4 } from '../packet/ip.ts'
import type { AdminAnswer } from './caller.ts'
import type { Control } from './control.ts'
import * as show from './show.ts'
import { absent, answer, named, one, refusal, type Showing, type ShowWorld } from './show-answer.ts'
import { firewallShows } from './show-firewall.ts'
import { hostShows } from './show-host-commands.ts'
import { vpnShows } from './show-vpn-commands.ts'

/** What a SHOW answers: its text, and the same as data. */
export async function showing(w: ShowWorld, command: Command): Promise<AdminAnswer> {
  const object = command.object.join(' ')
  const shows = all[object]
  if (shows === undefined) return refusal(`SHOW ${object.toUpperCase()} is not to be had here yet`)
  const found = await shows(w, command)
  const nothing = Array.isArray(found.data) && found.data.length === 0
  return nothing && command.value !== undefined && !CHOICES.has(object) ? absent(command) : found
}

/** Whose value chooses what is listed, and names none of it. */
const CHOICES: ReadonlySet<string> = new Set(['firewall event', 'ip route', 'log'])

/** By the object's words. */
const all: Readonly<Record<string, Showing>> = {
  ...vpnShows,
  ...hostShows,
  ...firewallShows,
  user: ({ control: c }, command) =>
    answer(
      show.users(c).filter(u => named(command, u.name)),
      printUsers,
    ),
  session: ({ control: c }, command) =>
    command.value === undefined
      ? answer(
          show.sessions(c).filter(s => sameUser(s.user, command)),
          printSessions,
        )
      : one(command, show.sessions(c), s => s.id === Number(command.value), printSession),
  attempt: ({ control: c }, command) => answer(attempts(c, command), printAttempts),
  counter: ({ control: c, moreCounters }, command) => {
    const groups = Object.entries(show.counters(c, moreCounters()))
    const wanted = groups.filter(([group]) => named(command, group))
    return wanted.length > 0
      ? answer(Object.fromEntries(wanted), printCounters)
      : refusal(`counters are ${groups.map(([group]) => group).join(', ')}`)
  },
  system: w => answer(w.system(), printSystem),
  'log output': ({ control: c, log }, command) =>
    answer(
      show.logOutputs(c.configuration.log, log).filter(o => named(command, o.id)),
      printLogOutputs,
    ),
  time: ({ control: c }) => answer({ time: c.world.wall().toISOString() }, printTime),
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
