/** PING: the host's own, bounded in number and time. */

import type { Command } from '../alliedware/parse.ts'
import { formatIpv4, parseIpv4 } from '../packet/ip.ts'
import type { AdminAnswer } from './caller.ts'
import { type RunResult, run } from './run.ts'

export type Runner = (program: string, args: readonly string[]) => Promise<RunResult>

const USUAL = { number: 5, timeout: 1, length: 24 }
/** Whatever was asked for. */
const LONGEST_SECONDS = 60
const MOST_AT_ONCE = 4
let running = 0

const refusal = (text: string): AdminAnswer => ({ exit: 1, text: `Error: ${text}` })

export async function ping(command: Command, runner: Runner = run): Promise<AdminAnswer> {
  const { args, words, parameters } = command
  const settings = { ...USUAL }
  for (const name of Object.keys(USUAL) as (keyof typeof USUAL)[]) {
    const given = args[name]
    if (typeof given === 'number') settings[name] = given
  }
  const known = ['ipaddress', ...Object.keys(USUAL)]
  const unknown = parameters.find(p => p.text !== undefined && !known.includes(p.name))
  if (unknown !== undefined || words.length > 1)
    return refusal(`"${unknown?.name ?? words[1]}" is not a parameter; expected NUMBER, TIMEOUT, LENGTH`)
  const address = typeof args['ipaddress'] === 'number' ? args['ipaddress'] : parseIpv4(words[0] ?? '')
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

function arguments_(s: typeof USUAL, address: string): string[] {
  const deadline = Math.min(LONGEST_SECONDS, s.number + s.timeout)
  return ['-n', '-c', `${s.number}`, '-W', `${s.timeout}`, '-s', `${s.length}`, '-w', `${deadline}`, address]
}
