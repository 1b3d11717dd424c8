/**
 * The file that SET HELP names: plain text, in which a line `# TOPIC` begins what HELP TOPIC prints; what stands before the first
 * is printed by HELP alone. The form of the router's own help files is not known.
 */

import { clean, wrap } from './show/layout.ts'

export interface HelpFile {
  readonly name: string
  readonly text: string
}

interface Section {
  /** Undefined for what stands before the first topic. */
  readonly topic: string | undefined
  readonly lines: readonly string[]
}

function sectionsOf({ text }: HelpFile): Section[] {
  const sections: { topic: string | undefined; lines: string[] }[] = [{ topic: undefined, lines: [] }]
  for (const line of text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/)) {
    const topic = /^#+\s*(\S.*)$/.exec(line)?.[1]?.trim()
    if (topic === undefined) sections.at(-1)!.lines.push(line)
    else sections.push({ topic, lines: [] })
  }
  return sections
}

/** What the file says before its first topic, and which topics it has; undefined for nothing. */
export function helpFileStart(file: HelpFile, width: number): string | undefined {
  const [start, ...topics] = sectionsOf(file)
  const names = topics.map(s => s.topic).join(', ')
  const text = [body(start!, width), names === '' ? '' : wrap(`${file.name} has: ${names}`, width).join('\n')]
  return text.filter(part => part !== '').join('\n\n') || undefined
}

/** What the file says of a topic: of the one that is called so, else of all that begin so. */
export function helpFileTopic(file: HelpFile, topic: string, width: number): string | undefined {
  const wanted = words(topic)
  const topics = sectionsOf(file).filter(s => s.topic !== undefined)
  const exact = topics.filter(s => words(s.topic!) === wanted)
  const found = exact.length > 0 ? exact : topics.filter(s => words(s.topic!).startsWith(wanted))
  return found.map(s => `${clean(s.topic!)}\n\n${body(s, width)}`.trimEnd()).join('\n\n') || undefined
}

const words = (text: string) => text.trim().toLowerCase().split(/\s+/).join(' ')

/** Its lines, the long ones broken; a shorter line keeps its blanks, for it may be of a table. */
function body({ lines }: Section, width: number): string {
  const shown = lines.flatMap(line => {
    const text = clean(line.replaceAll('\t', '        ')).trimEnd()
    return text.length <= width ? [text] : wrap(text, width)
  })
  return shown.join('\n').trim()
}
