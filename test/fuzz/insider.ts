/** A client that has the key and means no good. */

import type { IkeEffect } from '../../src/ike/effects.ts'
import type { Payload } from '../../src/ike/message.ts'
import { Client } from '../ike/gateway.ts'
import { windows10 } from '../support/windows.ts'

/** Groups and ciphers that take little time. */
export const fast = { ...windows10, offers: [{ cipher: 'aes256', hash: 'sha1', group: 19 }] } as const

type Protect = (exchange: number, messageId: number, payloads: readonly Payload[]) => { bytes: Uint8Array }

export class Insider extends Client {
  /** Hears what it protects by itself, before that. */
  heard: (exchange: number, payloads: readonly Payload[]) => void = () => undefined
  /** Any payloads under a right HASH(1). */
  private readonly protect: Protect

  constructor(...args: ConstructorParameters<typeof Client>) {
    super(...args)
    const inner = this.ike as unknown as { protectExchange: Protect }
    this.protect = inner.protectExchange.bind(inner)
    inner.protectExchange = (exchange, messageId, payloads) => {
      this.heard(exchange, payloads)
      return this.protect(exchange, messageId, payloads)
    }
  }

  /** What one message brings about. */
  throw(exchange: number, messageId: number, payloads: readonly Payload[]): IkeEffect[] {
    return this.gateway.datagram(this.remote, this.ike.port, this.protect(exchange, messageId, payloads).bytes)
  }
}
