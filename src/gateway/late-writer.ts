/** Text that goes out once in each turn of the event loop, however many lines it came in: each write is a system call. */

export class LateWriter {
  private waiting = ''
  private readonly write: (text: string) => void

  constructor(write: (text: string) => void) {
    this.write = write
  }

  add(text: string): void {
    if (this.waiting === '') setImmediate(() => this.flush())
    this.waiting += text
  }

  /** Writes what waits, at once. */
  flush(): void {
    const text = this.waiting
    this.waiting = ''
    if (text !== '') this.write(text)
  }
}
