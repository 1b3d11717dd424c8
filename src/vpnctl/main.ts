/** vpnctl: the router's prompt of the running gateway, one command for it, or a script on standard input. */

import { parseArguments, USAGE } from './arguments.ts'
import { follow, type Outcome } from './ask.ts'
import { runScript } from './script.ts'
import { runTerminal } from './terminal.ts'

function print({ exit, text }: Outcome): void {
  const out = exit === 0 ? process.stdout : process.stderr
  if (text !== '') out.write(text.endsWith('\n') ? text : `${text}\n`)
}

async function main(): Promise<number> {
  const o = parseArguments(process.argv.slice(2), process.env)
  if ('fault' in o) {
    process.stderr.write(`vpnctl: ${o.fault}\n`)
    return 2
  }
  if (o.help) {
    process.stdout.write(USAGE)
    return 0
  }
  if (o.command !== undefined) {
    return await follow(o.socket, o.command, o.json, text => process.stdout.write(`${text}\n`), print)
  }
  if (process.stdin.isTTY && process.stdout.isTTY) return runTerminal(o.socket, process.stdin, process.stdout)
  return runScript(o.socket, o.json, process.stdin, print)
}

// A reader that went away (`vpnctl show log | head`) is no fault.
process.stdout.on('error', () => process.exit(0))
process.exitCode = await main()
