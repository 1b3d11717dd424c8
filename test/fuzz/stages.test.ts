import { describe, expect, it } from 'vitest'
import { filterOut } from '../../src/firewall/filter.ts'
import { encapsulate as encapsulateL2tp } from '../../src/l2tp/encapsulate.ts'
import { BATCH_CAPACITY, Batch, MAX_PACKET, SLOT_SIZE } from '../../src/packet/batch.ts'
import { emitUdp } from '../../src/packet/ip.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import { encapsulate as encapsulatePpp } from '../../src/ppp/encapsulate.ts'
import {
  ALICE,
  ALICE_ROW,
  BOB,
  BOB_ROW,
  fragments,
  INTERNET,
  icmp,
  LAN_HOST,
  TCP,
  tcp,
  udp,
} from '../firewall/office.ts'
import { inbound, path } from './data-path.ts'
import { FUZZ_TIMEOUT, forSeeds, join, mutate, Rng } from './random.ts'

function inner(rng: Rng): Uint8Array {
  const from = rng.pick([ALICE, ALICE, BOB, LAN_HOST, INTERNET])
  const to = rng.pick([INTERNET, LAN_HOST, ALICE, BOB])
  const size = rng.pick([0, 1, 30, 500, 1340, 1372, 1500])
  switch (rng.below(4)) {
    case 0:
      return udp(from, rng.below(0x10000), to, rng.below(0x10000), size)
    case 1:
      return tcp(
        from,
        rng.below(0x10000),
        to,
        80,
        rng.pick([TCP.SYN, TCP.ACK, TCP.RST, 0]),
        rng.bytes(rng.pick([0, 4, 8])),
      )
    case 2:
      return icmp(from, to, rng.pick([0, 3, 5, 8, 11]), 9)
    default:
      return rng.pick(fragments(udp(from, 1000, to, 2000, 1500), 600, rng.below(0x10000)))
  }
}

/** What open would hand on: UDP, L2TP, PPP and the inner packet, all of them sometimes damaged. */
function opened(rng: Rng): Uint8Array {
  let ip = inner(rng)
  if (rng.chance(30)) ip = mutate(rng, ip)
  const frame = join(rng.pick([Uint8Array.of(0xff, 3, 0, 0x21), Uint8Array.of(0, 0x21), Uint8Array.of(0x21)]), ip)
  const tunnel = rng.pick([0x1111, 0x1111, 0x2222, 0x3333])
  const flags = rng.pick([0x0002, 0x0002, 0x4002, 0x0802, 0x0202, 0x4a02, 0xc802, 0x0003])
  const head: Uint8Array[] = [Uint8Array.of(flags >>> 8, flags)]
  if (flags & 0x4000) head.push(Uint8Array.of((frame.length + 8) >>> 8, frame.length + 8))
  head.push(Uint8Array.of(tunnel >>> 8, tunnel, 0, 7))
  if (flags & 0x0800) head.push(rng.bytes(4))
  if (flags & 0x0200) head.push(Uint8Array.of(0, rng.below(8)))
  const packet = emitUdp(1701, rng.chance(95) ? 1701 : 1702, join(...head, rng.chance(90) ? frame : mutate(rng, frame)))
  return (rng.chance(25) ? mutate(rng, packet) : packet).slice(0, MAX_PACKET)
}

function fates(batch: Batch, rows: number) {
  return Array.from({ length: rows }, (_, i) => ({
    fate: [batch.verdict[i], batch.reason[i], batch.session[i]],
    bytes: batch.verdict[i] === Verdict.Drop ? '' : Buffer.from(batch.packet(i)).toString('hex'),
  }))
}

function fill(rng: Rng, make: () => Uint8Array, columns: (batch: Batch, i: number) => void): Batch {
  const batch = new Batch()
  // What earlier packets left in the slots.
  batch.bytes.set(rng.bytes(1024).subarray(0, 1024), rng.below(batch.bytes.length - 1024))
  for (let i = 1 + rng.below(BATCH_CAPACITY); i > 0; i--) columns(batch, batch.push(make()))
  return batch
}

function inSlot(batch: Batch, i: number): boolean {
  const slot = Math.floor(batch.offset[i]! / SLOT_SIZE)
  return slot === i && batch.offset[i]! + batch.length[i]! <= (i + 1) * SLOT_SIZE
}

describe('the data stages over batches that nobody checked', () => {
  it('in: no packet leaves under a false source, and none touches its neighbours', { timeout: FUZZ_TIMEOUT }, () => {
    let forwarded = 0
    forSeeds(150, seed => {
      const rng = new Rng(seed)
      const together = path()
      const alone = path()
      const batch = fill(
        rng,
        () => opened(rng),
        (b, i) => {
          b.peer[i] = rng.pick([ALICE_ROW.peer, BOB_ROW.peer, 0, 99])
          b.protocol[i] = rng.chance(97) ? 17 : rng.below(256)
        },
      )
      const rows = Array.from({ length: batch.count }, (_, i) => {
        const one = new Batch()
        const at = one.push(batch.packet(i).slice())
        one.peer[at] = batch.peer[i]!
        one.protocol[at] = batch.protocol[i]!
        inbound(one, alone)
        return fates(one, 1)[0]!
      })
      inbound(batch, together)
      expect(fates(batch, batch.count)).toEqual(rows)
      for (let i = 0; i < batch.count; i++) {
        expect(inSlot(batch, i)).toBe(true)
        if (batch.verdict[i] !== Verdict.Forward) continue
        forwarded++
        const source = new DataView(batch.buffer, batch.bytes.byteOffset + batch.offset[i]! + 12).getUint32(0)
        expect(source).toBe(batch.peer[i] === ALICE_ROW.peer ? ALICE : BOB)
        expect(batch.session[i]).toBe(batch.peer[i] === ALICE_ROW.peer ? ALICE_ROW.session : BOB_ROW.session)
      }
    })
    expect(forwarded).toBeGreaterThan(50)
  })

  it('out: every packet goes to the owner of its destination, and fits', { timeout: FUZZ_TIMEOUT }, () => {
    let forwarded = 0
    forSeeds(150, seed => {
      const rng = new Rng(seed)
      const p = path()
      const batch = fill(
        rng,
        () => {
          const ip = inner(rng)
          return (rng.chance(30) ? mutate(rng, ip) : ip).slice(0, MAX_PACKET)
        },
        () => undefined,
      )
      filterOut(batch, p.firewall, 1000)
      const owners = Array.from({ length: batch.count }, (_, i) =>
        batch.verdict[i] === Verdict.Forward
          ? new DataView(batch.buffer, batch.bytes.byteOffset + batch.offset[i]! + 16).getUint32(0)
          : 0,
      )
      encapsulatePpp(batch, p.ppp)
      encapsulateL2tp(batch, p.l2tp)
      expect(batch.count).toBeLessThanOrEqual(BATCH_CAPACITY)
      for (let i = 0; i < batch.count; i++) {
        if (batch.verdict[i] !== Verdict.Forward) continue
        forwarded++
        const row = owners[i] === ALICE ? ALICE_ROW : BOB_ROW
        expect(owners[i]).toBe(row.address)
        expect(batch.peer[i]).toBe(row.peer)
        expect(batch.length[i]).toBeLessThanOrEqual(row.mtu + 4 + 12 + 8)
        expect(batch.offset[i]! % SLOT_SIZE).toBeGreaterThanOrEqual(24)
      }
      expect(p.firewall.replies.count).toBeLessThanOrEqual(BATCH_CAPACITY)
    })
    expect(forwarded).toBeGreaterThan(50)
  })
})
