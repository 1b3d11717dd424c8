/** vpnctl: sends one router command to the running gateway and prints the answer. */

import { createConnection } from 'node:net'
import type { AdminAnswer, AdminRequest } from '../gateway/admin.ts'

const DEFAULT_SOCKET = '/run/floatgate/ctl.sock'

const USAGE = `usage: vpnctl [--socket PATH] [--json] COMMAND...

Sends a command of the router's language to the running gateway, for example:

  vpnctl show session                 who is connected, with everything known of each
  vpnctl show attempt                 every connection attempt; why it failed and what to change
  vpnctl show isakmp sa               phase 1        vpnctl show isakmp exchange
  vpnctl show ipsec sa                phase 2        vpnctl show ipsec policy[=NAME count]
  vpnctl show l2tp tunnel             vpnctl show ppp          vpnctl show ip pool
  vpnctl show user                    vpnctl show log          vpnctl show counter
  vpnctl create enco key=1 type=general value=SECRET
  vpnctl add user=NAME password=SECRET login=no [ip=ADDRESS]
  vpnctl reset session=ID             vpnctl reset user=NAME

  --socket PATH   the gateway's control socket (${DEFAULT_SOCKET})
  --json          SHOW commands answer as JSON

Exit status: 0 done; 1 refused or failed; 2 not understood; 3 the gateway is not there.
`

function main(): void {
  const args = process.argv.slice(2)
  let socket = DEFAULT_SOCKET
  let json = false
  const words: string[] = []
  for (let i = 0; i < args.length; i++) {
    const a = args[i]!
    if (words.length === 0 && a === '--json') json = true
    else if (words.length === 0 && a === '--socket') {
      const path = args[++i]
      if (path === undefined) return fail(2, 'vpnctl: --socket needs a path')
      socket = path
    } else if (words.length === 0 && a.startsWith('--socket=')) socket = a.slice('--socket='.length)
    else if (words.length === 0 && (a === '--help' || a === '-h')) {
      process.stdout.write(USAGE)
      return
    } else if (words.length === 0 && a.startsWith('--')) return fail(2, `vpnctl: unknown option ${a}`)
    else if (a === '--json' && i === args.length - 1) json = true
    else words.push(quoted(a))
  }
  if (words.length === 0) {
    process.stderr.write(USAGE)
    process.exitCode = 2
    return
  }
  ask(socket, { command: words.join(' '), json })
}

/** The shell took the quotes away: a value with white space gets them back. */
function quoted(word: string): string {
  if (!/\s/.test(word) || word.includes('"')) return word
  const equals = word.indexOf('=')
  return equals < 0 ? word : `${word.slice(0, equals + 1)}"${word.slice(equals + 1)}"`
}

function ask(path: string, request: AdminRequest): void {
  const socket = createConnection(path)
  let answer = ''
  socket.on('error', (e: NodeJS.ErrnoException) => {
    if (e.code === 'EACCES')
      return fail(3, `vpnctl: not allowed to use ${path}: run as root or as a member of its group`)
    const why = e.code === 'ENOENT' || e.code === 'ECONNREFUSED' ? 'the gateway is not running' : e.message
    return fail(3, `vpnctl: ${path}: ${why} (start it with floatgated, or name its socket with --socket)`)
  })
  socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`))
  socket.setEncoding('utf8')
  socket.on('data', (data: string) => {
    answer += data
  })
  socket.on('end', () => print(answer, request.json))
}

function print(line: string, json: boolean): void {
  let answer: AdminAnswer
  try {
    answer = JSON.parse(line) as AdminAnswer
  } catch {
    return fail(3, 'vpnctl: the gateway hung up without an answer')
  }
  const text = json && answer.data !== undefined ? JSON.stringify(answer.data, null, 2) : answer.text
  const out = answer.exit === 0 ? process.stdout : process.stderr
  if (text !== '') out.write(text.endsWith('\n') ? text : `${text}\n`)
  process.exitCode = answer.exit
}

function fail(status: number, text: string): void {
  process.stderr.write(`${text}\n`)
  process.exitCode = status
}

main()
