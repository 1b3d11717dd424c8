/** A guest: a Linux of its own in User-mode Linux, wired into a namespace and told what to do over its serial line. */
import { readFileSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { Daemon, type Outcome, until } from '../support/command.ts'

/** A network card of the guest: the TAP device it is plugged into, and its address with prefix length. */
export interface Card {
  readonly tap: string
  readonly address: string
}

export interface GuestPlan {
  readonly name: string
  /** The argv that runs a command in the namespace whose TAP devices the guest's cards are. */
  readonly within: readonly string[]
  readonly cards: readonly Card[]
  readonly router?: string
  readonly rootfs: string
  /** Directory with boot and client, seen in the guest as /floatgate. */
  readonly scripts: string
  /** Directory for the log and the kernel's own files. */
  readonly directory: string
  /** Distinguishes MAC addresses: 1 to 255. */
  readonly number: number
}

export class Guest {
  readonly plan: GuestPlan
  #kernel: Daemon | undefined
  #line: Duplex | undefined
  #ready = false
  #received = ''
  #nextId = 1
  #waiting = new Map<string, (outcome: Outcome) => void>()

  constructor(plan: GuestPlan) {
    this.plan = plan
  }

  get name(): string {
    return this.plan.name
  }

  get alive(): boolean {
    return this.#kernel?.alive ?? false
  }

  /** Switches the guest on and returns when it takes commands; throws with the end of its console when it does not. */
  async boot(timeoutMillis = 60_000): Promise<void> {
    const { plan } = this
    const hexNumber = plan.number.toString(16).padStart(2, '0')
    const log = `${plan.directory}/${plan.name}.console.log`
    const argv = [
      ...[...plan.within, `${plan.rootfs}/usr/bin/linux.uml`],
      ...['mem=192M', 'quiet', 'con=null', 'con0=null,fd:1', 'ssl=null', 'ssl0=fd:3'],
      ...[`umid=${plan.name}`, `uml_dir=${plan.directory}/uml`],
      ...['root=/dev/root', 'rootfstype=hostfs', `rootflags=${plan.rootfs}`, 'ro', 'init=/sbin/floatgate-init'],
      ...[`FG_SCRIPTS=${plan.scripts}`, `FG_NAME=${plan.name}`, `FG_ROUTER=${plan.router ?? ''}`],
      ...plan.cards.flatMap(({ tap, address }, index) => [
        `vec${index}:transport=tap,ifname=${tap},depth=128,mac=52:54:00:fa:0${index}:${hexNumber}`,
        `FG_ADDRESS${index}=${address}`,
      ]),
    ]
    const kernel = new Daemon(plan.name, argv, log, true)
    this.#kernel = kernel
    this.#ready = false
    this.#received = ''
    const line = kernel.child.stdio[3] as Duplex
    this.#line = line
    line.on('data', (chunk: Buffer) => this.#take(chunk.toString('latin1')))
    line.on('error', () => {}) // The guest was switched off.
    kernel.child.on('exit', () => this.#hangUp())
    await until(() => this.#ready || !kernel.alive, timeoutMillis)
    if (!this.#ready) {
      await kernel.stop()
      const console = readFileSync(log, 'latin1').slice(-1000)
      throw new Error(`guest ${plan.name} did not boot (${kernel.ended ?? 'no answer'}):\n${console}`)
    }
  }

  /** Runs a bash script in the guest. Scripts may run side by side. */
  run(script: string, timeoutMillis = 30_000): Promise<Outcome> {
    const line = this.#line
    if (!line || !this.alive) return Promise.resolve({ status: 125, output: `guest ${this.name} is off` })
    const id = String(this.#nextId++)
    return new Promise(resolve => {
      // The guest keeps the time itself; this is for one that hangs.
      const timer = setTimeout(
        () => this.#answer(id, { status: 124, output: 'the guest did not answer' }),
        timeoutMillis + 5000,
      )
      this.#waiting.set(id, outcome => {
        clearTimeout(timer)
        resolve(outcome)
      })
      line.write(`${id} ${Math.ceil(timeoutMillis / 1000)} ${Buffer.from(script).toString('base64')}\n`)
    })
  }

  /** Pulls the plug: nothing is said to anyone. */
  async cutPower(): Promise<void> {
    await this.#kernel?.stop()
  }

  #take(text: string): void {
    this.#received += text
    for (let end = this.#received.indexOf('\n'); end >= 0; end = this.#received.indexOf('\n')) {
      const [id, status, output] = this.#received.slice(0, end).trim().split(' ')
      this.#received = this.#received.slice(end + 1)
      if (id === 'ready') this.#ready = true
      else this.#answer(id!, { status: Number(status), output: Buffer.from(output ?? '', 'base64').toString() })
    }
  }

  #answer(id: string, outcome: Outcome): void {
    this.#waiting.get(id)?.(outcome)
    this.#waiting.delete(id)
  }

  #hangUp(): void {
    for (const id of [...this.#waiting.keys()]) this.#answer(id, { status: 125, output: 'the guest was switched off' })
  }
}
