/** Inert and held commands are kept as texts; here they are read again, to be told from each other by what they are about. */

import { type Command, parseCommand } from './parse.ts'

const reading = new WeakMap<{ readonly text: string }, Command | null>()

/** The command of a held or inert text; null where it is none any more. */
export function reread(kept: { readonly text: string }): Command | null {
  let command = reading.get(kept)
  if (command === undefined) {
    const result = parseCommand(kept.text)
    command = result.kind === 'command' ? result.command : null
    reading.set(kept, command)
  }
  return command
}

export function identityOf(command: Command): string {
  const { of, value } = command
  // A name that is itself a placeholder still tells its object from others.
  return of === undefined && value !== undefined ? value.toLowerCase() : command.entry.identity(of, command.args)
}

export function sameObject(a: Command, b: Command): boolean {
  return a.entry.kind !== undefined && a.entry.kind === b.entry.kind && identityOf(a) === identityOf(b)
}

export function isRemoval(command: Command): boolean {
  return command.verb === 'delete' || command.verb === 'destroy'
}

export function isMaking(command: { readonly verb: string }): boolean {
  return command.verb === 'add' || command.verb === 'create'
}
