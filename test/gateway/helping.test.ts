/** How much is taken at once. */

import { describe, expect, it } from 'vitest'
import type { Cipher } from '../../src/esp/sa.ts'
import { Helping } from '../../src/gateway/helping.ts'
import { BATCH_CAPACITY, Batch, NEAR_CAPACITY, READING_ROOM, SLOT_SIZE } from '../../src/packet/batch.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import { pushSuper, tcpPacket } from '../support/segments.ts'

/** Packets that DES encrypts side by side. */
const LANES = 256
const ciphers: readonly Cipher[] = ['aes128', '3des', 'des', 'aesgcm128']
const [AES, TRIPLE_DES, DES, GCM] = [0, 1, 2, 3]

function helping(): Helping {
  const h = new Helping()
  for (const [peer, cipher] of ciphers.entries()) h.set(peer, cipher)
  return h
}

/** So many packets for each of the peers. */
function batchOf(...counts: readonly (readonly [peer: number, count: number])[]): Batch {
  const batch = new Batch()
  for (const [peer, count] of counts) {
    for (let i = 0; i < count; i++) batch.peer[batch.push(new Uint8Array(40))] = peer
  }
  return batch
}

describe('what is taken at once', () => {
  it.each([
    ['DES', [[DES, 64]], LANES],
    [
      '3DES and DES, most of it',
      [
        [TRIPLE_DES, 20],
        [AES, 31],
        [DES, 13],
      ],
      LANES,
    ],
    [
      'half of it',
      [
        [TRIPLE_DES, 32],
        [GCM, 32],
      ],
      NEAR_CAPACITY,
    ],
    ['AES', [[AES, 64]], NEAR_CAPACITY],
  ] as const)('where a batch was for %s', (_, counts, most) => {
    const h = helping()
    expect(h.most).toBe(NEAR_CAPACITY)
    h.feel(batchOf(...counts))
    expect(h.most).toBe(most)
    // A few packets between two loads change nothing.
    h.feel(batchOf([most === LANES ? AES : DES, 3]))
    h.feel(batchOf())
    expect(h.most).toBe(most)
    h.feel(batchOf([AES, 64]))
    expect(h.most).toBe(NEAR_CAPACITY)
  })

  it('a super-segment counts as what it will be cut into', () => {
    const h = helping()
    const batch = new Batch(READING_ROOM)
    const ends = { source: ipv4('10.0.0.1'), destination: ipv4('10.0.0.2'), sourcePort: 1, destinationPort: 2 }
    for (let i = 0; i < 20; i++) batch.peer[batch.push(new Uint8Array(40))] = AES
    const row = batch.count
    pushSuper(
      batch,
      tcpPacket({ ...ends, sequence: 1, payload: new Uint8Array(30_000) }),
      1400,
      BATCH_CAPACITY * SLOT_SIZE,
    )
    batch.peer[row] = TRIPLE_DES
    h.feel(batch)
    expect(h.most).toBe(LANES)
  })

  it.each([
    ['in turn', 1, BATCH_CAPACITY],
    ['a few in a row', 7, BATCH_CAPACITY],
    ['many in a row', 8, NEAR_CAPACITY],
  ])('where packets of several clients come %s', (_, row, most) => {
    const h = helping()
    h.feel(batchOf(...Array.from({ length: 64 / row }, (_, i) => [i % 2 ? AES : GCM, row] as const)))
    expect(h.most).toBe(most)
    h.feel(batchOf([AES, 64]))
    expect(h.most).toBe(NEAR_CAPACITY)
  })

  it('asks only what goes on: of what was dropped early nobody knows whose it is', () => {
    const h = helping()
    const batch = batchOf(...Array.from({ length: 64 }, (_, i) => [i % 2 ? AES : GCM, 1] as const))
    for (let i = 32; i < 64; i++) {
      batch.verdict[i] = Verdict.Drop
      batch.peer[i] = 0
    }
    h.feel(batch)
    expect(h.most).toBe(BATCH_CAPACITY)
    batch.verdict.fill(Verdict.Drop, 0, 64)
    h.feel(batch)
    expect(h.most).toBe(BATCH_CAPACITY)
  })

  it('follows who renews his SA with another cipher', () => {
    const h = helping()
    h.set(AES, '3des')
    h.feel(batchOf([AES, 64]))
    expect(h.most).toBe(LANES)
    h.set(AES, 'aes128')
    h.feel(batchOf([AES, 64]))
    expect(h.most).toBe(NEAR_CAPACITY)
  })
})
