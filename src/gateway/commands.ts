/** Carries out the router commands that vpnctl sends: SHOW and RESET here, what changes the configuration by its own table. */

import { applyCommand, expandAlias, type Outcome } from '../alliedware/apply.ts'
import { refusedOperations } from '../alliedware/commands/refused.ts'
import type { Configuration } from '../alliedware/config.ts'
import { type Command, parseCommand } from '../alliedware/parse.ts'
import { leftOpen } from '../alliedware/references.ts'
import type { AdminAnswer, Caller } from './caller.ts'
import { captureCommand } from './capture-commands.ts'
import { certificateCommand } from './certificate-commands.ts'
import type { CommandWorld } from './command-world.ts'
import { configurationCommand } from './configuration-commands.ts'
import { debugCommand, showDebug, showDebugActive } from './debug-commands.ts'
import { scriptedUsers } from './loading.ts'
import { Severity } from './log.ts'
import { ping } from './ping.ts'
import { disablePpp, reset } from './reset-commands.ts'
import { scriptCommand } from './script-commands.ts'
import { showing } from './show-commands.ts'
import { endFlow } from './show-firewall.ts'

const DONE = 'Operation successful.'

export async function carryOut(w: CommandWorld, text: string, caller: Caller): Promise<AdminAnswer> {
  const before = w.control.configuration
  const outcome = applied(w, text)
  if (outcome.kind !== 'acted' && outcome.kind !== 'held') return await carriedOut(w, outcome, caller)
  return await w.control.changes.add(() =>
    carriedOut(w, before === w.control.configuration ? outcome : applied(w, text), caller),
  )
}

function applied(w: CommandWorld, text: string): Outcome {
  return applyCommand(withKeys(w, replacedKey(w, text)), text, {}, name => w.files?.flash.read(name))
}

async function carriedOut(w: CommandWorld, outcome: Outcome, caller: Caller): Promise<AdminAnswer> {
  const { command } = outcome
  if (outcome.kind === 'nothing') return { exit: 0, text: '' }
  if (outcome.kind === 'refused' || command === undefined) {
    return { exit: command === undefined ? 2 : 1, text: outcome.faults.map(f => `Error: ${f.text}`).join('\n') }
  }
  if (outcome.kind === 'operation')
    return (
      (await certificateCommand(w, command, caller)) ??
      (await configurationCommand(w, command, caller)) ??
      scriptCommand(w.files, command) ??
      (await operate(w, command, caller))
    )
  if (outcome.kind === 'inert') {
    return { exit: 1, text: `Error: fill in <${command.placeholders.join('>, <')}> first` }
  }
  const open = leftOpen(withKeys(w, undefined), outcome.configuration, [])
  const answer = disablePpp(w.control, command, caller) ?? (await change(w, command, outcome.configuration, caller))
  const oddities = [...outcome.faults.map(f => f.text), ...absentFile(w, command), ...open].map(
    text => `Warning: ${text}`,
  )
  return { ...answer, text: [...oddities, answer.text].join('\n') }
}

/** CREATE ENCO KEY over a key that exists makes it anew: no one could tell what it was anyway. */
function replacedKey(w: CommandWorld, text: string): number | undefined {
  const parsed = parseCommand(expandAlias(w.control.configuration, text))
  if (parsed.kind !== 'command' || parsed.command.verb !== 'create') return undefined
  return parsed.command.object.join(' ') === 'enco key' ? Number(parsed.command.value) : undefined
}

/** The configuration as commands see it: with the keys (but one) that are kept outside of it. */
function withKeys(w: CommandWorld, but: number | undefined): Configuration {
  const encoKeys = w.secrets
    .keyIds()
    .filter(k => k.id !== but)
    .map(k => ({ id: k.id, ...w.secrets.entry(k.id)! }))
  return { ...w.control.configuration, encoKeys }
}

/** A command that changes the configuration: at once, without touching sessions that it does not concern. */
async function change(
  w: CommandWorld,
  command: Command,
  configuration: Configuration,
  caller: Caller,
): Promise<AdminAnswer> {
  const { secrets } = w
  const [object, second] = command.object
  const refusal = await w.prepare?.(configuration)
  if (refusal !== undefined) return { exit: 1, text: `Error: ${refusal}` }
  // Keys go to the key store and nowhere else; users go there, too, and so stay without a saved script.
  secrets.keepKeys(configuration.encoKeys)
  if (command.verb === 'destroy' && object === 'enco' && second === 'key') secrets.removeKey(Number(command.value))
  const again = object === 'user' ? keepUsers(w, command, configuration) : []
  const warnings = [...again, ...(await w.configure({ ...configuration, encoKeys: [] }))]
  w.log.add({
    severity: Severity.Notice,
    module: 'CH',
    text: `Configuration changed: ${command.verb} ${command.object.join(' ')}${command.value === undefined ? '' : `=${command.value}`}`,
    fields: { ...caller },
  })
  return { exit: 0, text: [...warnings.map(t => `Warning: ${t}`), DONE].join('\n') }
}

/** SET HELP may name a file that will come. */
function absentFile(w: CommandWorld, { object, value }: Command): string[] {
  if (object[0] !== 'help' || value === undefined || w.files?.flash.has(value) !== false) return []
  return [`file "${w.files.flash.nameOf(value)}" is not in flash: HELP tells of the commands alone`]
}

/**
 * Who was made or changed at the prompt goes to the store, and who was deleted leaves it. Answers whom the script makes otherwise
 * at the next start: they stay the script's.
 */
function keepUsers(w: CommandWorld, { value }: Command, now: Configuration): string[] {
  const key = (u: { readonly name: string }) => u.name.toLowerCase()
  const left = new Set(now.users.map(key))
  const gone = [...w.control.configuration.users, ...w.secrets.allUsers()].filter(u => !left.has(key(u)))
  const named = now.users.filter(u => key(u) === value?.toLowerCase())
  if (gone.length + named.length === 0) return []
  const scripted = w.files === undefined ? new Set<string>() : scriptedUsers(w.files.places(), w.files.stored())
  for (const { name } of gone) w.secrets.removeUser(name)
  for (const user of named) if (!scripted.has(key(user))) w.secrets.setUser(user)
  const again = new Set([...gone, ...named].map(key).filter(name => scripted.has(name)))
  if (again.size === 0) return []
  const who = again.size === 1 ? `user "${[...again][0]}" is` : `${again.size} users are`
  return [`${who} in the script: CREATE CONFIG, or a restart takes this back`]
}

async function operate(w: CommandWorld, command: Command, caller: Caller): Promise<AdminAnswer> {
  if (command.verb === 'show' && command.object[0] === 'debug') {
    if (command.args['active'] !== undefined) return showDebugActive(w)
    return await showDebug(w, text => carryOut(w, text, caller))
  }
  if (command.verb === 'show') return await showing(w, command)
  const debugged = debugCommand(w, command, caller) ?? captureCommand(w, command, caller)
  if (debugged !== undefined) return debugged
  if (command.verb === 'delete' && command.object.join(' ') === 'firewall session') return await endFlow(w, command)
  if (command.verb === 'reset') return await reset(w, command, caller)
  if (command.verb === 'ping') return await ping(command)
  if (command.verb === 'flush') {
    if (command.value !== undefined && command.value !== 'temporary')
      return { exit: 1, text: `Error: log output "${command.value}" keeps nothing` }
    w.log.clear()
    return { exit: 0, text: DONE }
  }
  const whole = [command.verb, ...command.object].join(' ')
  return { exit: 1, text: `Error: ${refusedOperations[whole] ?? `${whole.toUpperCase()} is not to be had here yet`}` }
}
