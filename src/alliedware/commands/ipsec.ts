/** IPsec: the policies of each interface in their order, of which the first that matches decides. */

import { type Ipv4, maskPrefix } from '../../packet/ip.ts'
import type { IpsecPolicy } from '../config.ts'
import { merge, removeWhere, sameName } from '../draft.ts'
import { type Arguments, act, type CommandEntry, type Report } from '../grammar.ts'
import {
  address,
  addressRange,
  bool,
  either,
  interfaceName,
  keywordNumber,
  listOf,
  mask,
  name,
  naming,
  number,
  numberList,
  oneOf,
  type Range,
  text,
} from '../value.ts'
import { bundleCommands, keyManagement, specificationCommands, specificationId } from './ipsec-specification.ts'

const policyName = name(23)

/** The names of IP protocols that selectors take. */
export const transportProtocols = { EGp: 8, ESp: 50, GRe: 47, ICmp: 1, OSpf: 89, RSvp: 46, TCp: 6, UDp: 17 } as const

const MAX_POSITION = 100
const selectorPort = either(oneOf('ANy', 'OPaque'), number(0, 65535))
const selectorAddress = either(oneOf('ANy'), addressRange)

const policyParameters = {
  ACtion: oneOf('DEny', 'IPsec', 'PErmit'),
  BUNDlespecification: naming('bundle specification', specificationId),
  GROup: oneOf('0', '1', '2', '5', '14', '19', '20'),
  ICmptype: either(oneOf('ANy', 'NDALL'), numberList(0, 255)),
  LNAme: either(oneOf('ANy'), name(120)),
  RNAme: either(oneOf('ANy'), name(120)),
  ISAkmppolicy: naming('ISAKMP policy', name(24)),
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
  SASElectorfrompkt: listOf('ALL', 'LADdress', 'LPort', 'NONE', 'RADdress', 'RPort', 'TRAnsportprotocol'),
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
  if (args.icmptype === 'ndall') {
    report.error('ICMPTYPE=NDALL is of IPv6, which is not here')
    return undefined
  }
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
    icmpTypes: unlessAny(before.icmpTypes, args.icmptype),
    localName: unlessAny(before.localName, args.lname),
    remoteName: unlessAny(before.remoteName, args.rname),
  }
}

/** ANY takes a selector back. */
function unlessAny<T>(kept: T | undefined, given: T | 'any' | undefined): T | undefined {
  return given === undefined ? kept : given === 'any' ? undefined : (given as T)
}

/** The first position behind all of the interface, those kept free for commands that wait for placeholders included. */
export function nextPosition(policies: readonly IpsecPolicy[], on: string): number {
  return policies.reduce((next, p) => (p.interface === on ? Math.max(next, p.position + 1) : next), 1)
}

/** The policies with one put at its position: those there and behind move on, up to the next gap. */
function placed(others: readonly IpsecPolicy[], policy: IpsecPolicy, report: Report): IpsecPolicy[] | undefined {
  const moved = new Map<IpsecPolicy, IpsecPolicy>()
  for (let at = policy.position; ; at++) {
    if (at > MAX_POSITION) {
      report.error(`at most ${MAX_POSITION} positions on an interface`)
      return undefined
    }
    const there = others.find(p => p.interface === policy.interface && p.position === at)
    if (there === undefined) break
    moved.set(there, { ...there, position: at + 1 })
  }
  return [...others.map(p => moved.get(p) ?? p), policy].sort((a, b) =>
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
          icmpTypes: undefined,
          localName: undefined,
          remoteName: undefined,
          usePfsKey: false,
          group: undefined,
        },
        args,
        report,
      )
      draft.ipsec.policies = (made && placed(draft.ipsec.policies, made, report)) ?? draft.ipsec.policies
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
      const others = draft.ipsec.policies.filter((_, i) => i !== index)
      const moved = { ...made, position: args.position ?? made.position }
      draft.ipsec.policies = placed(others, moved, report) ?? draft.ipsec.policies
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
