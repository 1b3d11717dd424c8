/** What a command asks of who types it: the three privilege levels, and the commands that security mode keeps for one of them. */

import type { User } from './config.ts'
import type { Command } from './parse.ts'

export type Privilege = User['privilege']

const ranks: Readonly<Record<Privilege, number>> = { user: 0, manager: 1, securityofficer: 2 }

/** What anybody may do who has a prompt: it concerns nobody else. */
const forAll = ['help', 'login', 'logoff', 'set password', 'show time']

/** Objects whose state is secret, or decides who gets in: changed by security officers alone, in security mode. */
const guarded: ReadonlySet<string> = new Set([
  'ca',
  'certificate',
  'config',
  'enco',
  'feature',
  'file',
  'install',
  'ipsec',
  'isakmp',
  'l2tp',
  'loader',
  'ppp',
  'radius',
  'script',
  'snmp',
  'ssh',
  'system security',
  'user',
])
const guardedShows: ReadonlySet<string> = new Set(['config', 'debug', 'enco key', 'feature', 'file', 'nvs', 'script'])

/** Verbs about files and the whole configuration that take no object. */
const guardedVerbs: ReadonlySet<string> = new Set(['copy', 'edit', 'load', 'reload', 'rename', 'restart', 'upload'])

/** The privilege that the command needs. Without security mode a manager has the power of a security officer. */
export function privilegeFor(command: Command, securityMode: boolean): Privilege {
  const { verb, object } = command
  const whole = object.join(' ')
  if (forAll.includes([verb, ...object].join(' '))) return 'user'
  // What others send and receive, and the keys to it.
  if (verb === 'capture') return 'securityofficer'
  if (verb === 'set' && whole === 'asyn' && command.args['page'] !== undefined) return 'user'
  return securityMode && isSecurityCommand(command) ? 'securityofficer' : 'manager'
}

/** Whether it is one of the security commands: the manual's list as far as it is known, and by analogy. */
export function isSecurityCommand({ verb, object, args }: Command): boolean {
  const whole = object.join(' ')
  if (verb === 'show') return guardedShows.has(whole) || (object[0] === 'ppp' && args['configuration'] !== undefined)
  if (verb === 'set' && whole === 'system') return false
  if (guardedVerbs.has(verb)) return true
  return guarded.has(object[0] ?? '') || guarded.has(whole) || whole === 'ip interface'
}

/** Commands on the user database: after SECUREDELAY they ask for the password again. */
export function isUserDatabaseCommand({ verb, object }: Command): boolean {
  const changes = ['add', 'delete', 'purge', 'set', 'enable', 'disable'].includes(verb)
  return changes && (object[0] === 'user' || (object[0] === 'radius' && object[1] === 'server'))
}

export function covers(has: Privilege, needed: Privilege): boolean {
  return ranks[has] >= ranks[needed]
}
