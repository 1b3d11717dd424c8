/** A guest: a Linux of its own in User-mode Linux, wired into a namespace and told what to do over its serial line. */
import { readFileSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { Daemon, type Outcome, PATIENCE_MILLIS, until } from '../support/command.ts'
import { AgentLine } from './agent-line.ts'

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
  #line: AgentLine | undefined

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
  async boot(timeoutMillis = 180_000): Promise<void> {
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
    const line = new AgentLine(plan.name, kernel.child.stdio[3] as Duplex)
    this.#line = line
    kernel.child.on('exit', () => line.hangUp())
    await until(() => line.ready || !kernel.alive, timeoutMillis)
    if (!line.ready) {
      await kernel.stop()
      const console = readFileSync(log, 'latin1').slice(-1000)
      throw new Error(`guest ${plan.name} did not boot (${kernel.ended ?? 'no answer'}):\n${console}`)
    }
  }

  /** Runs a bash script in the guest. Scripts may run side by side. */
  async run(script: string, timeoutMillis = PATIENCE_MILLIS): Promise<Outcome> {
    if (!this.#line || !this.alive) return { status: 125, output: `guest ${this.name} is off` }
    return await this.#line.run(script, timeoutMillis)
  }

  /** Pulls the plug: nothing is said to anyone. */
  async cutPower(): Promise<void> {
    await this.#kernel?.stop()
  }
}
