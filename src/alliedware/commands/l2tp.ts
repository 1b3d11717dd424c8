/** L2TP: the module, the server, and which peers may open tunnels. */

import { removeWhere } from '../draft.ts'
import { act, type CommandEntry, hold } from '../grammar.ts'
import { addressRange, bool, either, formatRange, naming, number, oneOf, onOff, secretText } from '../value.ts'

const sameRange = (a: { first: number; last: number }, b: { first: number; last: number }) =>
  a.first === b.first && a.last === b.last

export const l2tpCommands: readonly CommandEntry[] = [
  ...[true, false].map(enabled =>
    act({
      verb: enabled ? 'enable' : 'disable',
      path: 'L2TP',
      section: 'L2TP',
      apply: draft => {
        draft.l2tp.enabled = enabled
      },
    }),
  ),
  act({
    verb: 'enable',
    path: 'L2TP',
    parameters: { SErver: oneOf('LAC', 'LNS', 'BOth') },
    needs: ['server'],
    selector: 'server',
    section: 'L2TP',
    apply: (draft, _, args) => {
      draft.l2tp.server = args.server!
    },
  }),
  act({
    verb: 'disable',
    path: 'L2TP SErver',
    section: 'L2TP',
    apply: draft => {
      draft.l2tp.server = 'off'
    },
  }),
  act({
    verb: 'add',
    path: 'L2TP IP=',
    of: addressRange,
    // The note's `pptemplate` is not short for the manual's PPPTEMPLATE; both are taken.
    parameters: {
      PPPTemplate: naming('PPP template', number(0, 31)),
      PPTemplate: number(0, 31),
      NUMber: either(onOff, oneOf('STartup')),
      PRe13: bool,
      TOSreflect: bool,
    },
    synonyms: { pptemplate: 'ppptemplate' },
    needs: ['ppptemplate'],
    section: 'L2TP',
    kind: 'L2TP range',
    identity: formatRange,
    apply: (draft, range, args, report) => {
      if (draft.l2tp.ranges.some(other => sameRange(other, range)))
        return report.error(`L2TP range ${formatRange(range)} exists already`)
      if (args.number !== undefined || args.pre13 !== undefined || args.tosreflect !== undefined)
        report.warn('NUMBER, PRE13 and TOSREFLECT have no effect here')
      draft.l2tp.ranges.push({ ...range, pppTemplate: args.ppptemplate! })
    },
  }),
  act({
    verb: 'delete',
    path: 'L2TP IP=',
    of: addressRange,
    section: 'L2TP',
    kind: 'L2TP range',
    identity: formatRange,
    apply: (draft, range, _, report) => {
      if (!removeWhere(draft.l2tp.ranges, other => sameRange(other, range)))
        report.missing('L2TP range', formatRange(range))
    },
  }),
  hold({
    verb: 'set',
    path: 'L2TP',
    parameters: { PASSword: secretText(1, 31), CHecksum: bool, FIlter: number(0, 299), WIndow: number(1, 65535) },
    section: 'L2TP',
  }),
]
