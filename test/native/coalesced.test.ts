import { afterEach, describe, expect, it } from 'vitest'
import {
  BATCH_CAPACITY,
  Batch,
  COALESCED_ROOM,
  COALESCED_STRIDE,
  MAX_PACKET,
  NEAR_CAPACITY,
} from '../../src/packet/batch.ts'
import { DropReason, Verdict } from '../../src/packet/verdict.ts'
import { attached, Descriptors, freePort, LOOPBACK, native, thrownBy, waitReadable } from './support.ts'

const fds = new Descriptors()
afterEach(() => fds.closeAll())

/** A socket that takes datagrams coalesced, and one to send from. */
function pair() {
  const port = freePort()
  const here = fds.keep(native.udpSocket(LOOPBACK, port, false))
  const able = native.coalesceUdp(here)
  return { here, port, there: fds.keep(native.udpSocket(LOOPBACK, freePort(), false)), able }
}

const room = () => {
  const batch = new Batch(COALESCED_ROOM)
  return { batch, handle: native.attach(batch.buffer) }
}

/** Sends datagrams of these sizes, each filled with its number, by one call: the kernel keeps neighbours of one size together. */
function send(there: number, port: number, sizes: readonly number[], first = 0): void {
  const { batch, handle } = attached()
  for (const [i, size] of sizes.entries()) {
    const row = batch.push(new Uint8Array(size).fill(first + i))
    batch.address[row] = LOOPBACK
    batch.port[row] = port
  }
  expect(native.sendEsp(there, -1, handle, batch.count)).toBe(sizes.length)
}

/** What comes, batch by batch, until none comes any more. */
function receive(here: number, { batch, handle }: ReturnType<typeof room>): { sizes: number[]; values: number[] }[] {
  const out: { sizes: number[]; values: number[] }[] = []
  waitReadable(here)
  for (;;) {
    batch.count = native.receiveUdp(here, handle, 0)
    if (batch.count === 0) return out
    const rows = Array.from({ length: batch.count }, (_, i) => batch.packet(i))
    for (const p of rows) expect(p.every(b => b === p[0])).toBe(true)
    out.push({ sizes: rows.map(p => p.length), values: rows.map(p => p[0] ?? -1) })
  }
}

const count = (n: number, first = 0) => Array.from({ length: n }, (_, i) => first + i)

const { able } = pair()
fds.closeAll()
if (!able.gro) console.log('coalesced datagrams are not tested: the kernel has no UDP_GRO')

