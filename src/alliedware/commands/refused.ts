/** Commands of the router's that the gateway understands well enough to say why it does not carry them out. */

import { act, type CommandEntry, operate } from '../grammar.ts'
import { text } from '../value.ts'

const any = text(0, 128)

/** The gateway is an LNS that waits for its clients. */
const NO_CALLS = 'the gateway makes no calls of its own: it answers its clients'

/** Why an operation is refused, by verb and object. */
export const refusedOperations: Readonly<Record<string, string>> = {
  'activate l2tp call': NO_CALLS,
  'deactivate l2tp call': 'calls are the clients’: RESET SESSION or RESET L2TP TUNNEL ends one',
  'activate ppp': NO_CALLS,
  'set time': 'the host keeps the time: "timedatectl set-time" there, or NTP',
  'set password': 'this is for who logged in at the prompt; SET USER=name PASSWORD=... changes any',
}

const NO_TUNNEL_PASSWORDS = 'tunnels have no passwords here: IPsec has proved who the client is'

function refused(verb: string, path: string, why: string): CommandEntry {
  return act({
    verb,
    path,
    of: any,
    free: true,
    section: 'L2TP',
    apply: (_draft, _of, _args, report) => report.error(why),
  })
}

export const refusedCommands: readonly CommandEntry[] = [
  operate({ verb: 'activate', path: 'L2TP CALL=', of: any, free: true }),
  operate({ verb: 'deactivate', path: 'L2TP CALL=', of: any, free: true }),
  operate({ verb: 'activate', path: 'PPP=', of: any, free: true }),
  operate({ verb: 'set', path: 'TIMe=?', of: any, free: true }),
  operate({ verb: 'set', path: 'PASSword' }),
  // In a script they would be half a configuration: an error.
  ...['add', 'set', 'delete'].flatMap(verb => ['L2TP CALL=', 'L2TP USer='].map(path => refused(verb, path, NO_CALLS))),
  ...['add', 'delete'].map(verb => refused(verb, 'L2TP PASSword=', NO_TUNNEL_PASSWORDS)),
]
