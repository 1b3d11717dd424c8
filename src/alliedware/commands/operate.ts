/** Commands to the running gateway: SHOW, debugging, logging in and out. Nothing of them is configuration. */

import { type CommandEntry, operate } from '../grammar.ts'
import {
  address,
  addressRange,
  bool,
  either,
  flag,
  identifier,
  name,
  naming,
  number,
  oneOf,
  optional,
  text,
  type ValueType,
} from '../value.ts'
import { debugCommands } from './debug.ts'
import { limitRange } from './firewall-limit.ts'
import { severity } from './log.ts'

const count = { COUNter: flag } as const
const line = text(1, 256)
const isakmpPolicy = naming('ISAKMP policy', name(24))
const ipsecPolicy = naming('IPsec policy', name(24))
const firewallPolicy = naming('firewall policy', identifier(15))
const user = naming('user', name(64))

const show = <T>(path: string, of?: ValueType<T>, parameters: Readonly<Record<string, ValueType<unknown>>> = {}) =>
  operate({
    verb: 'show',
    path,
    ...(of && { of }),
    parameters,
  })

const logParameters = {
  TAIl: optional(number(1, 10000)),
  REVerse: optional(number(1, 10000)),
  MODule: text(1, 16),
  SEVerity: severity,
  TYPe: text(1, 16),
  COUNter: flag,
  STATus: flag,
  QUEue: flag,
  RECeive: flag,
}

const shows: readonly CommandEntry[] = [
  show('ISAkmp'),
  show('ISAkmp SA=?', number(0, 0xffffffff)),
  show('ISAkmp EXChange=?', number(0, 65535)),
  show('ISAkmp POLicy=?', isakmpPolicy),
  show(
    'ISAkmp COUNter=?',
    oneOf(
      'AGgressive',
      'GENeral',
      'HEartbeat',
      'INfo',
      'IPsec',
      'MAin',
      'NETwork',
      'QUick',
      'SAD',
      'SPD',
      'TRansaction',
      'XDb',
    ),
  ),
  show('IPSec'),
  show('IPSec SA=?', number(0, 0xffffffff), count),
  show('IPSec POLicy=?', ipsecPolicy, { ...count, SABundle: flag }),
  show('IPSec SASpecification=?', naming('SA specification', number(0, 255))),
  show('IPSec BUNDlespecification=?', naming('bundle specification', number(0, 255))),
  show('IPSec COUNter=?', text(1, 16)),
  show('IPSec UDPTUNnel'),
  show('L2TP'),
  show('L2TP TUNnel=?', number(0, 65535)),
  show('L2TP CALL=?', number(0, 65535)),
  show('L2TP IP'),
  show('L2TP COUNter'),
  show('L2TP USEr'),
  show('PPP=?', number(0, 511), {
    ...count,
    CONFIguration: flag,
    NAMEservers: flag,
    IDletimer: flag,
    LIMits: flag,
    MULtilink: flag,
    UTIlisation: flag,
    TXStatus: flag,
  }),
  show('PPP TEMplate=?', naming('PPP template', number(0, 31))),
  show('IP'),
  show('IP POOL=?', naming('IP pool', name(15))),
  show('IP INTerface=?', naming('IP interface', text(1, 31))),
  show('IP ROUte=?', address),
  show('IP ARP'),
  show('IP COUNter'),
  show('IP UDP'),
  show('IP TCP'),
  show('USEr=?', user, { CONFIguration: flag }),
  show('LOG=?', oneOf('Temporary', 'Permanent'), logParameters),
  show('SESsion=?', number(0, 0xffffffff), { USer: user }),
  show('ATTempt=?', number(0, 0xffffffff), { TAIl: optional(number(1, 10000)), USer: user, PEer: address }),
  show('FIREwall'),
  show('FIREwall POLIcy=?', firewallPolicy, {
    ...count,
    SUMmary: flag,
    RULe: optional(number(1, 1000)),
    LIMitrule: optional(limitRange),
    DETail: flag,
  }),
  show('FIREwall EVEnt=?', oneOf('ALLow', 'DEny', 'NOtify'), {
    POLIcy: identifier(15),
    REVerse: optional(number(1, 10000)),
    TAIl: optional(number(1, 10000)),
  }),
  show('FIREwall ARP'),
  show('FIREwall MONitor'),
  show('FIREwall SESSIONReport'),
  show('FIREwall ACCounting', undefined, {
    POLIcy: identifier(15),
    REVerse: optional(number(1, 10000)),
    TAIl: optional(number(1, 10000)),
  }),
  show('FIREwall SESsion=?', text(1, 16), {
    ...count,
    IP: addressRange,
    POrt: number(0, 65535),
    PROTocol: text(1, 8),
    SUMmary: flag,
    POLIcy: identifier(15),
  }),
  show('ENCo'),
  show('ENCo KEy=?', naming('ENCO key', number(0, 65535))),
  show('ENCo COUNTers'),
  show('ENCo CHAnnel'),
  show('SYStem'),
  show('ALIas=?', naming('alias', text(1, 32))),
  show('DEBug', undefined, { ACTive: optional(text(1, 16)) }),
  show('COUNter=?', text(1, 32)),
  show('TIMe'),
  show('SSH=?', text(1, 16), { USer: flag, SESsions: flag }),
  show('RADius'),
  show('FEAture'),
]

const security = ['enable', 'disable'].map(verb => operate({ verb, path: 'SYStem SECurity' }))

const terminal: readonly CommandEntry[] = [
  operate({ verb: 'delete', path: 'FIREwall SESsion=', of: text(1, 16) }),
  operate({ verb: 'help', path: '', of: line, free: true }),
  operate({ verb: 'login', path: '', of: line, free: true }),
  operate({ verb: 'logoff', path: '' }),
  operate({
    verb: 'ping',
    path: '',
    of: line,
    parameters: { NUMber: number(1, 100), TIMeout: number(1, 60), LEngth: number(0, 1472), IPaddress: address },
    free: true,
  }),
  operate({ verb: 'set', path: 'ASYn', parameters: { PAGe: either(bool, number(5, 1000)) }, selector: 'page' }),
]

export const operations: readonly CommandEntry[] = [...debugCommands, ...security, ...shows, ...terminal]
