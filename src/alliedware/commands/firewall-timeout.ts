/** How long a firewall policy remembers what is idle: by protocol, and UDP by ports of the public side. */

import { insertBy, merge } from '../draft.ts'
import { type Arguments, act, type CommandEntry } from '../grammar.ts'
import { either, number, oneOf } from '../value.ts'
import { change, inPolicy, policyName, without } from './firewall-policy.ts'

const minutes = number(0, 43200)

/** Given in minutes; 0 stands for half of one. */
function seconds(given: number | undefined): number | undefined {
  return given === undefined ? undefined : given * 60 || 30
}

const portParameters = { UDPPorttimeout: number(1, 65535), TIMEOut: either(oneOf('DEFault'), minutes) } as const

function portSeconds({ timeout }: Arguments<typeof portParameters>): number | undefined {
  return timeout === 'default' ? undefined : seconds(timeout)
}

const portEntry = {
  path: 'FIREwall POLIcy=',
  of: policyName,
  selector: 'udpporttimeout',
  section: 'FIREWALL',
  kind: 'firewall UDP port timeout',
  identity: (policy: string, args: { readonly udpporttimeout?: number }) => inPolicy(policy, args.udpporttimeout),
} as const

export const timeoutCommands: readonly CommandEntry[] = [
  act({
    ...portEntry,
    verb: 'add',
    parameters: portParameters,
    needs: ['udpporttimeout'],
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const port = args.udpporttimeout!
        if (p.udpPortTimeouts.some(u => u.port === port)) {
          report.error(`UDP port ${port} has a timeout already`)
          return undefined
        }
        const udpPortTimeouts = [...p.udpPortTimeouts]
        insertBy(udpPortTimeouts, { port, seconds: portSeconds(args) }, u => u.port)
        return { ...p, udpPortTimeouts }
      }),
  }),
  act({
    ...portEntry,
    verb: 'set',
    parameters: portParameters,
    needs: ['udpporttimeout', 'timeout'],
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const port = args.udpporttimeout!
        if (!p.udpPortTimeouts.some(u => u.port === port)) {
          report.missing('firewall UDP port timeout', inPolicy(policy, port))
          return undefined
        }
        const changed = { port, seconds: portSeconds(args) }
        return { ...p, udpPortTimeouts: p.udpPortTimeouts.map(u => (u.port === port ? changed : u)) }
      }),
  }),
  act({
    ...portEntry,
    verb: 'delete',
    parameters: { UDPPorttimeout: number(1, 65535) },
    needs: ['udpporttimeout'],
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const udpPortTimeouts = without(
          p.udpPortTimeouts,
          u => u.port === args.udpporttimeout,
          () => report.missing('firewall UDP port timeout', inPolicy(policy, args.udpporttimeout)),
        )
        return udpPortTimeouts && { ...p, udpPortTimeouts }
      }),
  }),
  act({
    verb: 'set',
    path: 'FIREwall POLIcy=',
    of: policyName,
    parameters: {
      TCPtimeout: minutes,
      UDPTimeout: minutes,
      ICMPTimeout: minutes,
      OTHertimeout: minutes,
      ESPtimeout: minutes,
      FTPdataport: oneOf('RFc', 'ANy', 'NOne'),
    },
    section: 'FIREWALL',
    kind: 'firewall policy',
    apply: (draft, policy, args, report) =>
      change(draft, policy, report, p => {
        const { ftpdataport } = args
        const changed = merge(p, {
          tcpTimeoutSeconds: seconds(args.tcptimeout),
          udpTimeoutSeconds: seconds(args.udptimeout),
          icmpTimeoutSeconds: seconds(args.icmptimeout),
          otherTimeoutSeconds: seconds(args.othertimeout),
          espTimeoutSeconds: seconds(args.esptimeout),
        })
        return ftpdataport === undefined
          ? changed
          : { ...changed, ftpDataPort: ftpdataport === 'none' ? undefined : ftpdataport }
      }),
  }),
]
