/** ENABLE and DISABLE ... DEBUG, SHOW DEBUG and SHOW DEBUG ACTIVE. */

import type { Command } from '../alliedware/parse.ts'
import { printDebugActive } from '../alliedware/show/debug.ts'
import type { AdminAnswer, Caller } from './caller.ts'
import type { Control } from './control.ts'
import { DEBUG_MODES, type DebugModule } from './debug.ts'
import { type Log, Severity } from './log.ts'
import { absent, refusal } from './show-answer.ts'

export interface DebugWorld {
  readonly control: Control
  readonly log: Log
  readonly tell?: (terminal: number, text: string) => boolean
}

/** Whoever has no terminal listens no longer than this. */
const WITHOUT_TERMINAL_MILLIS = 600_000

/** What the router calls them, where that is not what we do. */
const MEANINGS: Readonly<Record<DebugModule, Readonly<Record<string, readonly string[]>>>> = {
  isakmp: { default: ['state', 'trace'], tracemore: ['trace'] },
  ipsec: { filter: [] },
  l2tp: { pkt: ['packet'] },
  ppp: { demand: [], utilisation: [] },
  firewall: { pkt: ['packet'], http: [], proxy: [], smtp: [] },
}

/** Undefined where the command is another. */
export function debugCommand(w: DebugWorld, command: Command, caller: Caller): AdminAnswer | undefined {
  const { verb, args } = command
  if ((verb !== 'enable' && verb !== 'disable') || args['debug'] === undefined) return undefined
  const module = command.object[0] as DebugModule
  const unknown = ['asyn', 'where', 'display', 'selector'].find(name => args[name] !== undefined)
  if (unknown !== undefined)
    return refusal(`${unknown.toUpperCase()} is not here: all of it is told, on the terminal that asks`)
  const modes = modesOf(module, args['debug'])
  const object = objectOf(w, command)
  if (typeof object === 'object') return object
  if (verb === 'disable') {
    w.control.debug.disable(module, modes, object)
    return { exit: 0, text: 'Operation successful.' }
  }
  if (modes.length === 0) return refusal('that kind of debugging is not to be had here: DEBUG=ALL is what there is')
  const { terminal } = caller
  const seconds = typeof args['timeout'] === 'number' ? args['timeout'] : undefined
  const request = {
    module,
    modes,
    object,
    who: `${caller.user ?? `uid ${caller.uid}`}${caller.from === undefined ? '' : ` at ${caller.from}`}`,
    messages: typeof args['numpkts'] === 'number' ? args['numpkts'] : undefined,
  }
  const millis = seconds === undefined ? undefined : seconds * 1000
  w.log.add({
    severity: Severity.Notice,
    module: 'CH',
    text: `Debugging of ${module.toUpperCase()} (${modes.join(', ')}) enabled by ${request.who}`,
  })
  if (terminal !== undefined && w.tell !== undefined) {
    const { tell } = w
    w.control.debug.enable({ ...request, millis, write: text => tell(terminal, text) })
    return { exit: 0, text: 'Operation successful.' }
  }
  const limit = millis ?? WITHOUT_TERMINAL_MILLIS
  // Nobody sees it but SHOW DEBUG, unless whoever asked stays to follow it.
  const quiet = w.control.debug.enable({ ...request, millis: limit })
  return {
    exit: 0,
    text: 'Operation successful.',
    follow: {
      millis: limit,
      start: write => {
        quiet()
        return w.control.debug.enable({ ...request, millis: limit, write })
      },
    },
  }
}

function modesOf(module: DebugModule, given: unknown): readonly string[] {
  const known: readonly string[] = DEBUG_MODES[module]
  if (!Array.isArray(given) || given.includes('all')) return known
  const meanings = MEANINGS[module]
  const wanted = new Set((given as string[]).flatMap(mode => meanings[mode] ?? [mode]))
  return known.filter(mode => wanted.has(mode))
}

/** What the command names, where it exists. */
function objectOf(w: DebugWorld, { object, value, verb }: Command): string | AdminAnswer | undefined {
  if (value === undefined) return undefined
  const { configuration, sessions } = w.control
  const exists = (() => {
    if (object[0] === 'ipsec')
      return configuration.ipsec.policies.some(p => p.name.toLowerCase() === value.toLowerCase())
    if (object[0] === 'firewall')
      return configuration.firewall.policies.some(p => p.name.toLowerCase() === value.toLowerCase())
    if (object[1] === 'template') return configuration.pppTemplates.some(t => t.template === Number(value))
    return [...sessions.all.values()].some(s => s.name === `ppp${value}`)
  })()
  if (!exists && verb === 'enable') return absent({ object, value })
  if (object[0] === 'ipsec' || object[0] === 'firewall') return value
  return object[1] === 'template' ? `template ${value}` : `ppp${value}`
}

/** SHOW DEBUG ACTIVE. */
export function showDebugActive(w: Pick<DebugWorld, 'control'>): AdminAnswer {
  const data = w.control.debug.active()
  return { exit: 0, text: printDebugActive(data), data }
}

/** What support wants to see first, in this order. */
const SUPPORT = [
  'show system',
  'show time',
  'show config dynamic',
  'show isakmp',
  'show isakmp policy',
  'show isakmp sa',
  'show isakmp exchange',
  'show isakmp counter',
  'show ipsec',
  'show ipsec policy',
  'show ipsec sa',
  'show ipsec counter',
  'show l2tp',
  'show l2tp tunnel',
  'show l2tp counter',
  'show ppp',
  'show ppp configuration',
  'show ip',
  'show ip interface',
  'show ip route',
  'show ip arp',
  'show ip pool',
  'show firewall',
  'show firewall event',
  'show enco',
  'show user',
  'show session',
  'show attempt',
  'show counter',
  'show debug active',
  'show log',
]

/** SHOW DEBUG: everything for the support centre, in one text; no secret is in it, as none is in any SHOW. */
export async function showDebug(
  w: Pick<DebugWorld, 'control'>,
  run: (command: string) => Promise<AdminAnswer>,
): Promise<AdminAnswer> {
  const data: Record<string, unknown> = {}
  let text = ''
  for (const command of SUPPORT) {
    const answer = await run(command)
    // What cannot be had here has nothing to tell.
    if (answer.exit !== 0) continue
    data[command] = answer.data ?? answer.text
    text += `>>> ${command}\n\n${answer.text}\n\n`
  }
  const recent = w.control.debug.recent()
  data['debugging'] = recent
  text += `>>> debugging, the latest lines\n\n${recent.join('\n') || 'Nothing was debugged.'}\n\n`
  return { exit: 0, text: `${text}>>> SHOW DEBUG is complete.`, data }
}
