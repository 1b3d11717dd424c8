/** NAT definitions of a firewall policy: each holds between one private and one public interface. */

import { type Arguments, act, type CommandEntry } from '../grammar.ts'
import { addressRange, interfaceName, oneOf } from '../value.ts'
import { change, policyName, sameAddresses, without } from './firewall-policy.ts'

const natParameters = {
  NAT: oneOf('STandard', 'ENHanced', 'REVerse'),
  INTerface: interfaceName,
  IP: addressRange,
  GBLINterface: interfaceName,
  GBLIP: addressRange,
} as const
const natIdentity = (policy: string, args: Arguments<typeof natParameters>) =>
  `${policy} ${args.interface ?? ''} ${args.gblinterface ?? ''} ${args.ip ? args.ip.first : ''}`

export const natCommands: readonly CommandEntry[] = [
  act({
    verb: 'add',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: natParameters,
    needs: ['nat', 'interface', 'gblinterface'],
    selector: 'nat',
    section: 'FIREWALL',
    kind: 'firewall NAT',
    identity: natIdentity,
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const nat = {
          kind: args.nat!,
          interface: args.interface!,
          ip: args.ip,
          globalInterface: args.gblinterface!,
          globalIp: args.gblip,
        }
        const same = (other: typeof nat) =>
          other.interface === nat.interface &&
          other.globalInterface === nat.globalInterface &&
          sameAddresses(other.ip, nat.ip)
        if (p.nats.some(same)) {
          report.error(`NAT from ${nat.interface} to ${nat.globalInterface} exists already`)
          return undefined
        }
        return { ...p, nats: [...p.nats, nat] }
      }),
  }),
  act({
    verb: 'delete',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: natParameters,
    needs: ['nat', 'interface', 'gblinterface'],
    selector: 'nat',
    section: 'FIREWALL',
    kind: 'firewall NAT',
    identity: natIdentity,
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const nats = without(
          p.nats,
          n =>
            n.kind === args.nat &&
            n.interface === args.interface &&
            n.globalInterface === args.gblinterface &&
            (args.ip === undefined || sameAddresses(n.ip, args.ip)),
          () => report.missing('firewall NAT', natIdentity(policy, args)),
        )
        return nats && { ...p, nats }
      }),
  }),
]
