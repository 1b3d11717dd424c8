/** What ESP leaves of a path's MTU is measured by sealing: the largest inner packet fits, and one byte more does not. */

import { expect, test } from 'vitest'
import { innerMtu } from '../../src/esp/overhead.ts'
import { ReferenceEngine } from '../../src/esp/reference.ts'
import { batchOf, dice, outboundSa, path, suites } from './support.ts'

/** UDP, L2TP with its length field or with sequence numbers, and PPP uncompressed. */
const PLAIN = 8 + 8 + 4
const SEQUENCED = 8 + 10 + 4

const cases = suites.flatMap(suite => [PLAIN, SEQUENCED].map(headers => ({ suite, headers, ...suite })))

test.each(cases)('$cipher and $integrity behind $headers bytes', ({ suite, headers }) => {
  const engine = new ReferenceEngine(dice('overhead'))
  engine.setPath({ peer: 0, ...path })
  engine.installOutbound(outboundSa(suite, 0, 0x1000))
  const outer = (inner: number, udpEncapsulated: boolean) => {
    const batch = batchOf([{ bytes: new Uint8Array(headers + inner) }])
    engine.seal(batch)
    return 20 + (udpEncapsulated ? 8 : 0) + batch.length[0]!
  }
  for (const udpEncapsulated of [false, true]) {
    for (const pathMtu of [576, 1280, 1400, 1492, 1500]) {
      const largest = innerMtu(suite, udpEncapsulated, pathMtu, headers === SEQUENCED)
      expect(outer(largest, udpEncapsulated)).toBeLessThanOrEqual(pathMtu)
      expect(outer(largest + 1, udpEncapsulated)).toBeGreaterThan(pathMtu)
    }
  }
})
