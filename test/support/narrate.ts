/** L2TP and PPP packets in words, one line each, for a timeline. */

import { parseControl } from '../../src/l2tp/header.ts'
import { describeResult, parseMessage } from '../../src/l2tp/message.ts'

const l2tpNames: Readonly<Record<number, string>> = {
  1: 'SCCRQ: opens a tunnel',
  2: 'SCCRP: the tunnel is granted',
  3: 'SCCCN: the tunnel is up',
  4: 'StopCCN: ends the tunnel',
  6: 'Hello',
  10: 'ICRQ: places a call',
  11: 'ICRP: the call is taken',
  12: 'ICCN: the call is up',
  14: 'CDN: ends the call',
}

/** Undefined for an acknowledgement without a message, which tells nothing. */
export function describeL2tp(bytes: Uint8Array): string | undefined {
  const control = parseControl(bytes)
  if (control.body.length === 0) return undefined
  const message = parseMessage(control.body)
  if (!message) return 'L2TP: a message of an unknown kind'
  const result = describeResult(message)
  return `L2TP ${l2tpNames[message.type] ?? `message ${message.type}`}${result ? ` (${result})` : ''}`
}

const protocols: Readonly<Record<number, string>> = {
  49185: 'LCP',
  49699: 'CHAP',
  32801: 'IPCP',
  32855: 'IPV6CP',
  33021: 'CCP',
}
const codes = [
  '',
  'Configure-Request',
  'Configure-Ack',
  'Configure-Nak',
  'Configure-Reject',
  'Terminate-Request',
  'Terminate-Ack',
  'Code-Reject',
  'Protocol-Reject',
  'Echo-Request',
  'Echo-Reply',
  'Discard-Request',
  'Identification',
]
const chapCodes = ['', 'Challenge', 'Response', 'Success', 'Failure']
const lcpOptions: Readonly<Record<number, string>> = {
  1: 'MRU',
  2: 'ACCM',
  3: 'Authentication',
  5: 'Magic-Number',
  7: 'PFC',
  8: 'ACFC',
  13: 'Callback',
}
const ipcpOptions: Readonly<Record<number, string>> = {
  2: 'IP-Compression',
  3: 'address',
  129: 'DNS',
  130: 'WINS',
  131: 'DNS 2',
  132: 'WINS 2',
}

/** A control frame of PPP, from FF 03 or the protocol on. */
export function describePpp(frame: Uint8Array): string {
  let at = frame[0] === 0xff && frame[1] === 0x03 ? 2 : 0
  let protocol = frame[at++] ?? 0
  if ((protocol & 1) === 0) protocol = protocol * 256 + (frame[at++] ?? 0)
  const code = frame[at] ?? 0
  const length = ((frame[at + 2] ?? 0) << 8) | (frame[at + 3] ?? 0)
  const data = frame.subarray(at + 4, at + length)
  const name = protocols[protocol] ?? `protocol ${protocol.toString(16)}`
  const verb = (name === 'CHAP' ? chapCodes : codes)[code] ?? `code ${code}`
  const detail = describeData(name, code, data)
  return `PPP ${name} ${verb}${detail ? `: ${detail}` : ''}`
}

function describeData(name: string, code: number, data: Uint8Array): string {
  if (name === 'CHAP') {
    if (code >= 3) return text(data)
    return text(data.subarray(1 + (data[0] ?? 0)))
  }
  if (code >= 1 && code <= 4) return describeOptions(name, data)
  if (code === 8) return protocols[((data[0] ?? 0) << 8) | (data[1] ?? 0)] ?? 'an unknown protocol'
  return code === 12 ? text(data.subarray(4)) : ''
}

function describeOptions(name: string, data: Uint8Array): string {
  const words: string[] = []
  for (let at = 0; at + 2 <= data.length && data[at + 1]! >= 2; at += data[at + 1]!) {
    const type = data[at]!
    const value = data.subarray(at + 2, at + data[at + 1]!)
    if (name === 'IPCP' && type !== 2 && value.length === 4) {
      words.push(`${ipcpOptions[type] ?? `option ${type}`} ${value.join('.')}`)
    } else if (name === 'LCP') {
      words.push(lcpText(type, value))
    } else if (name === 'CCP' && type === 18) words.push('MPPC')
    else words.push(ipcpOptions[type] ?? `option ${type}`)
  }
  return words.join(', ')
}

function lcpText(type: number, value: Uint8Array): string {
  const number = value.reduce((sum, byte) => sum * 256 + byte, 0)
  if (type === 1) return `MRU ${number}`
  if (type === 3) return number === 0xc22305 ? 'CHAP with MD5' : number === 0xc22381 ? 'MS-CHAPv2' : 'Authentication'
  return lcpOptions[type] ?? `option ${type}`
}

function text(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes).replace(/[^\x20-\x7e]/g, '.')
}
