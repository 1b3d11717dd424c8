/** The configuration as a whole: CREATE, SET and SHOW CONFIG, RELOAD and RESTART ROUTER, and the files of flash. */

import type { Configuration } from '../alliedware/config.ts'
import { difference, shownLine } from '../alliedware/difference.ts'
import { type Command, maskSecrets } from '../alliedware/parse.ts'
import { sectionsOf, writeScript } from '../alliedware/write.ts'
import type { AdminAnswer, Caller } from './caller.ts'
import type { CommandWorld } from './command-world.ts'
import type { Flash } from './flash.ts'
import { hangUp } from './live-changes.ts'
import { type Loaded, load } from './loading.ts'
import { Severity } from './log.ts'
import type { ScriptFiles } from './script-files.ts'
import type { SecretStore } from './secret-store.ts'
import { version } from './version.ts'

const DONE = 'Operation successful.'
const done: AdminAnswer = { exit: 0, text: DONE }
const refusal = (text: string): AdminAnswer => ({ exit: 1, text: `Error: ${text}` })

/** The answer, or undefined where the command is about something else. */
export async function configurationCommand(
  w: CommandWorld,
  command: Command,
  caller: Caller,
): Promise<AdminAnswer | undefined> {
  const whole = [command.verb, ...command.object].join(' ')
  if (whole === 'show config') return showConfig(w, command)
  if (!OWN.has(whole)) return undefined
  const { files } = w
  if (files === undefined) return refusal('this gateway keeps no files')
  const { flash } = files
  const name = command.value ?? ''
  const absent = (file: string) => refusal(`file "${flash.nameOf(file)}" does not exist in ${flash.directory}`)
  switch (whole) {
    case 'create config':
      return createConfig(w, files, name, caller)
    case 'set config':
      return setConfig(files, name, absent)
    case 'show file':
    case 'show script':
      return showFile(flash, command.value, absent)
    case 'delete file':
      if (flash.chosen === flash.nameOf(name)) return refusal('the gateway starts with it: SET CONFIG first')
      if (isListFile(w.control.configuration, flash.nameOf(name))) return refusal('the firewall reads a list from it')
      return flash.remove(name) ? done : absent(name)
    case 'copy':
    case 'rename':
      return moveFile(flash, command, absent, file => isListFile(w.control.configuration, file))
    case 'reload':
    case 'restart router': {
      const wanted = command.args['config']
      const from = typeof wanted === 'string' ? wanted : undefined
      if (from !== undefined && !flash.has(from)) return absent(from)
      if (whole === 'reload' && command.args['check'] === true)
        return compared(w, load(files.places(from), files.stored()))
      return await reload(w, { from, caller, restart: whole !== 'reload' })
    }
    default:
      return refusal(instead(command.verb, flash))
  }
}

function isListFile({ firewall }: Configuration, name: string): boolean {
  return firewall.policies.some(
    p => p.lists.some(l => l.file === name) || p.dynamics.some(d => d.files?.some(f => f.file === name)),
  )
}

const OWN: ReadonlySet<string> = new Set([
  ...[
    'create config',
    'set config',
    'show file',
    'show script',
    'delete file',
    'reload',
    'restart router',
    'restart reboot',
  ],
  ...['copy', 'rename', 'edit', 'load', 'upload'],
])

/** What to do in place of a command that the gateway does not carry out. */
function instead(verb: string, flash: Flash): string {
  if (verb === 'restart') return 'the host is not restarted from here: "systemctl restart floatgate", or reboot it'
  const how = verb === 'edit' ? 'edit the file' : verb === 'load' ? 'put the file there' : 'take the file from there'
  return `${verb.toUpperCase()} is not carried out: ${how} on the host, in ${flash.directory}`
}

