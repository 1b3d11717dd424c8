/** The user authentication facility's list: names in any case, as the router takes them. */

import type { Secret } from '../packet/bytes.ts'
import type { Ipv4 } from '../packet/ip.ts'

/** A user who may dial in. */
export interface DialInUser {
  readonly name: string
  readonly password: Secret
  /** The user's own inner address; it comes before any pool. */
  readonly address: Ipv4 | undefined
}

export class Users {
  private readonly byName: ReadonlyMap<string, DialInUser>

  /** A later user of the same name replaces an earlier one. */
  constructor(users: Iterable<DialInUser>) {
    this.byName = new Map([...users].map(u => [fold(u.name), u]))
  }

  /**
   * The user that a client means by `name`: the name itself, or, where nobody bears it, what is left without the logon
   * domain or realm that clients put around it by themselves (DOMAIN\user, user@realm).
   */
  lookup(name: string): DialInUser | undefined {
    return this.byName.get(fold(name)) ?? this.byName.get(fold(bareName(name)))
  }

  /** Whether somebody bears exactly this name. */
  has(name: string): boolean {
    return this.byName.has(fold(name))
  }

  get size(): number {
    return this.byName.size
  }

  [Symbol.iterator](): IterableIterator<DialInUser> {
    return this.byName.values()
  }
}

/** `name` without DOMAIN\ before it or @realm behind it. */
export function bareName(name: string): string {
  const backslash = name.lastIndexOf('\\')
  if (backslash >= 0) return name.slice(backslash + 1)
  const at = name.lastIndexOf('@')
  return at > 0 ? name.slice(0, at) : name
}

function fold(name: string): string {
  return name.toLowerCase()
}
