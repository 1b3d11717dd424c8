/** PPP control frames in words, for an operator who debugs; what CHAP carries is told by its length alone (RFC 1661, 1994). */

import { printable } from '../packet/bytes.ts'
import { formatIpv4, readIpv4 } from '../packet/ip.ts'
import { ChapCode, Code, IpcpOption, LcpOption, PppProtocol } from './constants.ts'
import { PppError } from './error.ts'
import { type ControlPacket, optionNumber, type PppOption, parseFrame, parseOptions, parsePacket } from './frame.ts'

export interface FrameInWords {
  /** Which of ENABLE PPP DEBUG's kinds it is. */
  readonly kind: 'lcp' | 'auth' | 'ncp'
  readonly lines: readonly string[]
}

export function describeFrame(bytes: Uint8Array): FrameInWords {
  try {
    const { protocol, payload } = parseFrame(bytes)
    const name = nameIn(PppProtocol, protocol, `protocol ${protocol.toString(16).padStart(4, '0')}`).toUpperCase()
    const kind = protocol === PppProtocol.Lcp ? 'lcp' : AUTHENTICATION.has(protocol) ? 'auth' : 'ncp'
    if (protocol === PppProtocol.Ipv4) return { kind, lines: [`${name} ${payload.length} bytes`] }
    const p = parsePacket(payload)
    if (kind === 'auth') return { kind, lines: [`${name} ${describeAuthentication(protocol, p)}`] }
    return { kind, lines: [`${name} ${nameIn(Code, p.code, `code ${p.code}`)} id ${p.id}`, ...details(protocol, p)] }
  } catch (e) {
    if (!(e instanceof PppError)) throw e
    return { kind: 'lcp', lines: [`malformed frame of ${bytes.length} bytes: ${e.message}`] }
  }
}

const AUTHENTICATION: ReadonlySet<number> = new Set([PppProtocol.Chap, PppProtocol.Pap, PppProtocol.Eap])

/** A challenge or response: whose, and how long; of PAP nothing, for its request holds the password as it is. */
function describeAuthentication(protocol: number, p: ControlPacket): string {
  if (protocol !== PppProtocol.Chap) return `code ${p.code} id ${p.id}, ${p.data.length} bytes`
  const code = nameIn(ChapCode, p.code, `code ${p.code}`)
  const values = p.code === ChapCode.Challenge || p.code === ChapCode.Response
  if (!values) return `${code} id ${p.id}, ${p.data.length} bytes`
  const length = p.data[0] ?? 0
  return `${code} id ${p.id}, value of ${length} bytes, name ${printable(p.data.subarray(1 + length))}`
}

function details(protocol: number, p: ControlPacket): string[] {
  if (p.code >= Code.ConfigureRequest && p.code <= Code.ConfigureReject)
    return parseOptions(p.data).map(o => describeOption(protocol, o))
  if (p.code === Code.ProtocolReject && protocol === PppProtocol.Lcp && p.data.length >= 2)
    return [`rejected ${nameIn(PppProtocol, (p.data[0]! << 8) | p.data[1]!, 'an unknown protocol')}`]
  if (p.code === Code.Identification && protocol === PppProtocol.Lcp) return [printable(p.data.subarray(4))]
  return []
}

const registries: Readonly<Record<number, Readonly<Record<string, number>>>> = {
  [PppProtocol.Lcp]: LcpOption,
  [PppProtocol.Ipcp]: IpcpOption,
}

function describeOption(protocol: number, o: PppOption): string {
  const name = nameIn(registries[protocol] ?? {}, o.type, `option ${o.type}`)
  if (o.data.length === 0) return name
  if (protocol === PppProtocol.Ipcp && o.data.length === 4) return `${name} ${formatIpv4(readIpv4(o.data))}`
  if (protocol === PppProtocol.Lcp && o.type === LcpOption.Authentication)
    return `${name} ${[...o.data].map(b => b.toString(16).padStart(2, '0')).join('')}`
  const value = optionNumber(o, 2) ?? optionNumber(o, 4)
  return `${name} ${value ?? `${o.data.length} bytes`}`
}

function nameIn(registry: Readonly<Record<string, number>>, number: number, otherwise: string): string {
  return Object.entries(registry).find(([, n]) => n === number)?.[0] ?? otherwise
}
