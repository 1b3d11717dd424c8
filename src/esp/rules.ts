/** What every engine asks of the SAs and peers that control installs; breaking it is a bug of the caller. */

import { REPLAY_WINDOWS } from './replay.ts'
import type { InboundSa, OutboundSa, SaKeys, SaLimits, Suite } from './sa.ts'
import { cipherSizes, integritySizes, isGcm, LAST_SEQUENCE, MAX_PEERS } from './suites.ts'

/** Throws RangeError on a peer number that no engine has a row for. */
export function checkPeer(peer: number): void {
  if (!Number.isInteger(peer) || peer < 0 || peer >= MAX_PEERS) throw new RangeError(`peer ${peer}`)
}

/** Throws RangeError on an SPI, key size, window or limit that cannot be. Says no key. */
export function checkInbound(sa: InboundSa): void {
  checkCommon(sa.peer, sa.spi, sa.suite, sa.keys, sa.limits)
  if (!REPLAY_WINDOWS.includes(sa.replayWindow)) throw new RangeError(`replay window of ${sa.replayWindow} packets`)
}

export function checkOutbound(sa: OutboundSa): void {
  checkCommon(sa.peer, sa.spi, sa.suite, sa.keys, sa.limits)
  const sequence = sa.sequence ?? 0
  if (!Number.isInteger(sequence) || sequence < 0 || sequence > LAST_SEQUENCE) {
    throw new RangeError(`sequence number ${sequence}`)
  }
}

function checkCommon(peer: number, spi: number, suite: Suite, keys: SaKeys, limits: SaLimits): void {
  checkPeer(peer)
  if (!Number.isInteger(spi) || spi < 1 || spi > 0xffffffff) throw new RangeError(`SPI ${spi}`)
  const cipher = cipherSizes[suite.cipher]
  const integrity = integritySizes[suite.integrity]
  if (!cipher || !integrity) throw new RangeError('unknown suite')
  if (isGcm(suite.cipher) !== (suite.integrity === 'gcm'))
    throw new RangeError(`${suite.cipher} with ${suite.integrity}`)
  if (keys.encryption.reveal().length !== cipher.key) throw new RangeError(`${suite.cipher} takes ${cipher.key} bytes`)
  if (keys.integrity.reveal().length !== integrity.key) {
    throw new RangeError(`${suite.integrity} takes ${integrity.key} bytes`)
  }
  if (!(limits.softBytes >= 0 && limits.hardBytes >= 0)) throw new RangeError('negative limit')
}
