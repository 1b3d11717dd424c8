/** The host's end of a guest's serial line: scripts go to the agent in it (guest/agent), and what they said comes back. */
import type { Duplex } from 'node:stream'
import type { Outcome } from '../support/command.ts'

export class AgentLine {
  /** Whether the agent has said that it takes scripts. */
  ready = false
  readonly #name: string
  readonly #line: Duplex
  #received = ''
  #nextId = 1
  readonly #waiting = new Map<string, (outcome: Outcome) => void>()

  /** @param name the guest's, for what is said of it */
  constructor(name: string, line: Duplex) {
    this.#name = name
    this.#line = line
    line.on('data', (chunk: Buffer) => this.#take(chunk.toString('latin1')))
    line.on('error', () => {}) // The guest was switched off.
  }

  /** Runs a bash script in the guest. Scripts may run side by side. */
  run(script: string, timeoutMillis: number): Promise<Outcome> {
    const id = String(this.#nextId++)
    return new Promise(resolve => {
      // The guest keeps the time itself; this is for one that hangs.
      const timer = setTimeout(
        () => this.#answer(id, { status: 124, output: `guest ${this.#name} did not answer` }),
        timeoutMillis + 5000,
      )
      this.#waiting.set(id, outcome => {
        clearTimeout(timer)
        resolve(outcome)
      })
      this.#line.write(`${id} ${Math.ceil(timeoutMillis / 1000)} ${Buffer.from(script).toString('base64')}\n`)
    })
  }

  /** Answers all that wait, when the guest is off. */
  hangUp(): void {
    for (const id of [...this.#waiting.keys()]) this.#answer(id, { status: 125, output: 'the guest was switched off' })
  }

  #take(text: string): void {
    this.#received += text
    for (let end = this.#received.indexOf('\n'); end >= 0; end = this.#received.indexOf('\n')) {
      const [id, status, output] = this.#received.slice(0, end).trim().split(' ')
      this.#received = this.#received.slice(end + 1)
      if (id === 'ready') this.ready = true
      else this.#answer(id!, { status: Number(status), output: Buffer.from(output ?? '', 'base64').toString() })
    }
  }

  #answer(id: string, outcome: Outcome): void {
    this.#waiting.get(id)?.(outcome)
    this.#waiting.delete(id)
  }
}
