/** Aliases: words that stand for the beginning of a command. They are expanded before a command is read. */

import { removeWhere, sameName } from '../draft.ts'
import { act, type CommandEntry } from '../grammar.ts'
import { text, type ValueType } from '../value.ts'

const aliasName: ValueType<string> = {
  expected: 'one word of 1 to 32 characters',
  parse: value => (/^[^\s"=<>#]{1,32}$/.test(value) ? text(1, 32).parse(value) : undefined),
}

export const aliasCommands: readonly CommandEntry[] = [
  act({
    verb: 'add',
    path: 'ALIas=',
    of: aliasName,
    parameters: { STring: text(1, 512) },
    needs: ['string'],
    section: 'ALIAS',
    kind: 'alias',
    apply: (draft, alias, args, report) => {
      if (draft.aliases.some(a => sameName(a.name, alias))) return report.error(`alias "${alias}" exists already`)
      draft.aliases.push({ name: alias, string: args.string! })
    },
  }),
  act({
    verb: 'delete',
    path: 'ALIas=',
    of: aliasName,
    section: 'ALIAS',
    kind: 'alias',
    apply: (draft, alias, _, report) => {
      if (!removeWhere(draft.aliases, a => sameName(a.name, alias))) report.missing('alias', alias)
    },
  }),
]
