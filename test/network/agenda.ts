/** Virtual time: what is to happen, in order of time and, at one time, of being entered. */

import { Heap } from '../../src/heap.ts'
import type { Millis } from '../../src/machine.ts'

export interface Appointment {
  readonly at: Millis
  readonly order: number
  run: (() => void) | undefined
}

export class Agenda {
  now: Millis = 1_000_000
  /** How many appointments were kept. */
  kept = 0
  private readonly heap = new Heap<Appointment>(earlier)
  private entered = 0

  /** Enters something for a time; one that is past means now. Answers how to cancel. */
  at(time: Millis, run: () => void): () => void {
    const appointment: Appointment = { at: Math.max(time, this.now), order: this.entered++, run }
    this.heap.push(appointment)
    return () => {
      appointment.run = undefined
    }
  }

  in(delay: Millis, run: () => void): () => void {
    return this.at(this.now + delay, run)
  }

  /** Keeps what is due until `end`, calling `after` behind each. */
  until(end: Millis, after: () => void): void {
    for (let first = this.heap.first; first !== undefined && first.at <= end; first = this.heap.first) {
      this.heap.pop()
      if (!first.run) continue
      this.now = first.at
      this.kept++
      first.run()
      after()
    }
    this.now = end
  }
}

function earlier(a: Appointment, b: Appointment): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
