/** A visit in the words of the protocols, to be compared with what an independent reader found in a capture. */

import { Exchange } from '../../src/ike/constants.ts'
import { MessageType } from '../../src/l2tp/constants.ts'
import { formatIpv4 } from '../../src/packet/ip.ts'
import { ChapCode, Code, PppProtocol } from '../../src/ppp/constants.ts'
import type { Dissection } from '../support/tshark.ts'
import type { Transcript } from './transcript.ts'

/** What a packet is, with its direction: > goes to the gateway. */
export function step(packet: Dissection, between: Transcript): string {
  const arrow = { [formatIpv4(between.client)]: '>', [formatIpv4(between.gateway)]: '<' }[packet.source]
  return `${arrow} ${words(packet)}`
}

function words({ exchange, l2tpMessage, pppProtocol, pppCode, protocols }: Dissection): string {
  if (exchange !== undefined) return `IKE ${nameOf(Exchange, exchange)}`
  if (l2tpMessage !== undefined) return `L2TP ${nameOf(MessageType, l2tpMessage)}`
  if (pppProtocol === undefined) return protocols.at(-1) === 'l2tp' ? 'L2TP acknowledgement' : protocols.join(':')
  if (pppProtocol === PppProtocol.Ipv4) return `PPP ${protocols.includes('icmp') ? 'ping' : 'IPv4'}`
  const codes = pppProtocol === PppProtocol.Chap ? ChapCode : Code
  return `PPP ${nameOf(PppProtocol, pppProtocol)} ${nameOf(codes, pppCode)}`
}

function nameOf(registry: Readonly<Record<string, number>>, number: number | undefined): string {
  return Object.entries(registry).find(([, n]) => n === number)?.[0] ?? `number ${number}`
}

/** Connecting, a ping from either end, and hanging up, as a client's generation goes about it. */
export function visit(client: { readonly identifications: number; readonly ipv6: boolean }): string[] {
  const { identifications, ipv6 } = client
  return [
    ...Array.from({ length: 3 }, () => ['> IKE Main', '< IKE Main']).flat(),
    ...['> IKE Quick', '< IKE Quick', '> IKE Quick'],

    ...['> L2TP Sccrq', '< L2TP Sccrp', '> L2TP Scccn'],
    ...['> L2TP Icrq', '< L2TP acknowledgement', '< L2TP Icrp', '> L2TP Iccn'],

    ...['> PPP Lcp ConfigureRequest', '< PPP Lcp ConfigureRequest', '< L2TP acknowledgement'],
    // Callback is what the gateway does not know.
    ...['< PPP Lcp ConfigureReject', '> PPP Lcp ConfigureAck', '> PPP Lcp ConfigureRequest'],
    ...['< PPP Lcp ConfigureAck', '< PPP Chap Challenge'],
    ...Array.from({ length: identifications }, () => '> PPP Lcp Identification'),
    ...['> PPP Chap Response', '< PPP Chap Success'],

    '< PPP Ipcp ConfigureRequest',
    ...(ipv6 ? ['> PPP Ipv6cp ConfigureRequest'] : []),
    ...['> PPP Ccp ConfigureRequest', '> PPP Ipcp ConfigureRequest', '> PPP Ipcp ConfigureAck'],
    ...Array.from({ length: ipv6 ? 2 : 1 }, () => '< PPP Lcp ProtocolReject'),
    // No name server of WINS; then the addresses that it is to have.
    ...['< PPP Ipcp ConfigureReject', '> PPP Ipcp ConfigureRequest'],
    ...['< PPP Ipcp ConfigureNak', '> PPP Ipcp ConfigureRequest', '< PPP Ipcp ConfigureAck'],

    ...['> PPP ping', '< PPP ping', '< PPP ping', '> PPP ping'],

    ...['> PPP Lcp TerminateRequest', '< PPP Lcp TerminateAck'],
    // Both ends take the call and the tunnel down at once; what comes last crosses the Deletes.
    ...['< L2TP Cdn', '< L2TP StopCcn', '> L2TP Cdn', '> L2TP StopCcn'],
    ...['> L2TP acknowledgement', '> L2TP acknowledgement'],
    ...['> IKE Informational', '> IKE Informational'],
    ...['< L2TP acknowledgement', '< L2TP acknowledgement'],
  ]
}
