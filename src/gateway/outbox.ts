/** What control has to say to one worker, handed over together at the end of a turn. */

import type { ToWorker } from './messages.ts'

export class Outbox {
  private readonly deliver: (messages: readonly ToWorker[]) => void
  private waiting: ToWorker[] = []

  constructor(deliver: (messages: readonly ToWorker[]) => void) {
    this.deliver = deliver
  }

  add(message: ToWorker): void {
    // One datagram's answers go together: each message by itself takes longer to hand over than to make.
    if (this.waiting.push(message) === 1) queueMicrotask(() => this.flush())
    // But the IKE message that tells the peer of an SA leaves in this very turn: what the peer sends at once must find it.
    if (message.kind === 'installInbound') this.flush()
  }

  private flush(): void {
    const { waiting } = this
    if (waiting.length === 0) return
    this.waiting = []
    this.deliver(waiting)
  }
}
