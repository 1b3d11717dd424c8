/** One command of one operator: may they, the commands about operators themselves, and the answer in the router's frame. */

import { applyCommand, expandAlias } from '../alliedware/apply.ts'
import { help, objectOf } from '../alliedware/help.ts'
import type { HelpFile } from '../alliedware/help-file.ts'
import { frameMessages, messageNumbers } from '../alliedware/message.ts'
import { type Command, maskAlias, parseCommand } from '../alliedware/parse.ts'
import { covers, privilegeFor } from '../alliedware/privilege.ts'
import { printAliases, printLogins, printOperators, printSsh, printSshUsers } from '../alliedware/show/access.ts'
import { printTcp } from '../alliedware/show/ip.ts'
import { formatIpv4 } from '../packet/ip.ts'
import type { AdminAnswer } from './caller.ts'
import type { CommandWorld } from './command-world.ts'
import { carryOut } from './commands.ts'
import { createKey, type EncoWorld, showRsaKey } from './enco-commands.ts'
import { Severity } from './log.ts'
import { type Access, someoneGoverns } from './login.ts'
import type { Operator } from './operator.ts'
import { ScriptRunner } from './script-runner.ts'
import { absent, answer } from './show-answer.ts'

export interface OperatorWorld extends CommandWorld, EncoWorld {
  readonly access: Access
  /** Those who have a prompt now. */
  readonly operators: () => readonly Operator[]
  /** Where the SSH server listens, or why it does not. */
  readonly sshState: () => string
}

const DONE = 'Operation successful.'

/** The command as the table reads it, aliases expanded; undefined where it cannot. */
export function understood(w: Pick<OperatorWorld, 'control'>, text: string): Command | undefined {
  const parsed = parseCommand(expandAlias(w.control.configuration, text))
  return parsed.kind === 'command' ? parsed.command : undefined
}

/**
 * Carries out one command for the operator, who must have confirmed it where SECUREDELAY asks for that. `own`: it changes the
 * operator's own password, which anybody may.
 */
export async function perform(w: OperatorWorld, operator: Operator, text: string, own = false): Promise<AdminAnswer> {
  const command = understood(w, text)
  const object = objectOf(expandAlias(w.control.configuration, text))
  try {
    const answer = (await answerFor(w, operator, command, text, own)) ?? (await carryOut(w, text, operator.caller))
    const number = answer.exit === 2 ? messageNumbers.notUnderstood : messageNumbers.refused
    return framed(answer, object, /^Error: unknown command/.test(answer.text) ? messageNumbers.unknownCommand : number)
  } catch (e) {
    const what = e instanceof Error ? e.message : String(e)
    w.log.add({ severity: Severity.Urgent, module: 'SYS', text: `A command failed: ${what}` })
    return framed({ exit: 1, text: `Error: internal error: ${what}` }, object, messageNumbers.internal)
  }
}

/** The answer of this file, or undefined where the command is the gateway's. */
async function answerFor(
  w: OperatorWorld,
  operator: Operator,
  command: Command | undefined,
  text: string,
  ownAccount: boolean,
): Promise<AdminAnswer | undefined> {
  const { privilege } = operator
  if (privilege === undefined) return notLoggedIn()
  if (command === undefined) return undefined
  const needed = ownAccount ? 'user' : privilegeFor(command, w.access.mode.securityMode)
  if (!covers(privilege, needed)) {
    const who = needed === 'securityofficer' ? 'a security officer' : 'a manager'
    return framed(refusal(`only ${who} may do this: LOGIN as one`), command.object[0], messageNumbers.privilege)
  }
  if (command.placeholders.length > 0) return undefined
  if (command.verb !== 'show' && locksOut(w, operator, command, text)) {
    return refusal('nobody who can log in could undo this: add another account first')
  }
  return await own(w, operator, command)
}

function notLoggedIn(): AdminAnswer {
  return framed(refusal('log in first: run vpnctl without a command, or as root'), undefined, messageNumbers.privilege)
}

function framed(answer: AdminAnswer, object: string | undefined, number: number): AdminAnswer {
  return { ...answer, text: frameMessages(answer.text, object, number) }
}

function refusal(text: string): AdminAnswer {
  return { exit: 1, text: `Error: ${text}` }
}

/** Root on the host can mend everything; others must not take away the last account like theirs. */
function locksOut(w: OperatorWorld, operator: Operator, command: Command, text: string): boolean {
  if (operator.isTrusted || command.object[0] !== 'user') return false
  const { securityMode } = w.access.mode
  const before = w.control.configuration
  return someoneGoverns(before, securityMode) && !someoneGoverns(applyCommand(before, text).configuration, securityMode)
}

