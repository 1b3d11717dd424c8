/** L2TP control messages in words, for an operator who debugs; what authenticates is told by its length alone (RFC 2661). */

import { printable, toHex } from '../packet/bytes.ts'
import { AvpType } from './constants.ts'
import { L2tpError } from './error.ts'
import { parseControl } from './header.ts'
import { describeResult, type Message, parseMessage } from './message.ts'
import { messageRules } from './rules.ts'

/** A line about the message, and one for each AVP that is understood. */
export function describeControl(bytes: Uint8Array): string[] {
  try {
    const p = parseControl(bytes)
    const place = `tunnel ${p.tunnelId} session ${p.sessionId} Ns ${p.ns} Nr ${p.nr}`
    if (p.body.length === 0) return [`acknowledgement, ${place}`]
    const m = parseMessage(p.body)
    if (m === undefined) return [`unknown message, ${place}`]
    const fault = m.fault ? [`fault: ${m.fault.message}`] : []
    return [
      `${messageRules[m.type].name}, ${place}`,
      ...fault,
      ...[...m.values].map(([type, v]) => describeAvp(m, type, v)),
    ]
  } catch (e) {
    if (!(e instanceof L2tpError)) throw e
    return [`malformed: ${e.message}`]
  }
}

const names: ReadonlyMap<number, string> = new Map(Object.entries(AvpType).map(([name, type]) => [type, name]))

/** Challenges and responses tell about a password; LCP's requests and what a LAC saw of a login may hold as much. */
const discreet: ReadonlySet<number> = new Set([
  AvpType.Challenge,
  AvpType.ChallengeResponse,
  AvpType.InitialLcpConfReq,
  AvpType.LastSentLcpConfReq,
  AvpType.LastReceivedLcpConfReq,
  AvpType.ProxyAuthenChallenge,
  AvpType.ProxyAuthenResponse,
  AvpType.RandomVector,
])
const texts: ReadonlySet<number> = new Set([
  AvpType.HostName,
  AvpType.VendorName,
  AvpType.CalledNumber,
  AvpType.CallingNumber,
  AvpType.SubAddress,
  AvpType.ProxyAuthenName,
  AvpType.PrivateGroupId,
])

function describeAvp(m: Message, type: number, value: Uint8Array): string {
  const name = names.get(type) ?? `AVP ${type}`
  if (type === AvpType.ResultCode) return `${name} ${describeResult(m)}`
  if (discreet.has(type)) return `${name} ${value.length} bytes`
  if (texts.has(type)) return `${name} ${printable(value)}`
  if (value.length === 0) return name
  return value.length <= 4
    ? `${name} ${value.reduce((n, b) => n * 256 + b, 0)}`
    : `${name} ${toHex(value.subarray(0, 32))}`
}
