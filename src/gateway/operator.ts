/** Somebody who gives commands: root over the control socket, or an account that logged in; for one terminal or one command. */

import type { Command } from '../alliedware/parse.ts'
import { isUserDatabaseCommand, type Privilege } from '../alliedware/privilege.ts'
import type { Millis } from '../machine.ts'
import type { Caller } from './caller.ts'
import { Severity } from './log.ts'
import type { Access } from './login.ts'

export class Operator {
  /** As SHOW and the log tell it: `vpnctl (uid 0)`, `ssh 192.0.2.9`. */
  readonly place: string
  readonly since: Date
  /** The number of its terminal, where it has one. */
  terminal: number | undefined
  /** The kernel says that it is root, or whoever runs the gateway: a security officer without a password. */
  private readonly trusted: boolean
  private readonly access: Access
  private readonly source: Pick<Caller, 'uid' | 'pid'>
  /** Who logged in. */
  account: string | undefined
  /** A security officer who was idle for too long: a manager until the next login. */
  private demoted = false
  private confirmedUntil: Millis | undefined
  private wrongAnswers = 0
  private lastActive: Millis

  constructor(o: {
    readonly access: Access
    readonly place: string
    readonly since: Date
    readonly now: Millis
    readonly source: Pick<Caller, 'uid' | 'pid'>
    readonly trusted?: boolean
    /** Who has proved to be so already; nobody yet where no such account may log in. */
    readonly account?: string
  }) {
    this.access = o.access
    this.place = o.place
    this.since = o.since
    this.source = o.source
    this.trusted = o.trusted ?? false
    this.account = o.account !== undefined && o.access.privilegeOf(o.account) !== undefined ? o.account : undefined
    this.lastActive = o.now
  }

  get user(): string {
    return this.account ?? (this.trusted ? 'root' : '')
  }

  get caller(): Caller {
    return {
      ...this.source,
      ...(this.account === undefined ? {} : { user: this.account }),
      from: this.place,
      ...(this.terminal === undefined ? {} : { terminal: this.terminal }),
    }
  }

  /** Undefined before a login, and when the account is gone. */
  get privilege(): Privilege | undefined {
    // Who takes a lesser name has its privilege, and no more.
    if (this.account === undefined) return this.trusted ? 'securityofficer' : undefined
    const privilege = this.access.privilegeOf(this.account)
    return this.demoted && privilege === 'securityofficer' ? 'manager' : privilege
  }

  get isTrusted(): boolean {
    return this.trusted && this.account === undefined
  }

  /** The wrong ones lock the place. */
  login(name: string, password: string, now: Millis): { readonly refused?: string } {
    const result = this.access.login(this.place, name, password)
    if ('refused' in result) return result
    this.account = result.user
    this.demoted = false
    this.confirmedUntil = undefined
    this.wrongAnswers = 0
    this.lastActive = now
    return {}
  }

  /** Whether SECUREDELAY has run out since the last command on the user database: the password must be given again. */
  mustConfirm(command: Command, now: Millis): boolean {
    if (this.account === undefined || !isUserDatabaseCommand(command)) return false
    return this.confirmedUntil !== undefined && now > this.confirmedUntil
  }

  /** An answer to that: right, wrong, or once too often wrong. */
  confirm(password: string, now: Millis): 'right' | 'wrong' | 'out' {
    if (this.access.confirms(this.account ?? '', password)) {
      this.wrongAnswers = 0
      this.confirmedUntil = now + this.access.secureDelayMillis
      return 'right'
    }
    if (++this.wrongAnswers < this.access.limits.confirmFailures) return 'wrong'
    this.access.say(
      Severity.Important,
      `${this.user} at ${this.place} is logged off after ${this.wrongAnswers} wrong passwords`,
    )
    return 'out'
  }

  /** A command is carried out: the timers start anew. */
  acted(command: Command, now: Millis): void {
    this.lastActive = now
    if (isUserDatabaseCommand(command)) this.confirmedUntil = now + this.access.secureDelayMillis
  }

  typed(now: Millis): void {
    this.lastActive = now
  }

  /** In security mode an idle security officer becomes a manager; whether that happened now. */
  idle(now: Millis): boolean {
    const due = this.access.mode.securityMode && now - this.lastActive > this.access.secureDelayMillis
    if (!due || this.account === undefined || this.privilege !== 'securityofficer') return false
    this.demoted = true
    this.access.say(Severity.Notice, `${this.user} at ${this.place} was idle: a manager until the next login`)
    return true
  }
}

/** `>`, `Manager >`, `SecOff >`; with the system's name in it where there is one. */
export function promptOf(privilege: Privilege, systemName: string | undefined): string {
  const title = { user: '', manager: 'Manager ', securityofficer: 'SecOff ' }[privilege]
  return `${title}${systemName ?? ''}> `
}
