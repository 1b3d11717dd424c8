/** CREATE ENCO KEY where the gateway makes the key or reads it from a file of flash, and SHOW of one RSA key. */

import { randomBytes } from 'node:crypto'
import { keyBytes } from '../alliedware/commands/enco.ts'
import type { EncoKey } from '../alliedware/config.ts'
import type { Command } from '../alliedware/parse.ts'
import { type EncoKeyState, printRsaKey } from '../alliedware/show/enco.ts'
import { quote } from '../alliedware/token.ts'
import { Secret, toHex } from '../packet/bytes.ts'
import type { AdminAnswer } from './caller.ts'
import { randomText } from './first-start.ts'
import { type Log, Severity } from './log.ts'
import { importRsaKey, makeRsaKey, publicRsaKey, SHORTEST_RSA_BITS, USUAL_RSA_BITS } from './rsa-key.ts'
import type { ScriptFiles } from './script-files.ts'
import type { SecretStore } from './secret-store.ts'
import { answer, refusal } from './show-answer.ts'

export interface EncoWorld {
  readonly secrets: SecretStore
  readonly log: Log
  readonly files?: ScriptFiles
  /** The SSH server takes a key that has changed. */
  readonly keysChanged: () => Promise<string[]>
}

const DONE = 'Operation successful.'
/** Of a pre-shared key: 20 of 57 characters are 116 bits. */
const USUAL_KEY_LENGTH = 20
const SHORTEST_KEY_LENGTH = 8

/**
 * The answer, or undefined where the command has a VALUE and is carried out as any other. `type` carries out a command in the
 * place of this one, for the same operator; `who` is for the log.
 */
export async function createKey(
  w: EncoWorld,
  command: Command,
  who: string,
  type: (text: string) => Promise<AdminAnswer>,
): Promise<AdminAnswer | undefined> {
  const { args } = command
  const id = Number(command.value)
  if (args['value'] !== undefined) return undefined
  if (args['file'] !== undefined) {
    if (args['random'] !== undefined) return refusal('RANDOM and FILE exclude each other')
    return await keyOfFile(w, command, id, who, type)
  }
  if (args['type'] === 'rsa') return await newRsaKey(w, command, id, who)
  return args['random'] === undefined ? undefined : await randomKey(command, type)
}

/** The command with that VALUE in the place of what the key was to be made of. */
function withValue(command: Command, value: string): string {
  const about = command.parameters.filter(p => ['description', 'ipaddress', 'module'].includes(p.name))
  const words = about.map(p => `${p.name}=${quote(p.text ?? '')}`)
  return [`create enco key=${command.value} type=${command.args['type']} value=${quote(value)}`, ...words].join(' ')
}

/** Told this once: a pre-shared key has to be typed into clients. */
async function randomKey(command: Command, type: (text: string) => Promise<AdminAnswer>): Promise<AdminAnswer> {
  const bytes = keyBytes[command.args['type'] as EncoKey['type']]
  const length = Number(command.args['length'] ?? USUAL_KEY_LENGTH)
  if (bytes === undefined && (length < SHORTEST_KEY_LENGTH || length > 64))
    return refusal(`LENGTH: expected ${SHORTEST_KEY_LENGTH} to 64 characters`)
  const dice = (n: number) => new Uint8Array(randomBytes(n))
  const value = bytes === undefined ? randomText(length, dice) : `0x${toHex(dice(bytes))}`
  const made = await type(withValue(command, value))
  if (made.exit !== 0) return made
  const text = `Value: ${value}\nWarning: it is shown this once: note it now\n${made.text}`
  return { ...made, text, data: { id: Number(command.value), value } }
}

async function newRsaKey(w: EncoWorld, command: Command, id: number, who: string): Promise<AdminAnswer> {
  const { length } = command.args
  const bits = typeof length === 'number' ? length : USUAL_RSA_BITS
  if (bits < SHORTEST_RSA_BITS) return refusal(`LENGTH: SSH takes RSA keys of ${SHORTEST_RSA_BITS} bits or more`)
  return await keepPair(w, command, id, await makeRsaKey(bits), `of ${bits} bits made by ${who}`)
}

async function keepPair(
  w: EncoWorld,
  command: Command,
  id: number,
  pair: Uint8Array,
  how: string,
): Promise<AdminAnswer> {
  const { description, module, ipaddress } = command.args
  w.secrets.setKey(id, 'rsa', new Secret(pair), {
    description: typeof description === 'string' && description !== '' ? description : undefined,
    module: typeof module === 'string' && module !== '' ? module : undefined,
    ipAddress: typeof ipaddress === 'number' && ipaddress !== 0 ? ipaddress : undefined,
  })
  w.log.add({ severity: Severity.Notice, module: 'ENCO', text: `RSA key ${id} ${how}` })
  const warnings = await w.keysChanged()
  const { fingerprint } = publicRsaKey(pair)!
  return { exit: 0, text: [`Fingerprint: ${fingerprint}`, ...warnings.map(t => `Warning: ${t}`), DONE].join('\n') }
}

/** FILE: a file that is there is read; a key that is there is written, where it is an RSA key: its public half. */
async function keyOfFile(
  w: EncoWorld,
  command: Command,
  id: number,
  who: string,
  type: (text: string) => Promise<AdminAnswer>,
): Promise<AdminAnswer> {
  if (w.files === undefined) return refusal('this gateway keeps no files')
  const { flash } = w.files
  const { file, format } = command.args
  const name = flash.nameOf(String(file))
  const text = flash.read(name)
  const stored = w.secrets.entry(id)
  const isRsa = command.args['type'] === 'rsa'
  if (format === 'niq' || (isRsa && format === 'hex'))
    return refusal(`FORMAT=${String(format).toUpperCase()} is not read here`)
  if (text === undefined) {
    if (stored === undefined) return refusal(`file "${name}" does not exist in ${flash.directory}`)
    const key = stored.type === 'rsa' ? publicRsaKey(stored.value.reveal()) : undefined
    if (!isRsa || key === undefined) return refusal(`ENCO key ${id} exists, and is not written to a file`)
    flash.write(name, `${key.line}\n`)
    return { exit: 0, text: DONE }
  }
  if (stored !== undefined)
    return refusal(`both ENCO key ${id} and file "${name}" exist: DESTROY the key to read the file, or DELETE the file`)
  if (!isRsa) {
    const value = text.trim()
    return await type(withValue(command, format === 'hex' && !/^0x/i.test(value) ? `0x${value}` : value))
  }
  const pair = importRsaKey(text)
  if (pair === undefined) return await type(withValue(command, text.trim()))
  return await keepPair(w, command, id, pair, `read from ${name} by ${who}`)
}

/** One RSA key with what everybody may know of it; undefined for others, and for the list. */
export function showRsaKey(secrets: SecretStore, command: Command): AdminAnswer | undefined {
  const id = Number(command.value)
  const stored = command.value === undefined ? undefined : secrets.entry(id)
  const key = stored?.type === 'rsa' ? publicRsaKey(stored.value.reveal()) : undefined
  const state = secrets.keyIds().find((k: EncoKeyState) => k.id === id)
  if (key === undefined || state === undefined) return undefined
  return answer({ ...state, private: key.ours, fingerprint: key.fingerprint, publicKey: key.line }, printRsaKey)
}
