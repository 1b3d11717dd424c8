/** ISAKMP policies: whom phase 1 is negotiated with, and how (RFC 2408, RFC 2409). */

import type { IsakmpPolicyConfig } from '../config.ts'
import { merge, removeWhere, sameName } from '../draft.ts'
import { type Arguments, act, type CommandEntry } from '../grammar.ts'
import {
  address,
  bool,
  either,
  fileName,
  flag,
  hostName,
  interfaceName,
  name,
  naming,
  number,
  oneOf,
  secretText,
  text,
} from '../value.ts'

const policyName = name(24)

const policyParameters = {
  PEer: either(oneOf('ANY'), either(address, hostName)),
  AUTHType: oneOf('PREshared', 'RSAsig'),
  KEY: naming('ENCO key', number(0, 65535)),
  ENCalg: oneOf('DES', '3DESOuter', 'AES128', 'AES192', 'AES256'),
  HAshalg: oneOf('SHa', 'MD5', 'SHA256'),
  GRoup: oneOf('0', '1', '2', '5', '14', '19', '20'),
  MODe: oneOf('MAIn', 'AGGressive'),
  LOCALId: text(1, 128),
  REMoteid: text(1, 128),
  NATTraversal: bool,
  SENDDeletes: bool,
  SENDNotify: bool,
  EXPIRYSeconds: number(600, 31_449_600),
  MSGREtrylimit: number(0, 1024),
  MSGTimeout: number(1, 86_400),
  MSGBackoff: oneOf('INCremental', 'NONe'),
  DPDMode: oneOf('BOth', 'NOne', 'REceive'),
  DPDIdletimeout: number(1, 86_400),
  // A policy that asks peers for more than the shared key must not answer those who have nothing more.
  XAUTH: { ...oneOf('NONe'), expected: 'NONE: there is no extended authentication here' },
  HYBridxauth: { ...oneOf('OFf', 'False', 'No'), expected: 'OFF: there is no extended authentication here' },
} as const
const policyHeld = {
  DELetedelay: number(0, 30),
  DHExponentlength: number(160, 1023),
  EXPIRYKbytes: number(1, 1000),
  HEArtbeatmode: oneOf('BOth', 'NOne', 'REceive', 'SEnd'),
  LOCALRsakey: number(0, 65535),
  PHASE2xchglimit: either(oneOf('NOne'), number(1, 1024)),
  POLicyfilename: fileName,
  PREnegotiate: bool,
  REKey: bool,
  RETryikeattempts: either(oneOf('CONtinuous'), number(0, 16)),
  SENDIdalways: bool,
  SETcommitbit: bool,
  SRCInterface: interfaceName,
  XAUTHName: text(1, 64),
  XAUTHPassword: secretText(1, 64),
  XAUTHType: oneOf('GENeric', 'RADius'),
}

function policyWith(before: IsakmpPolicyConfig, args: Arguments<typeof policyParameters>): IsakmpPolicyConfig {
  return merge(before, {
    peer: args.peer,
    authType: args.authtype,
    key: args.key,
    encryption: args.encalg,
    hash: args.hashalg,
    group: args.group === undefined ? undefined : Number(args.group),
    mode: args.mode,
    localId: args.localid,
    remoteId: args.remoteid,
    natTraversal: args.nattraversal,
    sendDeletes: args.senddeletes,
    sendNotify: args.sendnotify,
    expirySeconds: args.expiryseconds,
    msgRetryLimit: args.msgretrylimit,
    msgTimeoutSeconds: args.msgtimeout,
    msgBackoff: args.msgbackoff,
    dpdMode: args.dpdmode,
    dpdIdleSeconds: args.dpdidletimeout,
  })
}

/** What CREATE ISAKMP POLICY leaves where it is told nothing. */
export const isakmpPolicyDefaults: Omit<IsakmpPolicyConfig, 'name' | 'peer'> = {
  authType: 'preshared',
  key: undefined,
  encryption: undefined,
  hash: undefined,
  group: undefined,
  mode: 'main',
  localId: undefined,
  remoteId: undefined,
  natTraversal: true,
  sendDeletes: false,
  sendNotify: true,
  expirySeconds: undefined,
  msgRetryLimit: 8,
  msgTimeoutSeconds: 4,
  msgBackoff: 'incremental',
}

export const isakmpCommands: readonly CommandEntry[] = [
  act({
    verb: 'create',
    path: 'ISAkmp POLicy=',
    of: policyName,
    parameters: policyParameters,
    held: policyHeld,
    needs: ['peer'],
    section: 'IPSEC',
    kind: 'ISAKMP policy',
    apply: (draft, policy, args, report) => {
      if (draft.isakmp.policies.some(p => sameName(p.name, policy)))
        return report.error(`ISAKMP policy "${policy}" exists already`)
      draft.isakmp.policies.push(policyWith({ ...isakmpPolicyDefaults, name: policy, peer: args.peer! }, args))
    },
  }),
  act({
    verb: 'set',
    path: 'ISAkmp POLicy=',
    of: policyName,
    parameters: policyParameters,
    held: policyHeld,
    section: 'IPSEC',
    kind: 'ISAKMP policy',
    apply: (draft, policy, args, report) => {
      const index = draft.isakmp.policies.findIndex(p => sameName(p.name, policy))
      if (index < 0) return report.missing('ISAKMP policy', policy)
      draft.isakmp.policies[index] = policyWith(draft.isakmp.policies[index]!, args)
    },
  }),
  act({
    verb: 'destroy',
    path: 'ISAkmp POLicy=',
    of: policyName,
    section: 'IPSEC',
    kind: 'ISAKMP policy',
    apply: (draft, policy, _, report) => {
      const user = draft.ipsec.policies.find(p => p.isakmpPolicy !== undefined && sameName(p.isakmpPolicy, policy))
      if (user) return report.error(`ISAKMP policy "${policy}" is in use by IPsec policy "${user.name}"`)
      if (!removeWhere(draft.isakmp.policies, p => sameName(p.name, policy))) report.missing('ISAKMP policy', policy)
    },
  }),
  act({
    verb: 'enable',
    path: 'ISAkmp',
    parameters: { LOCALRsakey: number(0, 65535), POLicyserverenabled: bool, QUietmode: flag },
    section: 'IPSEC',
    apply: (draft, _, args, report) => {
      const given = Object.keys(args).map(word => word.toUpperCase())
      if (given.length > 0) report.warn(`${given.join(', ')}: no effect here`)
      draft.isakmp.enabled = true
    },
  }),
  act({
    verb: 'disable',
    path: 'ISAkmp',
    section: 'IPSEC',
    apply: draft => {
      draft.isakmp.enabled = false
    },
  }),
]
