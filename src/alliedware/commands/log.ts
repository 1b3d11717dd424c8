/** LOG: outputs with their filters. Destinations other than memory and syslog are kept, and nothing is sent there. */

import { type Draft, merge } from '../draft.ts'
import { type Arguments, act, type CommandEntry, hold, operate, type Report } from '../grammar.ts'
import { type LogFilter, type LogOutput, logDefaults, outputDefaults } from '../log-config.ts'
import { address, bool, either, flag, number, oneOf, secretText, text, type ValueType } from '../value.ts'

const MOST_OUTPUTS = 20
const MOST_FILTERS = 100
const outputId = either(oneOf('Temporary', 'Permanent'), number(1, MOST_OUTPUTS))

const settings = {
  SERver: address,
  POrt: number(1, 65535),
  MESsages: number(10, 10_000),
  FACility: oneOf('DEfault', 'LOCAL1', 'LOCAL2', 'LOCAL3', 'LOCAL4', 'LOCAL5', 'LOCAL6', 'LOCAL7'),
  SYSLOGFormat: oneOf('NOrmal', 'EXtended'),
} as const
const settingsHeld = {
  ASYn: text(1, 16),
  FORmat: oneOf('FUll', 'MSGonly', 'SUmmary'),
  MAXqueue: number(1, 10_000),
  PASSword: secretText(1, 64),
  QUEueonly: bool,
  SECure: bool,
  TO: text(1, 128),
  ZONE: text(1, 16),
}

type Severities = NonNullable<LogFilter['severity']>

/** `5`, `>5`, `>=5`, `<5`, `<=5`. */
export const severity: ValueType<Severities> = {
  expected: 'a severity from 0 to 7 (worst), with <, >, <= or >= before it',
  parse: typed => {
    const match = /^(<=|>=|<|>)?([0-7])$/.exec(typed)
    if (!match) return undefined
    const level = Number(match[2])
    const first = { '>': level + 1, '>=': level, '<': 0, '<=': 0 }[match[1] ?? ''] ?? level
    const last = { '>': 7, '>=': 7, '<': level - 1, '<=': level }[match[1] ?? ''] ?? level
    return first <= last ? { first, last } : undefined
  },
}

export function formatSeverity(s: Severities | undefined): string | undefined {
  if (s === undefined) return undefined
  if (s.first === s.last) return String(s.first)
  return s.last === 7 ? `>=${s.first}` : `<=${s.last}`
}

const filterParameters = {
  FILter: number(1, MOST_FILTERS),
  ACtion: oneOf('PROcess', 'IGNore'),
  ALL: flag,
  SEVerity: severity,
  MODule: text(1, 16),
  TYpe: text(1, 16),
  SUBType: text(1, 16),
  MSGText: text(1, 64),
} as const
type FilterArguments = Arguments<typeof filterParameters>

const titled = (id: LogOutput['id']) => `log output "${id}"`

function change(
  draft: Draft,
  id: LogOutput['id'],
  report: Report,
  make: (o: LogOutput) => LogOutput | undefined,
): void {
  const index = draft.log.outputs.findIndex(o => o.id === id)
  const before = draft.log.outputs[index]
  if (before === undefined) return report.missing('log output', id)
  const made = make(before)
  if (made) draft.log.outputs[index] = made
}

function withSettings(o: LogOutput, args: Arguments<typeof settings>): LogOutput {
  return merge(o, {
    server: args.server,
    port: args.port,
    messages: args.messages,
    facility: args.facility,
    format: args.syslogformat,
  })
}

function filterWith(before: LogFilter, args: FilterArguments): LogFilter {
  // ALL takes every condition back.
  const bare = args.all ? { ...before, severity: undefined, module: undefined, type: undefined } : before
  return merge(args.all ? { ...bare, subtype: undefined, text: undefined } : bare, {
    action: args.action,
    severity: args.severity,
    module: args.module?.toLowerCase(),
    type: args.type?.toLowerCase(),
    subtype: args.subtype?.toLowerCase(),
    text: args.msgtext?.toLowerCase(),
  })
}

function complain(o: LogOutput, report: Report): boolean {
  const wrong = o.destination === 'syslog' && o.server === undefined ? 'SERVER is missing' : undefined
  if (wrong) report.error(wrong)
  else if (o.destination !== 'syslog' && o.destination !== 'memory')
    report.warn(`DESTINATION=${o.destination.toUpperCase()} is not served here: nothing is sent there`)
  return wrong === undefined
}

const byId = (o: LogOutput) => (o.id === 'temporary' ? -2 : o.id === 'permanent' ? -1 : o.id)