function createConfig(w: CommandWorld, files: ScriptFiles, name: string, caller: Caller): AdminAnswer {
  const { flash } = files
  if (!/\.(cfg|scp)$/i.test(name)) return refusal('a script is called NAME.cfg or NAME.scp')
  const now = w.wall?.() ?? new Date()
  const script = `${fileHeading(now)}\n\n${writeScript(w.control.configuration)}`
  const errors = errorsOf(load(files.places(name), files.stored(), script))
  // What was typed may refer to what is not there yet. With such a script the gateway would not start.
  if (errors.length > 0 && files.places().script === flash.path(name))
    return { exit: 1, text: [...errors, 'Error: the gateway starts with it: nothing was written'].join('\n') }
  flash.write(name, script)
  told(w, `Configuration written to ${flash.nameOf(name)}`, caller)
  return { exit: 0, text: [...errors.map(text => text.replace(/^Error: /, 'Warning: ')), DONE].join('\n') }
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

function fileHeading(at: Date): string {
  const [date, time] = [at.toISOString().slice(0, 10).split('-'), at.toISOString().slice(11, 19)]
  const month = MONTHS[Number(date[1]) - 1]
  return `# File written ${time} on ${date[2]}-${month}-${date[0]} (UTC) by Floatgate ${version()}`
}

function setConfig(files: ScriptFiles, name: string, absent: (file: string) => AdminAnswer): AdminAnswer {
  const { flash } = files
  if (/^none$/i.test(name)) {
    flash.chosen = undefined
    return done
  }
  if (!flash.has(name)) return absent(name)
  // With faults the gateway would not start.
  const errors = errorsOf(load(files.places(name), files.stored()))
  if (errors.length > 0) return { exit: 1, text: errors.join('\n') }
  flash.chosen = name
  const fixed = `Warning: the gateway was started with --config ${files.running}: without that it takes this one`
  return files.fixed ? { exit: 0, text: `${fixed}\n${DONE}` } : done
}

function showFile(flash: Flash, name: string | undefined, absent: (file: string) => AdminAnswer): AdminAnswer {
  if (name === undefined) {
    const data = flash.list().map(f => ({ ...f, modified: f.modified.toISOString() }))
    const rows = data.map(f => ` ${f.name.padEnd(32)}${String(f.bytes).padStart(9)}  ${f.modified.slice(0, 19)}Z`)
    const head = ` ${'Filename'.padEnd(32)}${'Size'.padStart(9)}  Modified\n ${'-'.repeat(63)}`
    return { exit: 0, text: [head, ...rows].join('\n'), data }
  }
  const text = flash.read(name)
  if (text === undefined) return absent(name)
  const masked = withoutSecrets(text)
  return { exit: 0, text: masked, data: { name: flash.nameOf(name), text: masked } }
}

function moveFile(
  flash: Flash,
  command: Command,
  absent: (file: string) => AdminAnswer,
  listed: (name: string) => boolean,
): AdminAnswer {
  const [from, to, ...more] = command.words
  const named = [from, to].every(
    word => word !== undefined && /^([a-z]+:)?[a-z0-9_-]{1,28}\.[a-z0-9]{1,4}$/i.test(word),
  )
  if (from === undefined || to === undefined || more.length > 0 || command.words.length < command.parameters.length)
    return refusal(`expected two file names: ${command.verb.toUpperCase()} old.cfg new.cfg`)
  if (!named) return refusal('a file is called NAME.EXT')
  if (flash.has(to)) return refusal(`file "${flash.nameOf(to)}" exists already`)
  const text = flash.read(from)
  if (text === undefined) return absent(from)
  if (command.verb === 'rename' && listed(flash.nameOf(from))) return refusal('the firewall reads a list from it')
  flash.write(to, text)
  if (command.verb === 'copy') return done
  if (flash.chosen === flash.nameOf(from)) flash.chosen = to
  flash.remove(from)
  return done
}

/** SHOW CONFIG: what the gateway starts with; DYNAMIC: what it has now, whole or some modules of it. */
function showConfig(w: CommandWorld, command: Command): AdminAnswer {
  const c = w.control.configuration
  const { dynamic, inert, held } = command.args
  if (dynamic !== undefined) {
    const only = typeof dynamic === 'string' ? sectionsOf(dynamic) : undefined
    if (only === undefined && dynamic !== true) return refusal('DYNAMIC: expected a list of modules, such as IP,IPSEC')
    const script = withoutSecrets(writeScript(c, only))
    return { exit: 0, text: script, data: { script } }
  }
  if (inert !== undefined) {
    const data = c.inert.map(i => ({ ...i, text: maskSecrets(i.text) }))
    const lines = data.map(i => `line ${i.line}: waits for <${i.placeholders.join('>, <')}>: ${i.text}`)
    return { exit: 0, text: lines.join('\n') || 'No command waits for a placeholder.', data }
  }
  if (held !== undefined) {
    const data = c.held.map(h => ({ ...h, text: maskSecrets(h.text) }))
    return { exit: 0, text: data.map(h => `line ${h.line}: ${h.text}`).join('\n') || 'No command is held.', data }
  }
  if (w.files === undefined) return refusal('this gateway keeps no files')
  const { flash, running, fixed } = w.files
  const { chosen } = flash
  const exists = chosen !== undefined && flash.has(chosen)
  const data = { chosen, exists, running, fixed }
  const boot = chosen === undefined ? 'Not set' : `${chosen} (${exists ? 'exists' : 'missing'})`
  return {
    exit: 0,
    text: ` Boot configuration file ......... ${boot}\n Current configuration ........... ${running}`,
    data,
  }
}

function withoutSecrets(script: string): string {
  return script.split('\n').map(shownLine).join('\n')
}

export interface ReloadOptions {
  /** A file of flash; the script that the gateway was started with otherwise. */
  readonly from?: string | undefined
  readonly caller: Caller
  /** Everybody is hung up first, as the router's restart would do. */
  readonly restart?: boolean
}

/**
 * Takes a whole script into use as one transaction, and tells what it changed; one with faults, or whose firewall the host
 * refuses, changes nothing.
 */
export async function reload(w: CommandWorld, o: ReloadOptions): Promise<AdminAnswer> {
  const { files } = w
  if (files === undefined) return refusal('this gateway keeps no files')
  return await w.control.changes.add(() => reloadNow(w, files, o))
}

async function reloadNow(w: CommandWorld, files: ScriptFiles, o: ReloadOptions): Promise<AdminAnswer> {
  const places = files.places(o.from)
  const loaded = load(places, files.stored())
  const answer = compared(w, loaded)
  const name = places.script
  if (answer.exit !== 0) {
    told(w, `Reload refused: ${name} has faults`, o.caller, Severity.Important)
    return answer
  }
  const refused = await w.prepare?.(loaded.configuration, loaded.site)
  if (refused !== undefined) {
    told(w, `Reload refused: ${refused}`, o.caller, Severity.Important)
    return refusal(refused)
  }
  w.pki?.load()
  if (o.restart) for (const peer of [...w.control.peers.all.keys()]) hangUp(w.control, peer, 'the router restarts')
  const warnings = await w.configure(storeKeys(loaded.configuration, w.secrets), loaded.site)
  files.running = name
  const odd = w.pki?.oddities(loaded.configuration) ?? []
  told(w, `Configuration reloaded from ${name}`, o.caller)
  const lines = [...warnings, ...odd].map(t => `Warning: ${t}`)
  return { ...answer, text: [answer.text, ...lines, DONE].filter(line => line !== '').join('\n') }
}

/** The script's faults, and what taking it into use would change. */
function compared(w: CommandWorld, loaded: Loaded): AdminAnswer {
  const errors = errorsOf(loaded)
  const warnings = oddities(loaded)
  if (errors.length > 0) return { exit: 1, text: [...errors, ...warnings].join('\n') }
  const changed = difference(w.control.configuration, loaded.configuration)
  const { removed, added } = changed
  const lines = [...removed.map(line => `- ${line}`), ...added.map(line => `+ ${line}`)]
  const data = { ...changed, warnings: loaded.faults.map(f => f.text) }
  return { exit: 0, text: [...warnings, ...(lines.length === 0 ? ['No command differs.'] : lines)].join('\n'), data }
}

function errorsOf(loaded: Loaded): string[] {
  return loaded.faults.filter(f => f.error).map(f => `Error: ${f.text.replace(': error: ', ': ')}`)
}

function oddities(loaded: Loaded): string[] {
  return loaded.faults.filter(f => !f.error).map(f => `Warning: ${f.text.replace(': warning: ', ': ')}`)
}

/** Keys that the script made go to the store, and out of the configuration. */
export function storeKeys(c: Configuration, secrets: SecretStore): Configuration {
  // What was said of a key at the prompt stays, unless the script says something else.
  secrets.keepKeys(
    c.encoKeys.map(k => {
      const was = secrets.entry(k.id)
      const { description = was?.description, module = was?.module, ipAddress = was?.ipAddress } = k
      return { ...k, description, module, ipAddress }
    }),
  )
  return { ...c, encoKeys: [] }
}

function told(w: CommandWorld, text: string, caller: Caller, severity: number = Severity.Notice): void {
  w.log.add({ severity, module: 'CH', text, fields: { ...caller } })
}
