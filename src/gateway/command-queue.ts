/** A queue of commands: each starts when the one before has ended. */
export class CommandQueue {
  private tail: Promise<unknown> = Promise.resolve()

  add<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(work)
    this.tail = result.catch(() => undefined)
    return result
  }

  /** Resolves when everything added so far has ended. */
  idle(): Promise<void> {
    return this.tail.then(() => undefined)
  }
}