describe.skipIf(!able.gro)('coalesced datagrams', () => {
  it('become rows where they lie, with their way', () => {
    const { here, there, port } = pair()
    send(there, port, [...new Array<number>(30).fill(1400), 700])
    const batch = room()
    expect(receive(here, batch)).toEqual([{ sizes: [...new Array(30).fill(1400), 700], values: count(31) }])
    expect([...batch.batch.offset.subarray(0, 31)]).toEqual(count(31).map(i => i * 1400))
    expect([...batch.batch.address.subarray(0, 31)]).toEqual(new Array(31).fill(LOOPBACK))
    expect([...batch.batch.local.subarray(0, 31)]).toEqual(new Array(31).fill(LOOPBACK))
    expect(new Set(batch.batch.port.subarray(0, 31)).size).toBe(1)
  })

  it('of many messages fill batch after batch, in order, none lost', () => {
    const { here, there, port } = pair()
    for (let i = 0; i < 5; i++) send(there, port, new Array<number>(40).fill(100 + i), i * 40)
    const came = receive(here, room())
    expect(came.flatMap(b => b.values)).toEqual(count(200))
    expect(came.flatMap(b => b.sizes)).toEqual(count(200).map(i => 100 + Math.floor(i / 40)))
    expect(came[0]!.values.length).toBe(NEAR_CAPACITY)
  })

  it('are so many rows as are asked for, where that is more than a small batch', () => {
    const { here, there, port } = pair()
    for (let i = 0; i < 15; i++) send(there, port, new Array<number>(40).fill(50), i * 40)
    const batch = room()
    waitReadable(here)
    expect((batch.batch.count = native.receiveUdp(here, batch.handle, 0, 1000))).toBe(BATCH_CAPACITY)
    expect(Array.from({ length: BATCH_CAPACITY }, (_, i) => batch.batch.packet(i)[0])).toEqual(
      count(BATCH_CAPACITY).map(n => n & 0xff),
    )
  })

  it('of one call are as many messages as the kernel makes of them, 64 in each', () => {
    const { here, there, port } = pair()
    send(there, port, new Array<number>(200).fill(100))
    const batch = room()
    waitReadable(here)
    const values: number[] = []
    for (const at of [64, 64, 64, 8]) {
      expect((batch.batch.count = native.receiveUdp(here, batch.handle, 0))).toBe(at)
      expect([...batch.batch.offset.subarray(0, at)]).toEqual(count(at).map(i => batch.batch.offset[0]! + i * 100))
      for (let i = 0; i < at; i++) values.push(batch.batch.packet(i)[0]!)
    }
    expect(values).toEqual(count(200))
  })

  it('ask for no more messages than lately filled a batch, and for all again when they are single', () => {
    const { here, there, port } = pair()
    const batch = room()
    send(there, port, new Array<number>(40).fill(90))
    expect(receive(here, batch).map(b => b.values.length)).toEqual([40])
    send(there, port, new Array<number>(40).fill(90))
    send(there, port, [5])
    send(there, port, [6])
    // One message at a time, since the last had 40 datagrams; then as many as there are.
    expect(receive(here, batch).map(b => b.values.length)).toEqual([40, 1, 1])
    for (let i = 0; i < 10; i++) send(there, port, [i + 1])
    expect(receive(here, batch).map(b => b.values.length)).toEqual([10])
  })

  it('may be empty, or too large for a packet', () => {
    const { here, there, port } = pair()
    const { batch, handle } = room()
    for (const size of [0, MAX_PACKET, MAX_PACKET + 1, 30_000, 1])
      native.sendTo(there, 0, LOOPBACK, port, new Uint8Array(size).fill(size))
    waitReadable(here)
    batch.count = native.receiveUdp(here, handle, 0)
    expect([...batch.length.subarray(0, batch.count)]).toEqual([0, MAX_PACKET, MAX_PACKET, MAX_PACKET, 1])
    const { Forward, Drop } = Verdict
    expect([...batch.verdict.subarray(0, 5)]).toEqual([Forward, Forward, Drop, Drop, Forward])
    expect([...batch.reason.subarray(0, 5)]).toEqual([0, 0, DropReason.TooBig, DropReason.TooBig, 0])
    expect([...batch.offset.subarray(0, 5)]).toEqual(count(5).map(i => i * COALESCED_STRIDE))
  })

  it('stay what they were in a batch of the ordinary size, whose socket did not ask for them', () => {
    const port = freePort()
    const here = fds.keep(native.udpSocket(LOOPBACK, port, false))
    send(fds.keep(native.udpSocket(LOOPBACK, freePort(), false)), port, new Array<number>(20).fill(1000))
    const { batch, handle } = attached()
    waitReadable(here)
    batch.count = native.receiveUdp(here, handle, 0)
    expect([...batch.length.subarray(0, batch.count)]).toEqual(new Array(20).fill(1000))
  })
})

describe('asking for coalesced datagrams', () => {
  it('says what the kernel has, which a raw descriptor has not', () => {
    expect(pair().able).toEqual({ gro: expect.any(Boolean), gso: expect.any(Boolean) })
    expect(native.coalesceUdp(fds.keep(native.eventFd()))).toEqual({ gro: false, gso: false })
  })

  it('throws over a closed socket', () => {
    expect(thrownBy(() => native.receiveUdp(-1, room().handle, 0)).code).toBe('EBADF')
  })
})
