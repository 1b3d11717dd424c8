/** Virtual time: what is to happen, in order of time and, at one time, of being entered. */

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
  private readonly heap: Appointment[] = []
  private entered = 0

  /** Enters something for a time; one that is past means now. Answers how to cancel. */
  at(time: Millis, run: () => void): () => void {
    const appointment: Appointment = { at: Math.max(time, this.now), order: this.entered++, run }
    push(this.heap, appointment)
    return () => {
      appointment.run = undefined
    }
  }

  in(delay: Millis, run: () => void): () => void {
    return this.at(this.now + delay, run)
  }

  /** Keeps what is due until `end`, calling `after` behind each. */
  until(end: Millis, after: () => void): void {
    for (let first = this.heap[0]; first !== undefined && first.at <= end; first = this.heap[0]) {
      pop(this.heap)
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

function push(heap: Appointment[], entry: Appointment): void {
  let i = heap.push(entry) - 1
  while (i > 0) {
    const parent = (i - 1) >> 1
    if (!earlier(entry, heap[parent]!)) break
    heap[i] = heap[parent]!
    i = parent
  }
  heap[i] = entry
}

function pop(heap: Appointment[]): void {
  const last = heap.pop()!
  if (heap.length === 0) return
  let i = 0
  for (;;) {
    let child = 2 * i + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && earlier(heap[child + 1]!, heap[child]!)) child++
    if (!earlier(heap[child]!, last)) break
    heap[i] = heap[child]!
    i = child
  }
  heap[i] = last
}
