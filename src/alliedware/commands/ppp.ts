/** PPP templates, which incoming calls are made from, and the name servers that IPCP offers (RFC 1877). */

import type { PppTemplateConfig } from '../config.ts'
import { insertBy, merge, removeWhere } from '../draft.ts'
import { type Arguments, act, type CommandEntry, hold, type Report } from '../grammar.ts'
import { address, bool, either, name, naming, number, oneOf, onOff, secretText, text } from '../value.ts'

const templateId = number(0, 31)
const seconds = (max: number) => either(number(1, max), onOff)

const templateParameters = {
  AUTHentication: oneOf('CHap', 'EIther', 'MSchap2', 'PAp', 'NOne'),
  BAP: bool,
  IPPool: either(oneOf('NONE'), naming('IP pool', name(15))),
  ECho: seconds(65535),
  LQr: seconds(65535),
  MRU: either(number(256, 1656), onOff),
  MTU: number(256, 1500),
  MSSheader: number(40, 200),
  IDle: seconds(0x7fffffff),
  RECHallenge: either(number(360, 3600), onOff),
} as const

const limit = either(oneOf('NONE'), number(1, 65535))
const templateHeld = {
  BAPMode: oneOf('CALL', 'CALLBack'),
  CBDelay: number(1, 100),
  CBMode: oneOf('ACcept', 'OFf', 'REquest'),
  CBNumber: text(1, 32),
  CBOperation: oneOf('E164number', 'USerauth'),
  COMPAlgorithm: oneOf('PRedictor', 'STaclzs'),
  COMPRession: either(onOff, oneOf('LInk')),
  DEBUGMaxbytes: number(16, 256),
  DEscription: text(0, 70),
  DOWNRate: number(0, 100),
  DOWNTime: number(0, 65535),
  ENCryption: bool,
  FRAGMent: bool,
  FRAGOverhead: number(0, 100),
  INdatalimit: limit,
  IPRequest: bool,
  LOGin: oneOf('ALL', 'RAdius', 'TAcacs', 'USer'),
  MAGic: bool,
  MAXlinks: number(1, 64),
  MULtilink: bool,
  NULlfragtimer: number(0, 65535),
  ONLinelimit: limit,
  OUTDatalimit: limit,
  PASSword: secretText(1, 64),
  PREDCheck: oneOf('CRC16', 'CRCCcitt'),
  REStart: number(1, 65535),
  STACCheck: oneOf('LCb', 'SEquence'),
  STAREntity: number(1, 255),
  TERMinate: either(oneOf('CONTinuous'), number(1, 255)),
  TOTaldatalimit: limit,
  UPRate: number(0, 100),
  UPTime: number(0, 65535),
  USERName: text(1, 64),
  VJc: bool,
}

const defaults: Omit<PppTemplateConfig, 'template'> = {
  authentication: 'none',
  bap: true,
  ipPool: undefined,
  echoSeconds: undefined,
  lqrSeconds: 60,
  mru: undefined,
  mtu: undefined,
  mssHeader: undefined,
  idleSeconds: undefined,
  rechallengeSeconds: undefined,
}

/** A timer as typed, with what ON stands for; undefined for OFF. */
function timer(value: number | 'on' | 'off', on: number): number | undefined {
  return value === 'on' ? on : value === 'off' ? undefined : value
}

