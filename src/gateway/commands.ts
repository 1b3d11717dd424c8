/** Carries out the router commands that vpnctl sends: SHOW and RESET here, what changes the configuration by its own table. */

import { applyCommand, expandAlias } from '../alliedware/apply.ts'
import type { Configuration, EncoKey, User } from '../alliedware/config.ts'
import { type Command, maskSecrets, parseCommand } from '../alliedware/parse.ts'
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
import { writeScript } from '../alliedware/write.ts'
import { formatIpv4 } from '../packet/ip.ts'
import type { AdminAnswer, Caller } from './admin.ts'
import { type CertificateWorld, certificateCommand } from './certificate-commands.ts'
import type { Control } from './control.ts'
import { type Log, Severity } from './log.ts'
import type { SecretStore, StoredUser } from './secret-store.ts'
import * as show from './show.ts'

export interface CommandWorld extends CertificateWorld {
  readonly control: Control
  readonly secrets: SecretStore
  readonly log: Log
  readonly system: () => SystemState
  readonly moreCounters: () => CounterState
  /** Takes a changed configuration into use; answers what is odd about it. */
  readonly configure: (configuration: Configuration) => Promise<string[]>
}

const DONE = 'Operation successful.'

export async function carryOut(w: CommandWorld, text: string, caller: Caller): Promise<AdminAnswer> {
  const outcome = applyCommand(withSecrets(w, replacedKey(w, text)), text)
  const { command } = outcome
  if (outcome.kind === 'nothing') return { exit: 0, text: '' }
  if (outcome.kind === 'refused' || command === undefined) {
    return { exit: command === undefined ? 2 : 1, text: outcome.faults.map(f => `Error: ${f.text}`).join('\n') }
  }
  if (outcome.kind === 'operation') return (await certificateCommand(w, command, caller)) ?? operate(w, command, caller)
  if (outcome.kind === 'inert') {
    return { exit: 1, text: `Error: fill in <${command.placeholders.join('>, <')}> first` }
  }
  return change(w, command, outcome.configuration, caller)
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
    .map(k => ({ id: k.id, type: k.type as EncoKey['type'], description: undefined, value: w.secrets.key(k.id)! }))
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
  // Keys go to the key store and nowhere else; dial-in users stay across restarts without a saved script.
  for (const key of configuration.encoKeys) {
    if (secrets.key(key.id) !== key.value) secrets.setKey(key.id, key.type, key.value)
  }
  if (command.verb === 'destroy' && object === 'enco' && second === 'key') secrets.removeKey(Number(command.value))
  if (object === 'user' && command.value !== undefined) keepUser(secrets, command.verb, command.value, configuration)
  const outside = new Set(outsiders(w).map(u => u.name.toLowerCase()))
  const users = configuration.users.filter(u => !outside.has(u.name.toLowerCase()))
  const warnings = await w.configure({ ...configuration, users, encoKeys: [] })
  w.log.add({
    severity: Severity.Notice,
    module: 'CH',
    text: `Configuration changed: ${command.verb} ${command.object.join(' ')}${command.value === undefined ? '' : `=${command.value}`}`,
    fields: { uid: caller.uid, pid: caller.pid },
  })
  return { exit: 0, text: [...warnings.map(t => `Warning: ${t}`), DONE].join('\n') }
}

function keepUser(secrets: SecretStore, verb: string, name: string, c: Configuration): void {
  const user = c.users.find(u => u.name.toLowerCase() === name.toLowerCase())
  if (verb === 'delete') secrets.removeUser(name)
  else if (user && !user.login) secrets.setUser({ name: user.name, password: user.password, ipAddress: user.ipAddress })
}

function operate(w: CommandWorld, command: Command, caller: Caller): AdminAnswer {
  if (command.verb === 'show') return showing(w, command)
  if (command.verb === 'reset') return reset(w, command, caller)
  return {
    exit: 1,
    text: `Error: ${command.verb.toUpperCase()} ${command.object.join(' ').toUpperCase()} is not to be had here yet`,
  }
}

function reset(w: CommandWorld, command: Command, caller: Caller): AdminAnswer {
  const { control } = w
  const reason = `reset by uid ${caller.uid}`
  const sessions = show.sessions(control)
  let hit: number[] = []
  switch (command.object.join(' ')) {
    case 'session':
      hit = sessions.filter(s => s.id === Number(command.value)).map(s => s.id)
      break
    case 'user':
      hit = sessions.filter(s => s.user.toLowerCase() === command.value?.toLowerCase()).map(s => s.id)
      break
    default:
      return { exit: 1, text: `Error: RESET ${command.object.join(' ').toUpperCase()} is not to be had here yet` }
  }
  if (hit.length === 0)
    return { exit: 1, text: `Error: no session ${command.object[0] === 'user' ? 'of user ' : ''}${command.value}` }
  for (const id of hit) control.closeSession(id, reason)
  return { exit: 0, text: DONE }
}

/** What a SHOW answers: its text, and the same as data. */
function showing(w: CommandWorld, command: Command): AdminAnswer {
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
    case 'ipsec policy':
      return value === undefined
        ? answer(show.ipsecPolicies(c), printIpsecPolicies)
        : one(
            show.ipsecPolicies(c),
            p => p.name.toLowerCase() === value.toLowerCase(),
            p => printIpsecPolicy(p, command.args['counter'] === true),
          )
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
    case 'config':
      return showConfig(configuration, command)
    default:
      return { exit: 1, text: `Error: SHOW ${command.object.join(' ').toUpperCase()} is not to be had here yet` }
  }
}

/** SHOW CONFIG DYNAMIC, INERT (what waits for a placeholder) and HELD (what is understood, and has no effect). */
function showConfig(c: Configuration, command: Command): AdminAnswer {
  const { dynamic, inert, held } = command.args
  if (dynamic !== undefined) {
    const script = withoutSecrets(writeScript(c))
    return { exit: 0, text: script, data: { script } }
  }
  if (inert !== undefined) {
    const data = c.inert.map(i => ({ ...i, text: maskSecrets(i.text) }))
    const lines = data.map(i => `line ${i.line}: waits for <${i.placeholders.join('>, <')}>: ${i.text}`)
    return { exit: 0, text: lines.join('\n') || 'No command waits for a placeholder.', data }
  }
  if (held !== undefined) {
    const data = c.held.map(h => ({ ...h, text: maskSecrets(h.text) }))
    return { exit: 0, text: data.map(h => `line ${h.line}: ${h.text}`).join('\n') || 'No command is held.', data }
  }
  return { exit: 1, text: 'Error: SHOW CONFIG takes DYNAMIC, INERT or HELD' }
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

/** SHOW never shows a password. */
function withoutSecrets(script: string): string {
  return script
    .split('\n')
    .map(line => (/\b(password|secret|value)=/i.test(line) && !line.startsWith('#') ? maskSecrets(line) : line))
    .join('\n')
}
