/** What the firewall looks out for and tells of: triggers of attacks, logging by policy, and notices on terminals. */

import { ATTACK_DEFAULTS, ATTACKS } from '../../firewall/attack-kinds.ts'
import { LOG_OPTIONS } from '../../firewall/event-log.ts'
import { act, type CommandEntry } from '../grammar.ts'
import { listOf, number, oneOf, text } from '../value.ts'
import { change, policyName } from './firewall-policy.ts'

const attackNames = oneOf(
  'SYnattack',
  'PORtscan',
  'HOstscan',
  'UDpattack',
  'DOsflood',
  'SMUrf',
  'SMURFAmp',
  'LANd',
  'PINgofdeath',
  'TCptiny',
  'FRagment',
  'IPspoof',
  'OTher',
  'SMTprelay',
  'SPam',
)
const logOptions = listOf(...LOG_OPTIONS)

export const watchCommands: readonly CommandEntry[] = [
  act({
    verb: 'set',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: {
      ATtack: attackNames,
      INtrigger: number(0, 65535),
      OUttrigger: number(0, 65535),
      DETail: number(0, 200),
      TIMe: number(1, 1440),
    },
    needs: ['attack'],
    selector: 'attack',
    section: 'FIREWALL',
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const attack = ATTACKS.find(a => a === args.attack)
        if (attack === undefined) {
          report.error(`there is no proxy for mail here: ${args.attack!.toUpperCase()} cannot be seen`)
          return undefined
        }
        const before = p.attacks[attack] ?? ATTACK_DEFAULTS[attack]
        const trigger = {
          inTrigger: args.intrigger ?? before.inTrigger,
          outTrigger: args.outtrigger ?? before.outTrigger,
          detail: args.detail ?? before.detail,
          timeMinutes: args.time ?? before.timeMinutes,
        }
        const { [attack]: _, ...others } = p.attacks
        const usual = ATTACK_DEFAULTS[attack]
        const isUsual = (Object.keys(usual) as (keyof typeof usual)[]).every(key => usual[key] === trigger[key])
        return { ...p, attacks: isUsual ? others : { ...others, [attack]: trigger } }
      }),
  }),
  ...[true, false].map(on =>
    act({
      verb: on ? 'enable' : 'disable',
      path: 'FIREwall POLIcy=',
      of: policyName,
      parameters: { LOG: logOptions },
      needs: ['log'],
      selector: 'log',
      section: 'FIREWALL',
      apply: (draft, policy, args, report) =>
        change(draft, policy, report, p => {
          const named: readonly string[] = args.log ?? []
          const log = LOG_OPTIONS.map(o => o.toLowerCase()).filter(o => (named.includes(o) ? on : p.log.includes(o)))
          return { ...p, log }
        }),
    }),
  ),
]

/** Notices go to managers' terminals; that is where they go from the start. */
export const notifyCommands: readonly CommandEntry[] = [
  ...[true, false].map(on =>
    act({
      verb: on ? 'enable' : 'disable',
      path: 'FIREwall',
      parameters: {
        NOTify: listOf('ALL', 'MAIL', 'MANager', 'POrt', 'SNMP'),
        POrt: number(0, 255),
        TO: text(1, 64),
      },
      needs: ['notify'],
      selector: 'notify',
      section: 'FIREWALL',
      apply: (draft, _, args, report) => {
        const others = (args.notify ?? []).filter(n => n !== 'manager' && n !== 'all')
        if (on && others.length > 0)
          report.warn(
            `NOTIFY=${others.join(',').toUpperCase()} is not kept: notices go to managers and to the log, which LOG OUTPUT sends on`,
          )
        if (!args.notify?.some(n => n === 'manager' || n === 'all')) return
        if (on) delete draft.firewall.notifyManagers
        else draft.firewall.notifyManagers = false
      },
    }),
  ),
  act({
    verb: 'set',
    path: 'FIREwall',
    parameters: { MAXfragments: number(8, 50) },
    needs: ['maxfragments'],
    section: 'FIREWALL',
    apply: (draft, _, args) => {
      draft.firewall.maxFragments = args.maxfragments!
    },
  }),
]
