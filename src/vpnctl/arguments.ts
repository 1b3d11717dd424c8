/** What vpnctl is called with. */

export const DEFAULT_SOCKET = '/run/floatgate/ctl.sock'

export const USAGE = `usage: vpnctl [--socket PATH] [--json] [COMMAND...]

Without a command on a terminal: the router's prompt ("?" lists what may follow, Tab completes, LOGOFF leaves).
Without a command and with standard input from elsewhere: a script.
With a command: that one, for example:

  vpnctl show session                 who is connected, with everything known of each
  vpnctl show attempt                 every connection attempt; why it failed and what to change
  vpnctl show isakmp sa               phase 1        vpnctl show isakmp exchange
  vpnctl show ipsec sa                phase 2        vpnctl show ipsec policy[=NAME count]
  vpnctl show l2tp tunnel             vpnctl show ppp          vpnctl show ip pool
  vpnctl show user                    vpnctl show log          vpnctl show counter
  vpnctl create enco key=1 type=general value=SECRET
  vpnctl add user=NAME password=SECRET login=no [ip=ADDRESS]
  vpnctl reset session=ID             vpnctl reset user=NAME
  vpnctl enable isakmp debug=state    what goes on, until Ctrl-C       vpnctl disable isakmp debug=all
  vpnctl capture user=NAME file=NAME  that user's packets, for Wireshark
  vpnctl reload [check]               the script anew, or only what that would change
  vpnctl create config=vpn.cfg        vpnctl set config=vpn.cfg
  vpnctl help [VERB [OBJECT]]         the commands and their parameters

  --socket PATH   the gateway's control socket (${DEFAULT_SOCKET})
  --json          SHOW commands answer as JSON

Exit status: 0 done; 1 refused or failed; 2 not understood; 3 the gateway is not there. Of a script: the worst of its lines.
`

export type Arguments =
  | { readonly fault: string }
  | {
      readonly socket: string
      readonly json: boolean
      readonly help: boolean
      /** Undefined for the prompt, or a script. */
      readonly command: string | undefined
    }

/** As the forced command of an SSH server (`ForceCommand vpnctl`), what the client asked for is the command. */
export function parseArguments(args: readonly string[], environment: NodeJS.ProcessEnv): Arguments {
  let socket = DEFAULT_SOCKET
  let json = false
  let help = false
  const words: string[] = []
  for (let i = 0; i < args.length; i++) {
    const a = args[i]!
    if (words.length > 0) {
      if (a === '--json' && i === args.length - 1) json = true
      else words.push(quoted(a))
    } else if (a === '--json') json = true
    else if (a === '--socket') {
      const path = args[++i]
      if (path === undefined) return { fault: '--socket needs a path' }
      socket = path
    } else if (a.startsWith('--socket=')) socket = a.slice('--socket='.length)
    else if (a === '--help' || a === '-h') help = true
    else if (a.startsWith('--')) return { fault: `unknown option ${a}` }
    // No verb has white space: what does is a whole command in quotes of the shell.
    else words.push(a)
  }
  const forced = environment['SSH_ORIGINAL_COMMAND']
  if (words.length > 0 || !forced)
    return { socket, json, help, command: words.length > 0 ? words.join(' ') : undefined }
  const command = forced.trim().replace(/^--json\s+|\s+--json$/, '')
  return { socket, json: json || command !== forced.trim(), help, command }
}

/** The shell took the quotes away: a value with white space gets them back. */
function quoted(word: string): string {
  if (!/\s/.test(word) || word.includes('"')) return word
  const equals = word.indexOf('=')
  return equals < 0 ? word : `${word.slice(0, equals + 1)}"${word.slice(equals + 1)}"`
}