const outputCommands: readonly CommandEntry[] = [
  act({
    verb: 'create',
    path: 'LOG OUTput=',
    of: outputId,
    parameters: {
      ...settings,
      DEStination: oneOf('MEMory', 'SYslog', 'NVs', 'EMAil', 'ROUter', 'POrt', 'ASYn'),
    },
    held: settingsHeld,
    section: 'LOG',
    kind: 'log output',
    apply: (draft, id, args, report) => {
      if (draft.log.outputs.some(o => o.id === id)) return report.error(`${titled(id)} exists already`)
      const usual = id === 'temporary' ? 'memory' : id === 'permanent' ? 'nvs' : undefined
      const destination = args.destination ?? usual
      if (destination === undefined) return report.error('DESTINATION is missing')
      const made = withSettings({ ...outputDefaults, id, destination }, args)
      if (!complain(made, report)) return
      draft.log.outputs = [...draft.log.outputs, made].sort((a, b) => byId(a) - byId(b))
    },
  }),
  act({
    verb: 'destroy',
    path: 'LOG OUTput=',
    of: outputId,
    section: 'LOG',
    kind: 'log output',
    apply: (draft, id, _, report) => {
      if (id === 'temporary') return report.error('SHOW LOG reads it: DISABLE LOG OUTPUT=TEMPORARY keeps it empty')
      if (!draft.log.outputs.some(o => o.id === id)) return report.missing('log output', id)
      draft.log.outputs = draft.log.outputs.filter(o => o.id !== id)
    },
  }),
  act({
    verb: 'set',
    path: 'LOG OUTput=',
    of: outputId,
    parameters: settings,
    held: settingsHeld,
    section: 'LOG',
    kind: 'log output',
    apply: (draft, id, args, report) => change(draft, id, report, o => withSettings(o, args)),
  }),
  act({
    verb: 'set',
    path: 'LOG OUTput=',
    of: outputId,
    parameters: filterParameters,
    needs: ['filter'],
    selector: 'filter',
    section: 'LOG',
    apply: (draft, id, args, report) =>
      change(draft, id, report, o => {
        if (o.filters.some(f => f.id === args.filter))
          return { ...o, filters: o.filters.map(f => (f.id === args.filter ? filterWith(f, args) : f)) }
        report.error(`filter ${args.filter} does not exist`)
        return undefined
      }),
  }),
  act({
    verb: 'add',
    path: 'LOG OUTput=',
    of: outputId,
    parameters: filterParameters,
    section: 'LOG',
    apply: (draft, id, args, report) =>
      change(draft, id, report, o => {
        const next = Math.max(0, ...o.filters.map(f => f.id)) + 1
        const number = args.filter ?? next
        if (o.filters.some(f => f.id === number) || number > MOST_FILTERS) {
          report.error(number > MOST_FILTERS ? `at most ${MOST_FILTERS} filters` : `filter ${number} exists already`)
          return undefined
        }
        const filter = filterWith({ ...noCondition, id: number }, args)
        return { ...o, filters: [...o.filters, filter].sort((a, b) => a.id - b.id) }
      }),
  }),
  act({
    verb: 'delete',
    path: 'LOG OUTput=',
    of: outputId,
    parameters: { FILter: either(oneOf('ALL'), number(1, MOST_FILTERS)) },
    needs: ['filter'],
    section: 'LOG',
    apply: (draft, id, args, report) =>
      change(draft, id, report, o => {
        const left = args.filter === 'all' ? [] : o.filters.filter(f => f.id !== args.filter)
        if (left.length < o.filters.length || args.filter === 'all') return { ...o, filters: left }
        report.error(`filter ${args.filter} does not exist`)
        return undefined
      }),
  }),
]

const noCondition: Omit<LogFilter, 'id'> = {
  action: 'process',
  severity: undefined,
  module: undefined,
  type: undefined,
  subtype: undefined,
  text: undefined,
}

export const logCommands: readonly CommandEntry[] = [
  ...outputCommands,
  ...[true, false].flatMap(enabled => {
    const verb = enabled ? 'enable' : 'disable'
    return [
      act({
        verb,
        path: 'LOG',
        section: 'LOG',
        apply: draft => {
          draft.log.enabled = enabled
        },
      }),
      act({
        verb,
        path: 'LOG OUTput=?',
        of: outputId,
        section: 'LOG',
        apply: (draft, id, _, report) => {
          if (id !== undefined) return change(draft, id, report, o => ({ ...o, enabled }))
          draft.log.outputs = draft.log.outputs.map(o => ({ ...o, enabled }))
        },
      }),
      ...['GENeration', 'RECeption'].map(word => hold({ verb, path: `LOG ${word}`, section: 'LOG' })),
    ]
  }),
  act({
    verb: 'purge',
    path: 'LOG',
    section: 'LOG',
    apply: draft => {
      draft.log = { ...logDefaults, outputs: [...logDefaults.outputs] }
    },
  }),
  ...['add', 'delete', 'set'].map(verb =>
    hold({ verb, path: 'LOG RECeive=', of: text(1, 64), free: true, section: 'LOG' }),
  ),
  hold({ verb: 'set', path: 'LOG', parameters: { UTCoffset: text(1, 16) }, needs: ['utcoffset'], section: 'LOG' }),
  operate({ verb: 'flush', path: 'LOG' }),
  operate({ verb: 'flush', path: 'LOG OUTput=?', of: outputId }),
  operate({ verb: 'show', path: 'LOG OUTput=?', of: outputId }),
]
