/** ENABLE, DISABLE ... DEBUG and CAPTURE: looking over the gateway's shoulder. Nothing of them is configuration. */

import { type CommandEntry, operate } from '../grammar.ts'
import { address, bool, either, listOf, name, naming, number, oneOf, optional, text } from '../value.ts'
import { policyName } from './firewall-policy.ts'

const pppModes = listOf('ALL', 'AUTh', 'DEMand', 'LCP', 'NCP', 'PKT', 'UTIlisation')
/** When it ends by itself: after so many seconds, or messages. */
const limits = {
  TIMEOut: either(oneOf('NONE'), number(1, 4_000_000)),
  NUMpkts: either(oneOf('CONT'), number(1, 4_000_000)),
}

const debugging: readonly CommandEntry[] = ['enable', 'disable'].flatMap(verb => [
  operate({
    verb,
    path: 'ISAkmp',
    parameters: {
      DEBug: optional(listOf('ALL', 'DEFault', 'PACket', 'PKTraw', 'STAte', 'TRACE', 'TRACEMore')),
      ...(verb === 'enable' && limits),
    },
    needs: ['debug'],
    selector: 'debug',
  }),
  operate({
    verb,
    path: 'IPSec POLicy=?',
    of: naming('IPsec policy', name(24)),
    parameters: {
      DEBug: optional(listOf('ALL', 'FILter', 'PACket', 'TRAce')),
      ...(verb === 'enable' && { ...limits, WHEre: text(1, 64), DISplay: text(1, 64), SELector: text(1, 64) }),
    },
    needs: ['debug'],
  }),
  operate({
    verb,
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: {
      DEBug: optional(listOf('ALL', 'HTTP', 'LIMitrule', 'PACket', 'PKT', 'PROCess', 'PROXy', 'SMTp')),
      ...(verb === 'enable' && limits),
    },
    needs: ['debug'],
    selector: 'debug',
  }),
  operate({
    verb,
    path: 'L2TP',
    parameters: { DEBug: optional(listOf('ALL', 'PACket', 'PKT', 'STAte')), ...(verb === 'enable' && limits) },
    needs: ['debug'],
    selector: 'debug',
  }),
  operate({
    verb,
    path: 'PPP TEMplate=',
    of: naming('PPP template', number(0, 31)),
    parameters: { DEBug: optional(pppModes), ...(verb === 'enable' && { ...limits, ASYn: number(0, 255) }) },
    needs: ['debug'],
  }),
  operate({
    verb,
    path: 'PPP=?',
    of: number(0, 511),
    parameters: { DEBug: optional(pppModes), ...(verb === 'enable' && limits) },
    needs: ['debug'],
    selector: 'debug',
  }),
])

const captures: readonly CommandEntry[] = [
  operate({
    verb: 'capture',
    path: '',
    parameters: {
      FILe: text(1, 255),
      USer: naming('user', name(64)),
      PEer: either(address, number(1, 65_535)),
      SESsion: number(0, 65_535),
      SEConds: number(1, 3600),
      MEGabytes: number(1, 1024),
      KEys: bool,
    },
    needs: ['file'],
  }),
  operate({ verb: 'disable', path: 'CAPture' }),
]

export const debugCommands: readonly CommandEntry[] = [...debugging, ...captures]
