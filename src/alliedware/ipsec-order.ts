/** What is odd about the order of an interface's IPsec policies, of which the first that matches decides. */

import type { IpsecPolicy } from './config.ts'

const UDP = 17
const L2TP_PORT = 1701
/** IKE, and IKE and ESP behind NAT: without them no client connects. */
const IKE_PORTS = [500, 4500]

export interface OrderFault {
  /** The policy that it is told of. */
  readonly policy: string
  readonly text: string
}

export function ipsecOrder(policies: readonly IpsecPolicy[]): OrderFault[] {
  return [...new Set(policies.map(p => p.interface))].flatMap(name =>
    onInterface(policies.filter(p => p.interface === name)),
  )
}

function onInterface(list: readonly IpsecPolicy[]): OrderFault[] {
  const faults: OrderFault[] = []
  const protects = list.find(p => p.action === 'ipsec')
  if (protects === undefined) return []
  const before = list.slice(0, list.indexOf(protects)).find(p => takes(p, UDP, L2TP_PORT))
  if (before !== undefined) {
    faults.push({
      policy: before.name,
      text: `comes before "${protects.name}" and matches L2TP as well, so nothing is ever protected: move it behind`,
    })
  }
  for (const port of IKE_PORTS) {
    const first = list.find(p => takes(p, UDP, port))
    if (first?.action === 'permit') continue
    const why =
      first === undefined
        ? `no policy of ${protects.interface} lets UDP port ${port} pass`
        : `"${first.name}" has ACTION=${first.action.toUpperCase()} for UDP port ${port}`
    faults.push({
      policy: protects.name,
      text: `${why}, so no client can connect by it: put one with ACTION=PERMIT and LPORT=${port} first`,
    })
  }
  return faults
}

/** Whether a policy takes everything of a local UDP port, whoever sends it. */
function takes(p: IpsecPolicy, protocol: number, localPort: number): boolean {
  return (
    (p.transportProtocol === 'any' || p.transportProtocol === protocol) &&
    (p.localPort === 'any' || p.localPort === localPort) &&
    p.remotePort === 'any' &&
    p.localAddress === undefined &&
    p.remoteAddress === undefined &&
    p.icmpTypes === undefined &&
    p.localName === undefined &&
    p.remoteName === undefined
  )
}
