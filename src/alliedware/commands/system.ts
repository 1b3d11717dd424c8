/** SET SYSTEM, SET HELP. */

import { act, type CommandEntry } from '../grammar.ts'
import { fileName, text } from '../value.ts'

export const systemCommands: readonly CommandEntry[] = [
  act({
    verb: 'set',
    path: 'SYStem',
    parameters: { NAme: text(0, 120) },
    held: { COntact: text(0, 80), LOCation: text(0, 80), TERRitory: text(0, 20), DIstinguishedname: text(0, 120) },
    section: 'SYSTEM',
    apply: (draft, _, args) => {
      if (args.name !== undefined) draft.systemName = args.name === '' ? undefined : args.name
    },
  }),
  act({
    verb: 'set',
    path: 'HElp=',
    of: fileName,
    section: 'SYSTEM',
    apply: (draft, file) => {
      draft.helpFile = file
    },
  }),
]
