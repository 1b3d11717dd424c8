/** Carries out the router commands that vpnctl sends: SHOW and RESET here, what changes the configuration by its own table. */

import { applyCommand, expandAlias, type Outcome } from '../alliedware/apply.ts'
import { refusedOperations } from '../alliedware/commands/refused.ts'
import type { Configuration, User } from '../alliedware/config.ts'
import { type Command, parseCommand } from '../alliedware/parse.ts'
import type { AdminAnswer, Caller } from './admin.ts'
import { captureCommand } from './capture-commands.ts'
import { type CertificateWorld, certificateCommand } from './certificate-commands.ts'
import { configurationCommand, type ScriptFiles } from './configuration-commands.ts'
import { debugCommand, showDebug, showDebugActive } from './debug-commands.ts'
import { Severity } from './log.ts'
import { ping } from './ping.ts'
import { disablePpp, reset } from './reset-commands.ts'
import type { SecretStore, StoredUser } from './secret-store.ts'
import type { ShowWorld } from './show-answer.ts'
import { showing } from './show-commands.ts'
import { endFlow } from './show-firewall.ts'
import type { Site } from './site.ts'

export interface CommandWorld extends CertificateWorld, ShowWorld {
  /** Makes the host's part of a changed configuration; answers why the host refused it, and then nothing has changed. */
  readonly prepare?: (configuration: Configuration, site?: Site) => Promise<string | undefined>
  /** Takes a changed configuration into use, and another site where one is given; answers what is odd about it. */
  readonly configure: (configuration: Configuration, site?: Site) => Promise<string[]>
  /** Absent: there are neither flash nor a script to load. */
  readonly files?: ScriptFiles
  readonly wall?: () => Date
  /** The directory for captures. */
  readonly captures?: string
  /** Prints on the terminal that a caller sits at; false where that is gone. */
  readonly tell?: (terminal: number, text: string) => boolean
}

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
  return applyCommand(withSecrets(w, replacedKey(w, text)), text)
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
      (await operate(w, command, caller))
    )
  if (outcome.kind === 'inert') {
    return { exit: 1, text: `Error: fill in <${command.placeholders.join('>, <')}> first` }
  }
  const answer = disablePpp(w.control, command, caller) ?? (await change(w, command, outcome.configuration, caller))
  const oddities = outcome.faults.map(f => `Warning: ${f.text}`)
  return { ...answer, text: [...oddities, answer.text].join('\n') }
}

/** CREATE ENCO KEY over a key that exists makes it anew: no one could tell what it was anyway. */
function replacedKey(w: CommandWorld, text: string): number | undefined {
  const parsed = parseCommand(expandAlias(w.control.configuration, text))
  if (parsed.kind !== 'command' || parsed.command.verb !== 'create') return undefined
  return parsed.command.object.join(' ') === 'enco key' ? Number(parsed.command.value) : undefined
}

/** The configuration as commands see it: with the keys (but one) and users that are kept outside the script. */
function withSecrets(w: CommandWorld, but: number | undefined): Configuration {
  const c = w.control.configuration
  const encoKeys = w.secrets
    .keyIds()
    .filter(k => k.id !== but)
    .map(k => ({ id: k.id, ...w.secrets.entry(k.id)! }))
  return { ...c, encoKeys, users: [...c.users, ...outsiders(w).map(dialInUser)] }
}

/** Users of the store that the script does not name as well. */
function outsiders(w: CommandWorld): StoredUser[] {
  const scripted = new Set(w.control.configuration.users.map(u => u.name.toLowerCase()))
  return w.secrets.allUsers().filter(u => !scripted.has(u.name.toLowerCase()))
}

function dialInUser(u: StoredUser): User {
  return {
    ...u,
    privilege: 'user',
    login: false,
    telnet: false,
    description: undefined,
    netmask: undefined,
    mtu: undefined,
  }
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
  // Keys go to the key store and nowhere else; dial-in users stay across restarts without a saved script.
  secrets.keepKeys(configuration.encoKeys)
  if (command.verb === 'destroy' && object === 'enco' && second === 'key') secrets.removeKey(Number(command.value))
  if (object === 'user' && command.value !== undefined) keepUser(secrets, command.verb, command.value, configuration)
  if (object === 'user' && command.verb === 'purge') purgeUsers(secrets, configuration)
  const outside = new Set(outsiders(w).map(u => u.name.toLowerCase()))
  const users = configuration.users.filter(u => !outside.has(u.name.toLowerCase()))
  const warnings = await w.configure({ ...configuration, users, encoKeys: [] })
  w.log.add({
    severity: Severity.Notice,
    module: 'CH',
    text: `Configuration changed: ${command.verb} ${command.object.join(' ')}${command.value === undefined ? '' : `=${command.value}`}`,
    fields: { ...caller },
  })
  return { exit: 0, text: [...warnings.map(t => `Warning: ${t}`), DONE].join('\n') }
}

function keepUser(secrets: SecretStore, verb: string, name: string, c: Configuration): void {
  const user = c.users.find(u => u.name.toLowerCase() === name.toLowerCase())
  // Who may log in stands in the configuration alone, as all that a dial-in user has not.
  if (verb === 'delete' || user?.login) secrets.removeUser(name)
  else if (user) {
    const { name: called, password, ipAddress, disabled } = user
    secrets.setUser({ name: called, password, ipAddress, disabled })
  }
}

function purgeUsers(secrets: SecretStore, c: Configuration): void {
  const left = new Set(c.users.map(u => u.name.toLowerCase()))
  for (const { name } of secrets.allUsers()) if (!left.has(name.toLowerCase())) secrets.removeUser(name)
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
