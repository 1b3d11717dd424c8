/** Where log messages go: the buffer in memory and syslog servers, each with its filters. */

import type { Ipv4 } from '../packet/ip.ts'

export interface LogFilter {
  readonly id: number
  readonly action: 'process' | 'ignore'
  /** The router's scale, both included: 7 is worst. */
  readonly severity: { readonly first: number; readonly last: number } | undefined
  /** In lower case, as the next three. */
  readonly module: string | undefined
  readonly type: string | undefined
  readonly subtype: string | undefined
  /** A piece of the message. */
  readonly text: string | undefined
}

export type LogDestination = 'memory' | 'syslog' | 'nvs' | 'email' | 'router' | 'port' | 'asyn'

export interface LogOutput {
  readonly id: 'temporary' | 'permanent' | number
  readonly destination: LogDestination
  readonly enabled: boolean
  readonly server: Ipv4 | undefined
  readonly port: number
  /** How many messages are kept; undefined: as many as usual. */
  readonly messages: number | undefined
  readonly facility: 'default' | `local${1 | 2 | 3 | 4 | 5 | 6 | 7}`
  /** RFC 3164, or RFC 5424. */
  readonly format: 'normal' | 'extended'
  /** The first that matches decides; what none matches is not taken. Without any: what is INFO (3) or worse. */
  readonly filters: readonly LogFilter[]
}

export interface LogConfig {
  readonly enabled: boolean
  readonly outputs: readonly LogOutput[]
}

export const outputDefaults: Omit<LogOutput, 'id' | 'destination'> = {
  enabled: true,
  server: undefined,
  port: 514,
  messages: undefined,
  facility: 'default',
  format: 'normal',
  filters: [],
}

/** The buffer that SHOW LOG reads is always there. */
export const logDefaults: LogConfig = {
  enabled: true,
  outputs: [{ ...outputDefaults, id: 'temporary', destination: 'memory' }],
}

export interface LogMessage {
  readonly severity: number
  readonly module: string
  readonly type: string
  readonly subtype: string
  readonly text: string
}

/** Whether the output takes the message; `least` is the severity from which on it does without filters. */
export function takes(o: LogOutput, m: LogMessage, least: number): boolean {
  if (!o.enabled) return false
  if (o.filters.length === 0) return m.severity >= least
  return o.filters.find(f => matches(f, m))?.action === 'process'
}

function matches(f: LogFilter, m: LogMessage): boolean {
  const same = (wanted: string | undefined, is: string) => wanted === undefined || wanted === is.toLowerCase()
  return (
    (f.severity === undefined || (m.severity >= f.severity.first && m.severity <= f.severity.last)) &&
    same(f.module, m.module) &&
    same(f.type, m.type) &&
    same(f.subtype, m.subtype) &&
    (f.text === undefined || m.text.toLowerCase().includes(f.text))
  )
}
