/** An SA as control's message carries it, made what the engine takes. */

import type { InboundSa, OutboundSa } from '../esp/sa.ts'
import { cipherSizes } from '../esp/suites.ts'
import { Secret } from '../packet/bytes.ts'
import type { SaMessage } from './messages.ts'

/** Of either direction. Written out, since V8 keeps what was spread and added to alive for too long. */
export function securityAssociation(m: SaMessage): InboundSa & OutboundSa {
  const { key } = cipherSizes[m.suite.cipher]
  return {
    spi: m.spi,
    peer: m.peer,
    suite: m.suite,
    keys: { encryption: new Secret(m.keys.subarray(0, key)), integrity: new Secret(m.keys.subarray(key)) },
    replayWindow: m.replayWindow,
    limits: { softBytes: m.softBytes, hardBytes: m.hardBytes },
  }
}
