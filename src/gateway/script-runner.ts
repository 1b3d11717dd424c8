/** A script that comes in line by line, from vpnctl or by SSH: wrapped lines are joined, and each command is carried out. */

import { expandAlias } from '../alliedware/apply.ts'
import type { Configuration } from '../alliedware/config.ts'
import { resolveVerb } from '../alliedware/keyword.ts'
import { LineJoiner, type LogicalLine } from '../alliedware/lines.ts'
import { frameMessages, messageNumbers } from '../alliedware/message.ts'
import { parseCommand } from '../alliedware/parse.ts'
import { aliasNames, SUSPECT, separated } from '../alliedware/script.ts'
import type { AdminAnswer } from './caller.ts'

export interface ScriptWorld {
  readonly configuration: () => Configuration
  readonly perform: (text: string) => Promise<AdminAnswer>
  /** What became of the command that began at that line; nothing is told of what worked in silence. */
  readonly told: (line: number, answer: AdminAnswer) => void
}

/** After so long without a further line nothing continues the last one: somebody types, and waits for an answer. */
const QUIET_MILLIS = 250
/** A line as long as a page is wide may be wrapped, and the network may keep its rest back. */
const LONG_LINE = 50
const LONG_QUIET_MILLIS = 2000
const LONGEST_LINE = 16_384
const WARNING = frameMessages(`Warning: ${SUSPECT}`, undefined, messageNumbers.note)

export class ScriptRunner {
  private readonly world: ScriptWorld
  private readonly joiner: LineJoiner
  /** Names that the script itself has made aliases of. */
  private readonly aliases = new Set<string>()
  private text = ''
  /** The last whole line. */
  private latest = ''
  private work: Promise<void> = Promise.resolve()
  private suspects = 0
  private worst: AdminAnswer['exit'] = 0
  private quiet: NodeJS.Timeout | undefined
  private stopped = false

  constructor(world: ScriptWorld) {
    this.world = world
    this.joiner = new LineJoiner(word => resolveVerb(word) !== undefined || this.isAlias(word))
  }

  /** Takes what has come; false where that is no script. */
  feed(text: string): boolean {
    this.text += text
    // A CR at the end may be half of a CR LF.
    const whole = /\r$/.test(this.text) ? this.text.slice(0, -1) : this.text
    const lines = whole.split(/\r\n|\n|\r/)
    this.text = lines.pop()! + this.text.slice(whole.length)
    for (const line of lines) this.take(line)
    clearTimeout(this.quiet)
    const millis = this.latest.length > LONG_LINE ? LONG_QUIET_MILLIS : QUIET_MILLIS
    if (this.joiner.waits) this.quiet = setTimeout(() => this.run(this.joiner.end()), millis)
    return this.text.length <= LONGEST_LINE
  }

  /** No more will come: the worst exit of all commands, once they are carried out. */
  async end(): Promise<AdminAnswer['exit']> {
    clearTimeout(this.quiet)
    const rest = this.text
    this.text = ''
    if (rest !== '') this.take(rest.replace(/\r$/, ''))
    this.run(this.joiner.end())
    await this.work
    return this.worst
  }

  /** Whoever sent it is gone: what waits is not carried out. */
  stop(): void {
    clearTimeout(this.quiet)
    this.stopped = true
  }

  private take(line: string): void {
    this.latest = line
    for (const name of aliasNames(line)) this.aliases.add(name)
    this.run(this.joiner.push(line))
    for (const suspect of this.joiner.suspects.slice(this.suspects)) {
      this.suspects++
      this.work = this.work.then(() => this.world.told(suspect, { exit: 0, text: WARNING }))
    }
  }

  private run(commands: readonly LogicalLine[]): void {
    for (const joined of commands) this.work = this.work.then(() => this.carryOut(joined))
  }

  private async carryOut(joined: LogicalLine): Promise<void> {
    const wrong = (text: string) => {
      const parsed = parseCommand(expandAlias(this.world.configuration(), text))
      return parsed.kind === 'faults' ? parsed.faults.length : 0
    }
    for (const { line, text } of separated(joined, wrong)) {
      if (this.stopped) return
      const answer = await this.world.perform(text)
      if (answer.exit > this.worst) this.worst = answer.exit
      this.world.told(line, answer)
    }
  }

  private isAlias(word: string): boolean {
    const name = word.toLowerCase()
    return this.aliases.has(name) || this.world.configuration().aliases.some(a => a.name.toLowerCase() === name)
  }
}
