/** An SA as control's message carries it, made what the engine takes. */

import type { InboundSa, OutboundSa } from '../esp/sa.ts'
import { Secret } from '../packet/bytes.ts'
import type { SaMessage } from './messages.ts'

export function securityAssociation(m: SaMessage): Omit<InboundSa, 'replayWindow'> & OutboundSa {
  return {
    spi: m.spi,
    peer: m.peer,
    suite: m.suite,
    keys: { encryption: new Secret(m.encryptionKey), integrity: new Secret(m.integrityKey) },
    limits: { softBytes: m.softBytes, hardBytes: m.hardBytes },
  }
}
