/**
 * What nft notes of a packet in a log prefix, so that it becomes an event: what was done, by which rule, and between which
 * interfaces.
 */

export const NOTED = ['allow', 'deny', 'limit', 'spoof', 'piece'] as const

export interface Note {
  /** `piece`: a fragment, whatever becomes of it. */
  readonly what: (typeof NOTED)[number]
  /** The rule's number, or the limit rule's; 0 for none. */
  readonly rule: number
  /** AlliedWare's names; '' for the gateway itself, or where it is not known. */
  readonly from: string
  readonly to: string
}

const FORM = /^(allow|deny|limit|spoof|piece) (\d{1,10}) ([\w.-]{1,40}|-) ([\w.-]{1,40}|-)$/

export function emitNote(n: Note): string {
  const text = `${n.what} ${n.rule} ${n.from || '-'} ${n.to || '-'}`
  if (!FORM.test(text)) throw new RangeError(`nft cannot note ${JSON.stringify(n)}`)
  return text
}

/** Undefined where it is no note of ours. */
export function parseNote(text: string): Note | undefined {
  const [, what, rule, from, to] = FORM.exec(text) ?? []
  if (what === undefined) return undefined
  const name = (word: string | undefined) => (word === undefined || word === '-' ? '' : word)
  return { what: what as Note['what'], rule: Number(rule), from: name(from), to: name(to) }
}
