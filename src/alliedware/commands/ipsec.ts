/** IPsec: SA specifications, bundles of them, and the policies of each interface in their order. */

import { type Ipv4, maskPrefix } from '../../packet/ip.ts'
import type { IpsecPolicy } from '../config.ts'
import { type Draft, insertBy, merge, removeWhere, sameName } from '../draft.ts'
import { type Arguments, act, type CommandEntry, type Report } from '../grammar.ts'
import {
  address,
  addressRange,
  bool,
  either,
  interfaceName,
  keywordNumber,
  mask,
  name,
  number,
  oneOf,
  type Range,
  text,
} from '../value.ts'
import { bundleString } from './bundle.ts'

const specificationId = number(0, 255)
const policyName = name(23)
const keyManagement = oneOf('ISakmp', 'MAnual')

/** What both algorithms are called is the router's; SHA256 is ours. 3DESOUTER is the 3DES of RFC 2451. */
const specificationParameters = {
  KEYmanagement: keyManagement,
  PROTocol: oneOf('AH', 'COmp', 'ESp'),
  ENCAlg: oneOf('DES', '3DESOuter', '3DES2key', '3DESInner', 'AES128', 'AES192', 'AES256', 'NULl'),
  HASHAlg: oneOf('SHa', 'MD5', 'SHA256', 'DESmac', 'NULl'),
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

const specificationCommands: readonly CommandEntry[] = [
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

const bundleCommands: readonly CommandEntry[] = [
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

/** The names of IP protocols that selectors take. */
export const transportProtocols = { EGp: 8, ESp: 50, GRe: 47, ICmp: 1, OSpf: 89, RSvp: 46, TCp: 6, UDp: 17 } as const

const MAX_POSITION = 100
const selectorPort = either(oneOf('ANy', 'OPaque'), number(0, 65535))
const selectorAddress = either(oneOf('ANy'), addressRange)

const policyParameters = {
  ACtion: oneOf('DEny', 'IPsec', 'PErmit'),
  BUNDlespecification: specificationId,
  GROup: oneOf('0', '1', '2', '5', '14', '19', '20'),
  // A selector that is not carried out would make the policy match more than was asked for: only ANY is taken.
  ICmptype: oneOf('ANy'),
  LNAme: oneOf('ANy'),
  RNAme: oneOf('ANy'),
  ISAkmppolicy: name(24),
  LADdress: selectorAddress,
  LMAsk: mask,
  LPort: selectorPort,
  PEERaddress: either(oneOf('ANy', 'DYnamic'), address),
  POSition: number(1, MAX_POSITION),
  RADdress: selectorAddress,
  RMAsk: mask,
  RPort: selectorPort,
  TRAnsportprotocol: either(oneOf('ANy', 'OPaque'), keywordNumber(255, transportProtocols)),
  USEPFSKey: bool,
} as const
const policyHeld = {
  IPVersion: oneOf('4'),
  DFBit: oneOf('SEt', 'COpy', 'CLear'),
  IPROUtetemplate: text(1, 31),
  RESPondbadspi: bool,
  SASElectorfrompkt: text(1, 100),
  SRCInterface: interfaceName,
  UDPHeartbeat: bool,
  UDPPort: number(1, 65535),
  UDPTunnel: bool,
}

/** What a selector address and its mask come to; undefined for any, null after a complaint. */
function selector(
  which: string,
  kept: Range<Ipv4> | undefined,
  given: Range<Ipv4> | 'any' | undefined,
  under: Ipv4 | undefined,
  report: Report,
): Range<Ipv4> | undefined | null {
  const range = given === undefined ? kept : given === 'any' ? undefined : given
  if (under === undefined) return range
  if (range === undefined || (given !== undefined && range.first !== range.last) || maskPrefix(under) === undefined) {
    report.error(`${which}MASK: expected with a single ${which}ADDRESS`)
    return null
  }
  const first = (range.first & under) >>> 0
  return { first, last: (first | ~under) >>> 0 }
}

function policyWith(
  before: IpsecPolicy,
  args: Arguments<typeof policyParameters>,
  report: Report,
): IpsecPolicy | undefined {
  const localAddress = selector('L', before.localAddress, args.laddress, args.lmask, report)
  const remoteAddress = selector('R', before.remoteAddress, args.raddress, args.rmask, report)
  if (localAddress === null || remoteAddress === null) return undefined
  return {
    ...merge(before, {
      action: args.action,
      bundle: args.bundlespecification,
      isakmpPolicy: args.isakmppolicy,
      peer: args.peeraddress,
      localPort: args.lport,
      remotePort: args.rport,
      transportProtocol: args.transportprotocol,
      usePfsKey: args.usepfskey,
      group: args.group === undefined ? undefined : Number(args.group),
    }),
    localAddress,
    remoteAddress,
  }
}

/** The first position behind all of the interface, those kept free for commands that wait for placeholders included. */
export function nextPosition(policies: readonly IpsecPolicy[], on: string): number {
  return policies.reduce((next, p) => (p.interface === on ? Math.max(next, p.position + 1) : next), 1)
}

/** Puts the policy at its position; those there and behind move on, up to the next gap. */
function place(draft: Draft, policy: IpsecPolicy): void {
  let at = policy.position
  const taken = () => draft.ipsec.policies.findIndex(p => p.interface === policy.interface && p.position === at)
  const moved: { index: number; to: number }[] = []
  for (let index = taken(); index >= 0; index = taken()) moved.push({ index, to: ++at })
  for (const { index, to } of moved) {
    draft.ipsec.policies[index] = { ...draft.ipsec.policies[index]!, position: to }
  }
  draft.ipsec.policies.push(policy)
  draft.ipsec.policies.sort((a, b) =>
    a.interface === b.interface ? a.position - b.position : a.interface < b.interface ? -1 : 1,
  )
}

const policyCommands: readonly CommandEntry[] = [
  act({
    verb: 'create',
    path: 'IPSec POLicy=',
    of: policyName,
    parameters: { ...policyParameters, INTerface: interfaceName, KEYmanagement: keyManagement },
    held: policyHeld,
    needs: ['interface', 'action'],
    section: 'IPSEC',
    kind: 'IPsec policy',
    apply: (draft, policy, args, report) => {
      if (draft.ipsec.policies.some(p => sameName(p.name, policy)))
        return report.error(`IPsec policy "${policy}" exists already`)
      const made = policyWith(
        {
          name: policy,
          interface: args.interface!,
          action: args.action!,
          keyManagement: args.keymanagement,
          bundle: undefined,
          isakmpPolicy: undefined,
          peer: undefined,
          position: args.position ?? nextPosition(draft.ipsec.policies, args.interface!),
          localPort: 'any',
          remotePort: 'any',
          transportProtocol: 'any',
          localAddress: undefined,
          remoteAddress: undefined,
          usePfsKey: false,
          group: undefined,
        },
        args,
        report,
      )
      if (made === undefined) return
      if (made.position > MAX_POSITION) return report.error(`at most ${MAX_POSITION} positions on an interface`)
      place(draft, made)
    },
  }),
  act({
    verb: 'set',
    path: 'IPSec POLicy=',
    of: policyName,
    parameters: policyParameters,
    held: policyHeld,
    section: 'IPSEC',
    kind: 'IPsec policy',
    apply: (draft, policy, args, report) => {
      const index = draft.ipsec.policies.findIndex(p => sameName(p.name, policy))
      if (index < 0) return report.missing('IPsec policy', policy)
      const made = policyWith(draft.ipsec.policies[index]!, args, report)
      if (made === undefined) return
      if (args.position === undefined || args.position === made.position) {
        draft.ipsec.policies[index] = made
      } else {
        draft.ipsec.policies.splice(index, 1)
        place(draft, { ...made, position: args.position })
      }
    },
  }),
  act({
    verb: 'destroy',
    path: 'IPSec POLicy=',
    of: policyName,
    section: 'IPSEC',
    kind: 'IPsec policy',
    apply: (draft, policy, _, report) => {
      if (!removeWhere(draft.ipsec.policies, p => sameName(p.name, policy))) report.missing('IPsec policy', policy)
    },
  }),
]

const moduleCommands: readonly CommandEntry[] = [
  ...[true, false].map(enabled =>
    act({
      verb: enabled ? 'enable' : 'disable',
      path: 'IPSec',
      section: 'IPSEC',
      apply: draft => {
        draft.ipsec.enabled = enabled
      },
    }),
  ),
  act({
    verb: 'purge',
    path: 'IPSec',
    section: 'IPSEC',
    apply: draft => {
      draft.ipsec = { enabled: false, saSpecifications: [], bundles: [], policies: [] }
    },
  }),
]

export const ipsecCommands: readonly CommandEntry[] = [
  ...specificationCommands,
  ...bundleCommands,
  ...policyCommands,
  ...moduleCommands,
]
