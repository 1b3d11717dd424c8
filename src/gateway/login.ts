/** Who may log in: passwords of the user database, places that are locked after wrong ones, and security mode. */

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Configuration, User } from '../alliedware/config.ts'
import type { Privilege } from '../alliedware/privilege.ts'
import type { Millis } from '../machine.ts'
import type { Secret } from '../packet/bytes.ts'
import { type Log, Severity } from './log.ts'

/** Security mode outlives the process. */
export interface SecurityMode {
  securityMode: boolean
}

export interface AccessWorld {
  readonly configuration: () => Configuration
  readonly mode: SecurityMode
  readonly now: () => Millis
  readonly log: Log
}

export type LoginResult = { readonly user: string } | { readonly refused: string }

/** More places than can be under attack at a time that matters; the oldest is forgotten then. */
const MOST_PLACES = 1000
const proofKey = randomBytes(32)

export class Access {
  private readonly world: AccessWorld
  private readonly failures = new Map<string, { count: number; lockedUntil: Millis }>()

  constructor(world: AccessWorld) {
    this.world = world
  }

  get mode(): SecurityMode {
    return this.world.mode
  }

  get limits(): Configuration['loginLimits'] {
    return this.world.configuration().loginLimits
  }

  get secureDelayMillis(): Millis {
    return this.world.configuration().secureDelaySeconds * 1000
  }

  /** Seconds for which a place is locked; 0 where it is not. */
  lockedSeconds(place: string): number {
    const until = this.failures.get(place)?.lockedUntil ?? 0
    return Math.max(0, Math.ceil((until - this.world.now()) / 1000))
  }

  /** A name and password typed at a prompt. */
  login(place: string, name: string, password: string): LoginResult {
    const user = this.account(name)
    const right = samePassword(password, user?.password)
    return this.judge(place, user?.name, right)
  }

  /** Counts a proof of who someone is, by whatever means: a right one opens, wrong ones lock. */
  judge(place: string, user: string | undefined, right: boolean): LoginResult {
    const locked = this.lockedSeconds(place)
    if (locked > 0) return { refused: `too many wrong logins: locked for ${locked} seconds` }
    if (right && user !== undefined) {
      this.failures.delete(place)
      this.say(Severity.Notice, `Login of ${user} from ${place}`)
      return { user }
    }
    const { failures, lockoutSeconds } = this.limits
    const count = (this.failures.get(place)?.count ?? 0) + 1
    const lock = count >= failures
    this.failures.delete(place)
    this.failures.set(place, {
      count: lock ? 0 : count,
      lockedUntil: lock ? this.world.now() + lockoutSeconds * 1000 : 0,
    })
    if (this.failures.size > MOST_PLACES) this.failures.delete(this.failures.keys().next().value!)
    // Who types a password where a name is asked for finds it in no log.
    this.say(Severity.Important, `Login of ${user ?? 'an unknown user'} from ${place} failed`)
    if (lock)
      this.say(Severity.Important, `${place} is locked for ${lockoutSeconds} seconds after ${count} wrong logins`)
    return { refused: 'wrong name or password' }
  }

  /** Whether it is the password of an account that may log in. */
  confirms(name: string, password: string): boolean {
    return samePassword(password, this.account(name)?.password)
  }

  /** The privilege of an account that may log in; undefined where there is none, or no more. */
  privilegeOf(name: string): Privilege | undefined {
    return this.account(name)?.privilege
  }

  say(severity: number, text: string): void {
    this.world.log.add({ severity, module: 'USER', type: 'AUTH', text })
  }

  private account(name: string): User | undefined {
    return this.world.configuration().users.find(u => mayLogIn(u) && u.name.toLowerCase() === name.toLowerCase())
  }
}

/** In a time that tells nothing of the password, nor whether there is one. */
export function samePassword(typed: string, stored: Secret | undefined): boolean {
  const digest = (bytes: Uint8Array) => createHmac('sha256', proofKey).update(bytes).digest()
  const same = timingSafeEqual(digest(Buffer.from(typed, 'utf8')), digest(stored?.reveal() ?? randomBytes(16)))
  return same && stored !== undefined
}

/** Whether anyone could still log in with full power: security officers in security mode, else managers, too. */
export function someoneGoverns(c: Pick<Configuration, 'users'>, securityMode: boolean): boolean {
  return c.users.some(
    u => mayLogIn(u) && (u.privilege === 'securityofficer' || (!securityMode && u.privilege === 'manager')),
  )
}

function mayLogIn(u: User): boolean {
  return u.login && u.disabled !== true
}
