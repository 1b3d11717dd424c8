/** SAs as control's messages carry them, made what the engine takes. */

import type { InboundSa, OutboundSa, SaKeys } from '../esp/sa.ts'
import { cipherSizes } from '../esp/suites.ts'
import { Secret } from '../packet/bytes.ts'
import type { SaMessage } from './messages.ts'

/** More than any suite's keys have. */
const KEY_ROOM = 128

/** One place for the SA in hand, so that none leaves garbage. */
export class SaRoom {
  private readonly bytes = new Uint8Array(KEY_ROOM)
  /** Keys in it, by the length of the first and that of both. */
  private readonly keys: SaKeys[][] = []
  private readonly limits = { softBytes: 0, hardBytes: 0 }
  private readonly sa: { -readonly [K in keyof (InboundSa & OutboundSa)]: (InboundSa & OutboundSa)[K] } = {
    spi: 0,
    peer: 0,
    suite: { cipher: 'aes128', integrity: 'sha1' },
    keys: this.keysOf(0, 0),
    replayWindow: 0,
    limits: this.limits,
  }

  /** Of either direction, until the next; the message's keys are zeroed, and whoever takes the SA zeroes or copies its own. */
  of(m: SaMessage): InboundSa & OutboundSa {
    const { sa, limits, bytes } = this
    const { length } = m.keys
    if (length > KEY_ROOM) throw new RangeError(`keys of ${length} bytes`)
    for (let i = 0; i < length; i++) bytes[i] = m.keys[i]!
    m.keys.fill(0)
    sa.spi = m.spi
    sa.peer = m.peer
    sa.suite = m.suite
    sa.keys = this.keysOf(cipherSizes[m.suite.cipher].key, length)
    sa.replayWindow = m.replayWindow
    limits.softBytes = m.softBytes
    limits.hardBytes = m.hardBytes
    return sa
  }

  private keysOf(first: number, both: number): SaKeys {
    this.keys[first] ??= []
    this.keys[first][both] ??= {
      encryption: new Secret(this.bytes.subarray(0, first)),
      integrity: new Secret(this.bytes.subarray(first, both)),
    }
    return this.keys[first][both]
  }
}
