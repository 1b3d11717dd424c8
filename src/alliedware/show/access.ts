/** SHOW SSH and SHOW ALIAS, and who is logged in. */

import type { LoginLimits, SshConfig } from '../access-config.ts'
import { type Column, dash, leaders, list, page, timeDate } from './layout.ts'

export interface SshState extends Omit<SshConfig, 'users'> {
  /** Where it listens, or why it does not. */
  readonly state: string
  readonly users: number
  readonly sessions: number
}

export interface SshUserState {
  readonly name: string
  /** How the user proves who it is: `password`, `key 4`. */
  readonly by: string
  readonly address: string
  readonly mask: string
  readonly privilege: string
}

/** Somebody with a prompt. */
export interface OperatorState {
  readonly user: string
  readonly place: string
  /** ISO 8601. */
  readonly since: string
  readonly privilege: string
}

export function printSsh(s: SshState): string {
  const rows = leaders([
    ['SSH Server', s.enabled ? 'enabled' : 'disabled'],
    ['State', s.state],
    ['Host Key', s.hostKey],
    ['Server Key (SSH 1, no effect)', s.serverKey],
    ['Expiry Time (SSH 1, no effect)', s.expiryHours],
    ['Login Timeout', `${s.loginTimeoutSeconds} s`],
    ['Users', s.users],
    ['Sessions', s.sessions],
  ])
  return page('SSH Server', '', rows)
}

/** SHOW USER CONFIGURATION. */
export interface LoginState extends LoginLimits {
  readonly securityMode: boolean
  readonly secureDelaySeconds: number
}

export function printLogins(l: LoginState): string {
  const rows = leaders(
    [
      ['Security Mode', l.securityMode ? 'enabled' : 'disabled'],
      ['Login Failures before Lockout', l.failures],
      ['Lockout Period', `${l.lockoutSeconds} s`],
      ['Password Failures before Logoff', l.confirmFailures],
      ['Secure Delay', `${l.secureDelaySeconds} s`],
      ['Minimum Password Length', l.minimumLength ?? 'none'],
    ],
    36,
  )
  return page('User Module Configuration', '', rows)
}

const userColumns: readonly Column<SshUserState>[] = [
  { head: 'User', width: 16, text: u => u.name },
  { head: 'Logs in by', width: 14, text: u => dash(u.by) },
  { head: 'From', width: 17, text: u => u.address || 'any' },
  { head: 'Mask', width: 16, text: u => dash(u.mask) },
  { head: 'Privilege', width: 16, text: u => u.privilege },
]

export function printSshUsers(users: readonly SshUserState[]): string {
  return list('SSH Users', userColumns, users, 'No SSH users.')
}

const operatorColumns: readonly Column<OperatorState>[] = [
  { head: 'User', width: 20, text: o => dash(o.user) },
  { head: 'Privilege', width: 18, text: o => o.privilege },
  { head: 'Login Time', width: 22, text: o => timeDate(o.since) },
  { head: 'Location', width: 17, text: o => o.place },
]

export function printOperators(operators: readonly OperatorState[]): string {
  return list('Active (logged in) Users', operatorColumns, operators, 'Nobody is logged in.')
}

const aliasColumns: readonly Column<{ readonly name: string; readonly string: string }>[] = [
  { head: 'Alias', width: 16, text: a => a.name },
  { head: 'String', width: 60, text: a => a.string },
]

export function printAliases(aliases: readonly { readonly name: string; readonly string: string }[]): string {
  return list('Aliases', aliasColumns, aliases, 'No aliases.')
}
