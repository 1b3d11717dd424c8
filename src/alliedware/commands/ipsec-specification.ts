/** SA specifications, and the bundles of them that IPsec policies offer. */

import { insertBy, merge, removeWhere } from '../draft.ts'
import { act, type CommandEntry } from '../grammar.ts'
import { bool, number, oneOf } from '../value.ts'
import { bundleString } from './bundle.ts'

export const specificationId = number(0, 255)
export const keyManagement = oneOf('ISakmp', 'MAnual')

/** What both algorithms are called is the router's; SHA256 and AESGCM are ours. 3DESOUTER is the 3DES of RFC 2451. */
const specificationParameters = {
  KEYmanagement: keyManagement,
  PROTocol: oneOf('AH', 'COmp', 'ESp'),
  ENCalg: oneOf(
    'DES',
    '3DESOuter',
    '3DES2key',
    '3DESInner',
    'AES128',
    'AES192',
    'AES256',
    'AESGCM128',
    'AESGCM192',
    'AESGCM256',
    'NULl',
  ),
  HAShalg: oneOf('SHa', 'MD5', 'SHA256', 'DESmac', 'NULl'),
  MODe: oneOf('TRansport', 'TUnnel'),
  ANTIreplayenabled: bool,
  REPlaywindowsize: oneOf('32', '64', '128', '256'),
} as const
const specificationHeld = {
  COMPalg: oneOf('LZs'),
  ENCKey: number(0, 65535),
  HASHKey: number(0, 65535),
  INSpi: number(256, 0xffffffff),
  OUTSpi: number(256, 0xffffffff),
}

export const specificationCommands: readonly CommandEntry[] = [
  act({
    verb: 'create',
    path: 'IPSec SASpecification=',
    of: specificationId,
    parameters: specificationParameters,
    held: specificationHeld,
    needs: ['keymanagement', 'protocol'],
    section: 'IPSEC',
    kind: 'SA specification',
    apply: (draft, id, args, report) => {
      if (draft.ipsec.saSpecifications.some(s => s.id === id))
        return report.error(`SA specification ${id} exists already`)
      insertBy(
        draft.ipsec.saSpecifications,
        {
          id,
          keyManagement: args.keymanagement!,
          protocol: args.protocol!,
          encryption: args.encalg,
          hash: args.hashalg,
          mode: args.mode ?? 'tunnel',
          antiReplay: args.antireplayenabled,
          replayWindow: args.replaywindowsize === undefined ? undefined : Number(args.replaywindowsize),
        },
        s => s.id,
      )
    },
  }),
  act({
    verb: 'set',
    path: 'IPSec SASpecification=',
    of: specificationId,
    parameters: specificationParameters,
    held: specificationHeld,
    section: 'IPSEC',
    kind: 'SA specification',
    apply: (draft, id, args, report) => {
      const index = draft.ipsec.saSpecifications.findIndex(s => s.id === id)
      if (index < 0) return report.missing('SA specification', id)
      draft.ipsec.saSpecifications[index] = merge(draft.ipsec.saSpecifications[index]!, {
        keyManagement: args.keymanagement,
        protocol: args.protocol,
        encryption: args.encalg,
        hash: args.hashalg,
        mode: args.mode,
        antiReplay: args.antireplayenabled,
        replayWindow: args.replaywindowsize === undefined ? undefined : Number(args.replaywindowsize),
      })
    },
  }),
  act({
    verb: 'destroy',
    path: 'IPSec SASpecification=',
    of: specificationId,
    section: 'IPSEC',
    kind: 'SA specification',
    apply: (draft, id, _, report) => {
      const bundle = draft.ipsec.bundles.find(b => b.alternatives.some(together => together.includes(id)))
      if (bundle) return report.error(`SA specification ${id} is in use by bundle specification ${bundle.id}`)
      if (!removeWhere(draft.ipsec.saSpecifications, s => s.id === id)) report.missing('SA specification', id)
    },
  }),
]

const bundleParameters = {
  STRing: bundleString,
  EXPIRYKbytes: number(1, 2_000_000_000),
  EXPIRYSeconds: number(300, 31_449_600),
} as const

export const bundleCommands: readonly CommandEntry[] = [
  act({
    verb: 'create',
    path: 'IPSec BUNDlespecification=',
    of: specificationId,
    parameters: { ...bundleParameters, KEYmanagement: keyManagement },
    needs: ['keymanagement', 'string'],
    section: 'IPSEC',
    kind: 'bundle specification',
    apply: (draft, id, args, report) => {
      if (draft.ipsec.bundles.some(b => b.id === id)) return report.error(`bundle specification ${id} exists already`)
      insertBy(
        draft.ipsec.bundles,
        {
          id,
          keyManagement: args.keymanagement!,
          ...args.string!,
          expirySeconds: args.expiryseconds,
          expiryKilobytes: args.expirykbytes,
        },
        b => b.id,
      )
    },
  }),
  act({
    verb: 'set',
    path: 'IPSec BUNDlespecification=',
    of: specificationId,
    parameters: bundleParameters,
    section: 'IPSEC',
    kind: 'bundle specification',
    apply: (draft, id, args, report) => {
      const index = draft.ipsec.bundles.findIndex(b => b.id === id)
      if (index < 0) return report.missing('bundle specification', id)
      draft.ipsec.bundles[index] = {
        ...merge(draft.ipsec.bundles[index]!, {
          expirySeconds: args.expiryseconds,
          expiryKilobytes: args.expirykbytes,
        }),
        ...args.string,
      }
    },
  }),
  act({
    verb: 'destroy',
    path: 'IPSec BUNDlespecification=',
    of: specificationId,
    section: 'IPSEC',
    kind: 'bundle specification',
    apply: (draft, id, _, report) => {
      const policy = draft.ipsec.policies.find(p => p.bundle === id)
      if (policy) return report.error(`bundle specification ${id} is in use by IPsec policy "${policy.name}"`)
      if (!removeWhere(draft.ipsec.bundles, b => b.id === id)) report.missing('bundle specification', id)
    },
  }),
]
