/** RESET: what is up and in use is ended, and counters begin again. */

import { type CommandEntry, operate } from '../grammar.ts'
import { flag, name, naming, number, optional, text } from '../value.ts'

export const resetCommands: readonly CommandEntry[] = [
  operate({ verb: 'reset', path: 'SESsion=', of: number(0, 0xffffffff) }),
  operate({
    verb: 'reset',
    path: 'USEr=?',
    of: naming('user', name(64)),
    parameters: { COUNter: optional(text(1, 16)) },
  }),
  operate({ verb: 'reset', path: 'ISAkmp' }),
  operate({ verb: 'reset', path: 'ISAkmp POLicy=?', of: naming('ISAKMP policy', name(24)) }),
  operate({ verb: 'reset', path: 'ISAkmp SA=', of: number(0, 0xffffffff) }),
  operate({ verb: 'reset', path: 'ISAkmp COUNter=?', of: text(1, 16) }),
  operate({ verb: 'reset', path: 'IPSec POLicy=?', of: naming('IPsec policy', name(24)) }),
  operate({ verb: 'reset', path: 'IPSec COUNter=?', of: text(1, 16) }),
  operate({ verb: 'reset', path: 'L2TP TUNnel=', of: number(0, 65535) }),
  operate({ verb: 'reset', path: 'L2TP COUNter' }),
  operate({ verb: 'reset', path: 'PPP=?', of: number(0, 511), parameters: { COUNter: flag } }),
  operate({ verb: 'reset', path: 'ENCo COUNTers' }),
  operate({ verb: 'reset', path: 'COUNter' }),
]
