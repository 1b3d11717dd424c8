/** The words of a written script: one command with its parameters, and how values look in it. */

import type { Secret } from '../packet/bytes.ts'
import { formatIpv4, type Ipv4 } from '../packet/ip.ts'
import { transportProtocols } from './commands/ipsec.ts'
import { formatRange } from './value.ts'

export type Value = string | number | boolean | undefined

/** A command with those parameters that have a value; texts must be quoted already where they need it. */
export function line(head: string, parameters: Readonly<Record<string, Value>>): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined)
  return [head, ...given.map(([name, value]) => `${name}=${typeof value === 'boolean' ? onOff(value) : value}`)].join(
    ' ',
  )
}

/** The same, but no line at all where no parameter has a value. */
export function lineIfAny(head: string, parameters: Readonly<Record<string, Value>>): string[] {
  return Object.values(parameters).some(value => value !== undefined) ? [line(head, parameters)] : []
}

/** In quotes, as the router writes names. */
export function always(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}

export const when = (condition: boolean, command: string) => (condition ? [command] : [])
export const unless = <T>(value: T, usual: T): T | undefined => (value === usual ? undefined : value)
export const ip = (address: Ipv4 | undefined) => (address === undefined ? undefined : formatIpv4(address))
export const range = (r: { first: Ipv4; last: Ipv4 } | undefined) => r && formatRange(r)
const onOff = (value: boolean) => (value ? 'on' : 'off')
export const quoted = (text: string | undefined) => (text === undefined ? undefined : always(text))

/** A password as it is: CHAP (RFC 1994) needs it. */
export function plain(secret: Secret): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(secret.reveal())
}

/** An IP protocol by its name where it has one. */
export function protocol(value: string | number | undefined): string | number | undefined {
  const named = Object.entries(transportProtocols).find(([name, number]) => number === value && name !== 'RSvp')
  return named ? named[0].toLowerCase() : value
}
