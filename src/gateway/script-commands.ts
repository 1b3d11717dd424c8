/** ADD, SET and DELETE SCRIPT: the lines of a file of flash, as the router's operators write small scripts at the prompt. */

import type { Command } from '../alliedware/parse.ts'
import type { AdminAnswer } from './caller.ts'
import type { ScriptFiles } from './script-files.ts'
import { refusal } from './show-answer.ts'

const done: AdminAnswer = { exit: 0, text: 'Operation successful.' }

/** The answer, or undefined where the command is about something else. */
export function scriptCommand(files: ScriptFiles | undefined, command: Command): AdminAnswer | undefined {
  const { verb, object, value, args } = command
  if (object[0] !== 'script' || !['add', 'set', 'delete'].includes(verb)) return undefined
  if (files === undefined) return refusal('this gateway keeps no files')
  const { flash } = files
  const name = flash.nameOf(value ?? '')
  const text = flash.read(name)
  if (text === undefined && verb !== 'add') return refusal(`file "${name}" does not exist in ${flash.directory}`)
  const lines = (text ?? '').split(/\r\n|\n|\r/)
  if (lines.at(-1) === '') lines.pop()
  const line = typeof args['line'] === 'number' ? args['line'] : lines.length + 1
  if (line > lines.length + (verb === 'add' ? 1 : 0)) return refusal(`${name} has ${lines.length} lines`)
  const typed = typeof args['text'] === 'string' ? [args['text']] : []
  lines.splice(line - 1, verb === 'add' ? 0 : 1, ...typed)
  flash.write(name, lines.map(l => `${l}\n`).join(''))
  return done
}
