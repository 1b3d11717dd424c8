/** Drives one machine: handles an input, carries out every effect in order, re-arms its deadline; never re-entrant. */

import type { DeadlineInput, Machine } from '../machine.ts'
import type { Clock, Deadlines } from './deadlines.ts'

export class Driver<Input, Effect> {
  private readonly machine: Machine<Input, Effect>
  private readonly carryOut: (effect: Effect) => void
  private readonly bug: (error: unknown, input: Input | DeadlineInput) => void
  private readonly clock: Clock
  private readonly deadlines: Deadlines
  private readonly queue: (Input | DeadlineInput)[] = []
  private readonly expire = () => this.handle({ kind: 'deadline' })
  private running = false
  private ended = false

  constructor(
    machine: Machine<Input, Effect>,
    to: {
      readonly carryOut: (effect: Effect) => void
      /** Something thrown that is no protocol error: the caller decides what to give up. */
      readonly bug: (error: unknown, input: Input | DeadlineInput) => void
      readonly clock: Clock
      readonly deadlines: Deadlines
    },
  ) {
    this.machine = machine
    this.carryOut = to.carryOut
    this.bug = to.bug
    this.clock = to.clock
    this.deadlines = to.deadlines
  }

  /** Takes an input now, or right after the one in hand when called from one of its effects. */
  handle(input: Input | DeadlineInput): void {
    if (this.ended) return
    this.queue.push(input)
    if (this.running) return
    this.running = true
    try {
      for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) this.step(next)
    } finally {
      this.running = false
    }
    this.rearm()
  }

  /** No further input is taken and no deadline kept. */
  end(): void {
    this.ended = true
    this.queue.length = 0
    this.deadlines.set(this, undefined, () => undefined)
  }

  private step(input: Input | DeadlineInput): void {
    const effects: Effect[] = []
    try {
      this.machine.handle(input, this.clock.now(), effects)
    } catch (e) {
      this.bug(e, input)
    }
    for (const effect of effects) {
      if (this.ended) return
      try {
        this.carryOut(effect)
      } catch (e) {
        this.bug(e, input)
      }
    }
  }

  private rearm(): void {
    if (!this.ended) this.deadlines.set(this, this.machine.deadline, this.expire)
  }
}