async function own(w: OperatorWorld, operator: Operator, command: Command): Promise<AdminAnswer | undefined> {
  const { configuration } = w.control
  switch ([command.verb, ...command.object].join(' ')) {
    case 'help':
      return { exit: 0, text: help(command.typed.trim().replace(/^\S+/, ''), 79, helpFile(w)) }
    case 'login':
    case 'logoff':
    case 'set asyn':
      return refusal('this is for the prompt: run vpnctl without a command')
    case 'activate script':
      return await activateScript(w, operator, String(command.value))
    case 'enable system security':
      return enableSecurity(w, operator)
    case 'disable system security':
      return setSecurity(w, operator, false)
    case 'create enco key':
      return await createKey(w, command, `${operator.user} from ${operator.place}`, text =>
        carryOut(w, text, operator.caller),
      )
    case 'show enco key':
      return showRsaKey(w.secrets, command)
    case 'show alias': {
      const { value } = command
      const data = configuration.aliases
        .filter(a => value === undefined || a.name.toLowerCase() === value.toLowerCase())
        .map(a => ({ ...a, string: maskAlias(a.string) }))
      if (value !== undefined && data.length === 0) return absent(command)
      return { exit: 0, text: printAliases(data), data }
    }
    case 'show user':
      if (command.args['configuration'] !== undefined) return showLogins(w)
      return command.value === undefined ? await showUsers(w, operator, command) : undefined
    case 'show ip tcp':
      return answer({ listening: w.sshState(), connections: sshOperators(w) }, printTcp)
    case 'show ssh':
      return showSsh(w, command)
    default:
      return undefined
  }
}

/** The file of flash that SET HELP names, where it is there. */
export function helpFile({ control, files }: Pick<OperatorWorld, 'control' | 'files'>): HelpFile | undefined {
  const name = control.configuration.helpFile
  try {
    const text = name === undefined ? undefined : files?.flash.read(name)
    return text === undefined ? undefined : { name: name!, text }
  } catch {
    return undefined
  }
}

/** Types the commands of a file: as on the router, one that is refused is told, and the next is carried out. */
async function activateScript(w: OperatorWorld, operator: Operator, name: string): Promise<AdminAnswer> {
  const text = w.files?.flash.read(name)
  if (text === undefined) return refusal(`file "${name}" does not exist`)
  const told: string[] = []
  const runner = new ScriptRunner({
    configuration: () => w.control.configuration,
    perform: async line =>
      understood(w, line)?.verb === 'activate'
        ? framed(refusal('a script activates no script'), 'script', messageNumbers.refused)
        : await perform(w, operator, line),
    told: (line, answer) => {
      if (answer.text !== '' && !/^Info \(\d+\): Operation successful\.$/.test(answer.text))
        told.push(`line ${line}: ${answer.text}`)
    },
  })
  runner.feed(text)
  const worst = await runner.end()
  return { exit: worst, text: [...told, ...(worst === 0 ? [DONE] : [])].join('\n') }
}

/** The database as the gateway shows it, and who is logged in. */
async function showUsers(w: OperatorWorld, operator: Operator, command: Command): Promise<AdminAnswer> {
  const answer = await carryOut(w, command.typed, operator.caller)
  return answer.exit === 0 ? { ...answer, text: `${answer.text}\n\n${printOperators(activeOperators(w))}` } : answer
}

function showLogins(w: OperatorWorld): AdminAnswer {
  const { loginLimits, secureDelaySeconds } = w.control.configuration
  const data = { ...loginLimits, secureDelaySeconds, securityMode: w.access.mode.securityMode }
  return { exit: 0, text: printLogins(data), data }
}

function enableSecurity(w: OperatorWorld, operator: Operator): AdminAnswer {
  if (!someoneGoverns(w.control.configuration, true))
    return refusal('security mode needs a user with PRIVILEGE=SECURITYOFFICER and LOGIN=YES: add one first')
  return setSecurity(w, operator, true)
}

/** Unlike the router's, our keys are as safe without security mode as with it: they stay. */
function setSecurity(w: OperatorWorld, operator: Operator, on: boolean): AdminAnswer {
  w.access.mode.securityMode = on
  w.access.say(
    Severity.Important,
    `Security mode ${on ? 'enabled' : 'disabled'} by ${operator.user} from ${operator.place}`,
  )
  return { exit: 0, text: DONE }
}

function showSsh(w: OperatorWorld, command: Command): AdminAnswer {
  const { ssh } = w.control.configuration
  if (command.args['sessions'] !== undefined) {
    const data = sshOperators(w)
    return { exit: 0, text: printOperators(data), data }
  }
  const users = ssh.users.map(u => ({
    name: u.name,
    by: [...(u.password ? ['password'] : []), ...(u.keyId === undefined ? [] : [`key ${u.keyId}`])].join(', '),
    address: u.address === undefined ? '' : formatIpv4(u.address),
    mask: u.mask === undefined ? '' : formatIpv4(u.mask),
    privilege: w.access.privilegeOf(u.name) ?? 'user',
  }))
  if (command.args['user'] !== undefined) return { exit: 0, text: printSshUsers(users), data: users }
  const data = {
    enabled: ssh.enabled,
    state: w.sshState(),
    hostKey: ssh.hostKey,
    serverKey: ssh.serverKey,
    expiryHours: ssh.expiryHours,
    loginTimeoutSeconds: ssh.loginTimeoutSeconds,
    users: users.length,
    sessions: sshOperators(w).length,
  }
  return { exit: 0, text: printSsh(data), data }
}

function sshOperators(w: OperatorWorld) {
  return activeOperators(w).filter(o => o.place.startsWith('ssh '))
}

/** Those with a prompt, as SHOW tells of them. */
export function activeOperators(w: Pick<OperatorWorld, 'operators'>) {
  return w.operators().map(o => ({
    user: o.user,
    place: o.place,
    since: o.since.toISOString(),
    privilege: o.privilege ?? 'user',
  }))
}
