/** Commands without effect: held in the order they came, until their counterpart or their object's end takes them away. */

import type { Draft } from './draft.ts'
import type { Report } from './grammar.ts'
import { identityOf, isMaking, isRemoval, reread, sameObject } from './kept.ts'
import { type Command, commandText, objectText, type Parameter, parameterText } from './parse.ts'

export function holdCommand(draft: Draft, command: Command, report: Report): void {
  const text = commandText(command)
  const kept = draft.held.map(held => ({ held, command: reread(held) }))
  const same = kept.filter(k => k.command !== null && sameObject(k.command, command))
  const { kind } = command.entry
  if (kind !== undefined && isMaking(command)) {
    if (same.length > 0) return report.error(`${kind} "${command.value}" exists already`)
  } else if (kind !== undefined && same.length === 0) {
    return report.missing(kind, identityOf(command))
  }
  if (kind !== undefined && isRemoval(command)) {
    draft.held = draft.held.filter(held => !same.some(k => k.held === held))
    return
  }
  draft.held = kept.filter(k => k.command === null || !replaces(command, k.command)).map(k => k.held)
  draft.held.push({ line: report.line, text, section: command.entry.section })
}

/** Whether a held command says nothing any more once the new one stands. */
export function replaces(now: Command, before: Command): boolean {
  if (commandText(now) === commandText(before)) return true
  const rest = (c: Command) => objectText(c, '')
  if (rest(now).toLowerCase() !== rest(before).toLowerCase()) return false
  const switches = ['enable', 'disable']
  if (switches.includes(now.verb) && switches.includes(before.verb))
    return !now.entry.free || commandText(now).slice(now.verb.length) === commandText(before).slice(before.verb.length)
  if (now.verb !== 'set' || before.verb !== 'set' || now.entry.free) return false
  return before.parameters.every(p => now.parameters.some(q => q.name === p.name))
}

/** A parameter without effect, as a SET of its own. */
export function holdParameter(draft: Draft, command: Command, parameter: Parameter, line: number): void {
  const object = objectText(command, 'set')
  const prefix = `${object} ${parameter.name}=`.toLowerCase()
  draft.held = draft.held.filter(held => !held.text.toLowerCase().startsWith(prefix))
  draft.held.push({ line, text: `${object} ${parameterText(parameter)}`, section: command.entry.section })
}

/** What was held about an object that is gone. */
export function dropHeld(draft: Draft, command: Command): void {
  const prefix = `${objectText(command, 'set')} `.toLowerCase()
  const whole = command.parameters.length === 0
  if (whole) draft.held = draft.held.filter(held => !held.text.toLowerCase().startsWith(prefix))
}
