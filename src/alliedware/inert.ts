/** Commands that wait for placeholders: what they would make counts as there for those that refer to it. */

import { nextPosition } from './commands/ipsec.ts'
import type { Configuration, InertCommand } from './config.ts'
import type { Draft } from './draft.ts'
import { identityOf, isMaking, reread, sameObject } from './kept.ts'
import type { Kind } from './kind.ts'
import type { Command } from './parse.ts'

/** The inert command that would make the object. */
export function inertMaker(
  configuration: Pick<Configuration, 'inert'>,
  kind: Kind,
  identity: string,
): InertCommand | undefined {
  return configuration.inert.find(inert => {
    const command = reread(inert)
    return (
      command !== null &&
      isMaking(command) &&
      command.entry.kind === kind &&
      identityOf(command) === identity.toLowerCase()
    )
  })
}

export function keepInert(draft: Draft, command: Command, line: number, placeholders: readonly string[]): void {
  dropSuperseded(draft, command)
  const typed = command.typed.trim()
  // Quoted text keeps its spaces; elsewhere the traces of wrapped lines go.
  let text = typed.includes('"')
    ? typed
    : typed.replace(/\s+/g, ' ').replace(/<[^<>=]+>/g, blank => blank.replace(/(\w)- /g, '$1-'))
  if (takesPosition(command)) text += ` position=${freePosition(draft, command)}`
  draft.inert.push({ line, text, placeholders: [...placeholders] })
}

export function dropInert(draft: Draft, command: Command): void {
  draft.inert = draft.inert.filter(inert => {
    const other = reread(inert)
    return other === null || !sameObject(other, command)
  })
}

/** A command carried out takes the place of an inert one that says the same with placeholders. */
export function dropSuperseded(draft: Draft, command: Command): void {
  if (draft.inert.length === 0) return
  const names = new Set(command.parameters.map(p => p.name))
  draft.inert = draft.inert.filter(inert => {
    const other = reread(inert)
    if (other === null || other.entry !== command.entry || identityOf(other) !== identityOf(command)) return true
    return !(isMaking(command) && command.entry.kind !== undefined) && !other.parameters.every(p => names.has(p.name))
  })
}

// A policy that waits keeps its place among the others, since the first match wins.

export function takesPosition(command: Command): boolean {
  return (
    command.verb === 'create' &&
    command.entry.kind === 'IPsec policy' &&
    !command.parameters.some(p => p.name === 'position')
  )
}

export function freePosition(draft: Draft, command: Command): number {
  const on = command.args['interface']
  if (typeof on !== 'string') return 1
  let next = nextPosition(draft.ipsec.policies, on)
  for (const inert of draft.inert) {
    const other = reread(inert)
    if (other?.verb !== 'create' || other.entry.kind !== 'IPsec policy' || other.args['interface'] !== on) continue
    const position = other.args['position']
    if (typeof position === 'number' && position >= next) next = position + 1
  }
  return next
}

export function positioned(draft: Draft, command: Command): Readonly<Record<string, unknown>> {
  return takesPosition(command) ? { ...command.args, position: freePosition(draft, command) } : command.args
}
