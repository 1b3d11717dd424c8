/** Commands of the router's firewall that are not carried out: held where they only show or help, refused where they filter. */

import { act, type CommandEntry, hold } from '../grammar.ts'
import { number, oneOf, text } from '../value.ts'
import { policyName } from './firewall-policy.ts'

const verbs = ['add', 'set', 'delete'] as const
const switches = ['enable', 'disable'] as const
const any = text(0, 128)

/** A filter that is not there would let pass what it was meant for. */
const refusals: readonly (readonly [parameter: string, why: string])[] = [
  ['PROXy', 'there are no proxies: nothing here looks into HTTP and mail'],
  ['HTTPFilter', 'there are no proxies: nothing here looks into HTTP'],
  ['SPAmsources', 'there are no proxies: nothing here looks into mail'],
  ['SMTPDomain', 'there are no proxies: nothing here looks into mail'],
  ['APPRule', 'nothing here looks into FTP'],
]

export const firewallNeighbourCommands: readonly CommandEntry[] = [
  ...refusals.flatMap(([parameter, why]) =>
    verbs.map(verb =>
      act({
        verb,
        path: 'FIREwall POLIcy=',
        of: policyName,
        parameters: { [parameter]: any },
        selector: parameter.toLowerCase() as Lowercase<string>,
        free: true,
        section: 'FIREWALL',
        apply: (_draft, _policy, _args, report) => report.error(why),
      }),
    ),
  ),
  hold({
    verb: 'set',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: { UPNP: oneOf('ENabled', 'DIsabled') },
    needs: ['upnp'],
    selector: 'upnp',
    section: 'FIREWALL',
  }),
  // Copies of everything onto a network: a capture is one file, of one user, and logged.
  ...verbs.map(verb =>
    hold({ verb, path: 'FIREwall MONitor=', of: number(1, 65535), free: true, section: 'FIREWALL' }),
  ),
  ...switches.flatMap(verb =>
    ['FIREwall MONitor', 'FIREwall SESSIONReport', 'FIREwall SIPalg'].map(path =>
      hold({ verb, path, free: true, section: 'FIREWALL' }),
    ),
  ),
]
