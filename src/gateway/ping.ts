/** PING: the host's own, bounded in number and time. */

import type { Command } from '../alliedware/parse.ts'
import { formatIpv4, parseIpv4 } from '../packet/ip.ts'
import type { AdminAnswer } from './admin.ts'
import { type RunResult, run } from './run.ts'

export type Runner = (program: string, args: readonly string[]) => Promise<RunResult>

const USUAL = { number: 5, timeout: 1, length: 24 }
const BOUNDS: Readonly<Record<string, readonly [min: number, max: number]>> = {
  number: [1, 100],
  timeout: [1, 60],
  length: [0, 1472],
}
/** Whatever was asked for. */
const LONGEST_SECONDS = 60
const MOST_AT_ONCE = 4
let running = 0

const refusal = (text: string): AdminAnswer => ({ exit: 1, text: `Error: ${text}` })

export async function ping(command: Command, runner: Runner = run): Promise<AdminAnswer> {
  const settings: Record<string, number> = { ...USUAL }
  let target: string | undefined
  for (const { name, text } of command.parameters) {
    if (text === undefined || 'ipaddress'.startsWith(name)) target = text ?? name
    else {
      const [setting] = Object.keys(BOUNDS).filter(key => name.length > 1 && key.startsWith(name))
      if (setting === undefined) return refusal(`"${name}" is not a parameter; expected NUMBER, TIMEOUT, LENGTH`)
      const [min, max] = BOUNDS[setting]!
      const value = /^\d{1,5}$/.test(text) ? Number(text) : -1
      if (value < min || value > max)
        return refusal(`${setting.toUpperCase()}: expected a number from ${min} to ${max}`)
      settings[setting] = value
    }
  }
  const address = parseIpv4(target ?? '')
  if (address === undefined) return refusal('expected an IP address: PING 192.168.8.2')
  if (running >= MOST_AT_ONCE) return refusal('enough pings are under way: try again in a moment')
  running++
  try {
    const { status, output } = await runner('ping', arguments_(settings, formatIpv4(address)))
    if (status === 127) return refusal('this host has no ping program')
    return { exit: status === 0 ? 0 : 1, text: output }
  } finally {
    running--
  }
}

function arguments_(s: Readonly<Record<string, number>>, address: string): string[] {
  const deadline = Math.min(LONGEST_SECONDS, s['number']! + s['timeout']!)
  return ['-n', '-c', `${s['number']}`, '-W', `${s['timeout']}`, '-s', `${s['length']}`, '-w', `${deadline}`, address]
}
