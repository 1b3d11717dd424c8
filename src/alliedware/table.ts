/** The command table: everything that the parser, HELP and the scripts know of. */

import { aliasCommands } from './commands/alias.ts'
import { certificateCommands } from './commands/certificate.ts'
import { encoCommands } from './commands/enco.ts'
import { fileCommands } from './commands/file.ts'
import { firewallCommands } from './commands/firewall.ts'
import { ipCommands } from './commands/ip.ts'
import { ipsecCommands } from './commands/ipsec.ts'
import { isakmpCommands } from './commands/isakmp.ts'
import { l2tpCommands } from './commands/l2tp.ts'
import { logCommands } from './commands/log.ts'
import { neighbourCommands } from './commands/neighbours.ts'
import { operations } from './commands/operate.ts'
import { pppCommands } from './commands/ppp.ts'
import { refusedCommands } from './commands/refused.ts'
import { resetCommands } from './commands/reset.ts'
import { sshCommands } from './commands/ssh.ts'
import { systemCommands } from './commands/system.ts'
import { userCommands } from './commands/user.ts'
import type { CommandEntry } from './grammar.ts'

/** Where several entries share verb and path, the first whose selector was typed is meant. */
export const commandTable: readonly CommandEntry[] = [
  ...systemCommands,
  ...userCommands,
  ...encoCommands,
  ...pppCommands,
  ...l2tpCommands,
  ...ipCommands,
  ...firewallCommands,
  ...sshCommands,
  ...ipsecCommands,
  ...isakmpCommands,
  ...logCommands,
  ...certificateCommands,
  ...operations,
  ...fileCommands,
  ...resetCommands,
  ...refusedCommands,
  ...neighbourCommands,
  ...aliasCommands,
]

const byVerb = new Map<string, CommandEntry[]>()
for (const entry of commandTable) {
  const entries = byVerb.get(entry.verb)
  if (entries) entries.push(entry)
  else byVerb.set(entry.verb, [entry])
}

/** The entries of a verb, which is written out in lower case. */
export function entriesOf(verb: string): readonly CommandEntry[] {
  return byVerb.get(verb) ?? []
}