/** The template with what a command gives; undefined after a complaint. ECHO and LQR exclude each other. */
function changed(
  before: PppTemplateConfig,
  args: Arguments<typeof templateParameters>,
  report: Report,
): PppTemplateConfig | undefined {
  const echo = args.echo === undefined ? before.echoSeconds : timer(args.echo, 10)
  const lqr = args.lqr === undefined ? before.lqrSeconds : timer(args.lqr, 60)
  if (echo !== undefined && lqr !== undefined && args.echo !== undefined && args.lqr !== undefined) {
    report.error('ECHO and LQR exclude each other: switch one OFF')
    return undefined
  }
  return {
    ...merge(before, {
      authentication: args.authentication,
      bap: args.bap,
      mtu: args.mtu,
      mssHeader: args.mssheader,
    }),
    ipPool: args.ippool === undefined ? before.ipPool : args.ippool === 'none' ? undefined : args.ippool,
    // What is switched on now switches the other off.
    echoSeconds: args.lqr !== undefined && lqr !== undefined ? undefined : echo,
    lqrSeconds: args.echo !== undefined && echo !== undefined ? undefined : lqr,
    mru: args.mru === undefined ? before.mru : typeof args.mru === 'number' ? args.mru : undefined,
    idleSeconds: args.idle === undefined ? before.idleSeconds : timer(args.idle, 60),
    rechallengeSeconds:
      args.rechallenge === undefined
        ? before.rechallengeSeconds
        : args.rechallenge === 'off'
          ? undefined
          : args.rechallenge,
  }
}

const unlessZero = (value: number) => (value === 0 ? undefined : value)

export const pppCommands: readonly CommandEntry[] = [
  act({
    verb: 'create',
    path: 'PPP TEMplate=',
    of: templateId,
    parameters: { ...templateParameters, COPy: naming('PPP template', templateId) },
    held: templateHeld,
    section: 'PPP',
    kind: 'PPP template',
    apply: (draft, id, args, report) => {
      if (draft.pppTemplates.some(t => t.template === id)) return report.error(`PPP template ${id} exists already`)
      const model = args.copy === undefined ? defaults : draft.pppTemplates.find(t => t.template === args.copy)
      if (model === undefined) return report.missing('PPP template', args.copy!)
      const template = changed({ ...model, template: id }, args, report)
      if (template) insertBy(draft.pppTemplates, template, t => t.template)
    },
  }),
  act({
    verb: 'set',
    path: 'PPP TEMplate=',
    of: templateId,
    parameters: templateParameters,
    held: templateHeld,
    section: 'PPP',
    kind: 'PPP template',
    apply: (draft, id, args, report) => {
      const index = draft.pppTemplates.findIndex(t => t.template === id)
      if (index < 0) return report.missing('PPP template', id)
      const template = changed(draft.pppTemplates[index]!, args, report)
      if (template) draft.pppTemplates[index] = template
    },
  }),
  act({
    verb: 'destroy',
    path: 'PPP TEMplate=',
    of: templateId,
    section: 'PPP',
    kind: 'PPP template',
    apply: (draft, id, _, report) => {
      if (draft.l2tp.ranges.some(range => range.pppTemplate === id))
        return report.error(`PPP template ${id} is in use by L2TP`)
      if (!removeWhere(draft.pppTemplates, t => t.template === id)) report.missing('PPP template', id)
    },
  }),
  act({
    verb: 'set',
    path: 'PPP',
    parameters: { DNSPrimary: address, DNSSecondary: address, WINSPrimary: address, WINSSecondary: address },
    section: 'PPP',
    apply: (draft, _, args) => {
      if (args.dnsprimary !== undefined) draft.ppp.dnsPrimary = unlessZero(args.dnsprimary)
      if (args.dnssecondary !== undefined) draft.ppp.dnsSecondary = unlessZero(args.dnssecondary)
      if (args.winsprimary !== undefined) draft.ppp.winsPrimary = unlessZero(args.winsprimary)
      if (args.winssecondary !== undefined) draft.ppp.winsSecondary = unlessZero(args.winssecondary)
    },
  }),
  // Interfaces over lines of its own (CREATE PPP=0 OVER=...) are the router's; the gateway has only incoming calls.
  ...(['create', 'add', 'delete', 'set', 'destroy', 'enable', 'disable'] as const).map(verb =>
    hold({ verb, path: 'PPP=', of: number(0, 511), free: true, section: 'PPP' }),
  ),
]
