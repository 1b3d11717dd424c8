/** Requests to the agent of a guest: asked again while lines get lost, done once all the same. */
import { emitLine, type Line, LineReader, parseLine, protocolVersion, type Words } from './windows-line.ts'

/** The serial port's other end. */
export interface Wire {
  write(text: string): void
  /** Called with what comes, from now on. */
  listen(take: (text: string) => void): void
}

export interface Patience {
  /** A request is asked again after this long without a word. */
  readonly againMillis: number
  /** An agent that is silent for this long, though asked again, is gone. */
  readonly silenceMillis: number
}

const usualPatience: Patience = { againMillis: 2000, silenceMillis: 20_000 }

/** The agent is gone, was started anew, or is not the one that was expected. */
export class AgentLost extends Error {}

/** The agent answered that it could not do it. */
export class AgentRefused extends Error {
  readonly words: Words

  constructor(verb: string, words: Words) {
    super(`the guest's agent cannot ${verb}: ${words['why'] ?? 'it does not say why'}`)
    this.words = words
  }
}

interface Waiting {
  readonly number: number
  readonly answered: (words: Words) => void
  readonly failed: (error: Error) => void
  heardAt: number
}

export class Agent {
  private readonly wire: Wire
  private readonly patience: Patience
  private readonly reader = new LineReader()
  private boot: string | undefined
  private lastNumber = 0
  private waiting: Waiting | undefined
  private greeted: (() => void) | undefined
  private wrongVersion: number | undefined
  /** What it said of itself when it last started. */
  hello: Words = {}
  /** Lines that came damaged, to be told with the results. */
  damaged = 0

  constructor(wire: Wire, patience: Partial<Patience> = {}) {
    this.wire = wire
    this.patience = { ...usualPatience, ...patience }
    wire.listen(text => {
      for (const line of this.reader.take(text)) this.receive(line)
    })
  }

  /** Waits for an agent to say hello after a start of the guest. Throws `AgentLost` when none does. */
  async greet(timeoutMillis: number): Promise<Words> {
    if (this.boot === undefined && this.wrongVersion === undefined) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, timeoutMillis)
        this.greeted = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.greeted = undefined
    }
    if (this.wrongVersion !== undefined) {
      throw new AgentLost(`the guest's agent speaks version ${this.wrongVersion}, this lab version ${protocolVersion}`)
    }
    if (this.boot === undefined) {
      const seconds = Math.round(timeoutMillis / 1000)
      throw new AgentLost(`no agent said hello within ${seconds} s (${this.damaged} lines were noise or damaged)`)
    }
    return this.hello
  }

  /** Another start of the guest begins: what was said before does not count. */
  forget(): void {
    this.boot = undefined
    this.wrongVersion = undefined
    this.hello = {}
    this.damaged = 0
    this.waiting?.failed(new AgentLost('the guest was switched off'))
  }

  /**
   * Has the agent do something and answers what it says. Throws `AgentRefused` when it cannot, `AgentLost` when the guest
   * fell silent, was restarted meanwhile, or took longer than `timeoutMillis`.
   */
  async ask(verb: string, words: Words = {}, timeoutMillis = 60_000): Promise<Words> {
    const { boot, patience } = this
    if (boot === undefined) throw new AgentLost('no agent has said hello')
    if (this.waiting !== undefined) throw new Error(`the agent is still at its last request; ${verb} has to wait`)
    const number = ++this.lastNumber
    const text = emitLine({ kind: 'Q', boot, number, words: { verb, ...words } })
    const timers: NodeJS.Timeout[] = []
    try {
      const answer = await new Promise<Words>((answered, failed) => {
        const waiting: Waiting = { number, answered, failed, heardAt: performance.now() }
        this.waiting = waiting
        this.wire.write(text)
        const again = () => {
          const silent = performance.now() - waiting.heardAt
          if (silent < patience.silenceMillis) this.wire.write(text)
          else failed(new AgentLost(`the guest fell silent during ${verb}`))
        }
        const late = () => failed(new AgentLost(`${verb} took longer than ${Math.round(timeoutMillis / 1000)} s`))
        timers.push(setInterval(again, patience.againMillis), setTimeout(late, timeoutMillis))
      })
      if (answer['no'] !== undefined) throw new AgentRefused(verb, answer)
      return answer
    } finally {
      this.waiting = undefined
      for (const timer of timers) clearInterval(timer)
    }
  }

  /** Fetches what the agent collects under a name, piece by piece. */
  async collect(what: string): Promise<string> {
    await this.ask('collect', { what })
    let text = ''
    for (;;) {
      const { size, data = '' } = await this.ask('read', { offset: String(text.length) })
      text += data
      if (data === '' || text.length >= Math.min(Number(size), 200_000)) return text
    }
  }

  private receive(received: string): void {
    const line = parseLine(received)
    if (line === undefined) {
      this.damaged++
    } else if ('version' in line) {
      this.wrongVersion = line.version
      this.greeted?.()
    } else if (line.kind === 'H') {
      this.meet(line)
    } else if (line.boot === this.boot && line.number === this.waiting?.number) {
      this.waiting.heardAt = performance.now()
      if (line.kind === 'R') this.waiting.answered(line.words)
    }
  }

  private meet({ boot, words }: Line): void {
    const restarted = this.boot !== undefined && this.boot !== boot
    if (boot !== this.boot) this.lastNumber = 0
    this.boot = boot
    this.hello = words
    if (restarted) this.waiting?.failed(new AgentLost('the guest was restarted meanwhile'))
    this.greeted?.()
  }
}
