/** SHOW USER: the user database, one block a user. */

import { clean, dash, facts, page, rule, yesNo } from './layout.ts'
import type { UserState } from './state.ts'

export function printUsers(users: readonly UserState[]): string {
  if (users.length === 0) return 'No users.'
  return page('User Authentication Database', rule(), users.flatMap(block))
}

function block(u: UserState): string[] {
  return [
    `Username: ${dash(u.name)} (${clean(u.description)})`,
    `   ${facts([
      ['Privilege', u.privilege],
      ['Telnet', yesNo(u.telnet)],
      ['Login', yesNo(u.login)],
    ])}`,
    `   ${facts([['IP address', u.ipAddress]])}`,
    `   ${facts([
      ['Sessions', u.sessions],
      ['Authentications', u.authentications],
      ['Fails', u.fails],
    ])}`,
    rule(),
  ]
}
