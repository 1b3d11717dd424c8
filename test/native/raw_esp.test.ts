import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { HEADROOM, NEAR_CAPACITY, SLOT_SIZE } from '../../src/packet/batch.ts'
import { DropReason, Verdict } from '../../src/packet/verdict.ts'
import {
  attached,
  Descriptors,
  freePort,
  ipv4,
  LOOPBACK,
  native,
  receiveAll,
  thrownBy,
  waitReadable,
} from './support.ts'

/** Why there can be no raw socket here, or an empty string. */
function obstacle(): string {
  try {
    native.close(native.rawEspSocket(0, 1))
    return ''
  } catch (e) {
    return `${(e as Error).message} (CAP_NET_RAW is needed)`
  }
}
const noRaw = obstacle()
if (noRaw) console.log(`bare ESP is not tested: ${noRaw}`)

const fds = new Descriptors()
afterEach(() => fds.closeAll())

describe.skipIf(noRaw !== '')('raw sockets for ESP', () => {
  it('see the packets of their own SPIs alone', () => {
    const workers = [0, 1, 2].map(worker => fds.keep(native.rawEspSocket(worker, 3)))
    // Loopback may carry other processes' ESP: ours bears a tag.
    const tag = randomBytes(12)
    const spis = [0x100, 0x101, 0x102, 0x103, 0xffffffff, 0x80000000]
    const out = attached()
    for (const spi of spis) {
      const packet = new Uint8Array(100)
      new DataView(packet.buffer).setUint32(0, spi)
      packet.set(tag, 8)
      const row = out.batch.push(packet)
      out.batch.address[row] = ipv4('127.0.0.6')
      out.batch.local[row] = ipv4('127.0.0.5')
    }
    expect(native.sendEsp(-1, workers[0]!, out.handle, spis.length)).toBe(spis.length)

    for (const [worker, fd] of workers.entries()) {
      const { batch, handle } = attached()
      const found: number[] = []
      const expected = spis.filter(spi => spi % 3 === worker)
      while (found.length < expected.length) {
        waitReadable(fd)
        batch.count = native.receiveRaw(fd, handle, 2)
        for (let row = 2; row < batch.count; row++) {
          const packet = batch.packet(row)
          if (Buffer.compare(packet.subarray(8, 20), tag) !== 0) continue
          expect(packet.length).toBe(100)
          expect(batch.offset[row]).toBe(row * SLOT_SIZE + HEADROOM)
          expect(batch.address[row]).toBe(ipv4('127.0.0.5'))
          expect(batch.local[row]).toBe(ipv4('127.0.0.6'))
          expect(batch.port[row]).toBe(0)
          expect(batch.verdict[row]).toBe(Verdict.Forward)
          found.push(new DataView(packet.buffer, packet.byteOffset).getUint32(0))
        }
      }
      expect(found).toEqual(expected)
    }
  })

  it('hand a packet too short for an SPI to the first worker, to be counted', () => {
    const workers = [0, 1].map(worker => fds.keep(native.rawEspSocket(worker, 2)))
    const out = attached()
    for (const length of [0, 1, 3]) {
      const row = out.batch.push(new Uint8Array(length).fill(0x77))
      out.batch.address[row] = ipv4('127.0.0.6')
      out.batch.local[row] = ipv4('127.0.0.4')
    }
    expect(native.sendEsp(-1, workers[0]!, out.handle, 3)).toBe(3)
    const lengths = (fd: number) => {
      const { batch, handle } = attached()
      batch.count = native.receiveRaw(fd, handle, 0)
      return Array.from({ length: batch.count }, (_, i) => i)
        .filter(i => batch.address[i] === ipv4('127.0.0.4'))
        .map(i => batch.length[i])
    }
    waitReadable(workers[0]!)
    expect(lengths(workers[0]!)).toEqual([0, 1, 3])
    expect(lengths(workers[1]!)).toEqual([])
  })

  it('share a batch with UDP: each row goes its own way', () => {
    const port = freePort()
    const udp = fds.keep(native.udpSocket(LOOPBACK, port, false))
    const raw = fds.keep(native.rawEspSocket(0, 1))
    const tag = randomBytes(16)
    const { batch, handle } = attached()
    for (let i = 0; i < NEAR_CAPACITY; i++) {
      const row = batch.push(new Uint8Array([...tag, i]))
      batch.address[row] = LOOPBACK
      batch.port[row] = i % 2 === 0 ? port : 0
      if (i % 8 === 3) batch.local[row] = ipv4('203.0.113.77')
    }
    expect(native.sendEsp(udp, raw, handle, NEAR_CAPACITY)).toBe(NEAR_CAPACITY - 8)
    const failed = Array.from({ length: NEAR_CAPACITY }, (_, i) => i).filter(i => batch.verdict[i] !== 0)
    expect(failed).toEqual([3, 11, 19, 27, 35, 43, 51, 59])
    expect(failed.every(i => batch.reason[i] === DropReason.SendFailed)).toBe(true)

    batch.clear()
    receiveAll(batch, 32, udp, from => native.receiveUdp(udp, handle, from))
    expect(Array.from({ length: 32 }, (_, i) => batch.packet(i)[16])).toEqual(
      Array.from({ length: 32 }, (_, i) => i * 2),
    )
  })

  it('are refused for a worker that there is not', () => {
    expect(thrownBy(() => native.rawEspSocket(2, 2))).toBeInstanceOf(TypeError)
    expect(thrownBy(() => native.rawEspSocket(0, 0))).toBeInstanceOf(TypeError)
  })
})
