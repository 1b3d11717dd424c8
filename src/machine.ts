/**
 * The contract of every control-plane machine: time, dice and output are arguments; nothing here does I/O.
 *
 * The one law: the driver calls `handle`, carries out every effect that it appended, then reads `deadline` and calls
 * `handle` again with `{ kind: 'deadline' }` no earlier than then. A machine never keeps the array it was given.
 */

/** Milliseconds on a monotonic clock whose zero means nothing. */
export type Millis = number

/** The input that says: the time you asked for has come. */
export interface DeadlineInput {
  readonly kind: 'deadline'
}

export interface Machine<Input, Effect> {
  /** Takes one input and appends what the driver must do, in order. */
  handle(input: Input | DeadlineInput, now: Millis, effects: Effect[]): void
  /** When to call again, or undefined where nothing waits. Never in the past after a `deadline` input. */
  readonly deadline: Millis | undefined
}

/** Fresh unpredictable bytes; tests hand in a fixed sequence. */
export type Dice = (length: number) => Uint8Array
