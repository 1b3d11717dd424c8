import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { BATCH_CAPACITY, HEADROOM, MAX_PACKET, NEAR_CAPACITY, SLOT_SIZE } from '../../src/packet/batch.ts'
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

const fds = new Descriptors()
afterEach(() => fds.closeAll())

/** A bound socket and its port. */
function bound(address = LOOPBACK): { fd: number; port: number } {
  const port = freePort()
  return { fd: fds.keep(native.udpSocket(address, port, false)), port }
}

describe('a receive buffer', () => {
  it('fills with what nobody reads, and is good again once it was read', () => {
    const socket = bound()
    expect(native.receiveFill(socket.fd)).toBe(0)
    for (let i = 0; i < 400; i++) native.sendTo(socket.fd, 0, LOOPBACK, socket.port, new Uint8Array(1400))
    expect(native.receiveFill(socket.fd)).toBeGreaterThan(65536 / 16)
    const bytes = new Uint8Array(2000)
    let read = 0
    while (native.receiveOne(socket.fd, bytes)) read++
    expect(read).toBeGreaterThan(100)
    // What was read last is given back a little later: at most a quarter of the buffer.
    native.sendTo(socket.fd, 0, LOOPBACK, socket.port, new Uint8Array(1))
    native.receiveOne(socket.fd, bytes)
    expect(thrownBy(() => native.receiveFill(-1))).toMatchObject({ code: 'EBADF', syscall: 'getsockopt' })
  })
})

describe('single datagrams', () => {
  it('arrive whole, whatever a batch could hold, with their way', () => {
    const here = bound(ipv4('127.0.0.2'))
    const there = bound(0)
    const bytes = new Uint8Array(20_000)
    expect(native.receiveOne(there.fd, bytes)).toBeUndefined()
    for (const size of [0, 1, MAX_PACKET + 1, 9000, 16_388])
      native.sendTo(here.fd, 0, ipv4('127.0.0.3'), there.port, new Uint8Array(size).fill(size & 0xff))
    for (const size of [0, 1, MAX_PACKET + 1, 9000, 16_388]) {
      waitReadable(there.fd)
      expect(native.receiveOne(there.fd, bytes)).toEqual({
        length: size,
        segment: 0,
        address: ipv4('127.0.0.2'),
        port: here.port,
        local: ipv4('127.0.0.3'),
      })
      expect(bytes.subarray(0, size)).toEqual(new Uint8Array(size).fill(size & 0xff))
    }
    expect(native.receiveOne(there.fd, bytes)).toBeUndefined()
  })

  it('tell their own length where they are longer than the room for them, and write nothing behind it', () => {
    const socket = bound()
    native.sendTo(socket.fd, 0, LOOPBACK, socket.port, new Uint8Array(5000).fill(1))
    waitReadable(socket.fd)
    const bytes = new Uint8Array(200)
    expect(native.receiveOne(socket.fd, bytes.subarray(0, 100))).toMatchObject({ length: 5000 })
    expect(bytes.subarray(100)).toEqual(new Uint8Array(100))
  })

  it('throw over what is no socket, and what are no bytes', () => {
    expect(thrownBy(() => native.receiveOne(-1, new Uint8Array(1)))).toMatchObject({ code: 'EBADF' })
    expect(() => native.receiveOne(0, 'bytes' as unknown as Uint8Array)).toThrow(TypeError)
  })
})

describe('UDP batches', () => {
  it('arrive with address, port and local address in their columns', () => {
    const here = bound(ipv4('127.0.0.2'))
    const there = bound(0)
    const out = attached()
    for (let i = 0; i < NEAR_CAPACITY; i++) {
      const row = out.batch.push(new Uint8Array(i + 1).fill(i))
      out.batch.address[row] = ipv4('127.0.0.3')
      out.batch.port[row] = there.port
      out.batch.local[row] = ipv4('127.0.0.2')
    }
    expect(native.sendEsp(here.fd, -1, out.handle, out.batch.count)).toBe(NEAR_CAPACITY)

    const { batch, handle } = attached()
    for (const column of [batch.peer, batch.session, batch.sa, batch.protocol, batch.reason, batch.verdict])
      column.fill(9)
    receiveAll(batch, NEAR_CAPACITY, there.fd, from => native.receiveUdp(there.fd, handle, from))
    for (let i = 0; i < NEAR_CAPACITY; i++) {
      expect(batch.packet(i)).toEqual(new Uint8Array(i + 1).fill(i))
      expect(batch.offset[i]).toBe(i * SLOT_SIZE + HEADROOM)
      expect(batch.address[i]).toBe(ipv4('127.0.0.2'))
      expect(batch.port[i]).toBe(here.port)
      expect(batch.local[i]).toBe(ipv4('127.0.0.3'))
      expect([batch.peer[i], batch.session[i], batch.sa[i], batch.protocol[i]]).toEqual([0, 0, 0, 0])
      expect([batch.verdict[i], batch.reason[i]]).toEqual([Verdict.Forward, DropReason.None])
    }
  })

  it('are received behind the rows that are already there', () => {
    const socket = bound()
    const { batch, handle } = attached()
    batch.push(new Uint8Array([1, 2, 3]))
    expect(native.sendTo(socket.fd, 0, LOOPBACK, socket.port, new Uint8Array([7, 8]))).toBe(true)
    waitReadable(socket.fd)
    expect(native.receiveUdp(socket.fd, handle, 1)).toBe(2)
    expect(batch.packet(0)).toEqual(new Uint8Array([1, 2, 3]))
    expect(batch.packet(1)).toEqual(new Uint8Array([7, 8]))
  })

  it('are received no more than were asked for, and the others stay', () => {
    const socket = bound()
    const { batch, handle } = attached()
    for (let i = 0; i < 3; i++) native.sendTo(socket.fd, 0, LOOPBACK, socket.port, new Uint8Array([i]))
    waitReadable(socket.fd)
    expect(native.receiveUdp(socket.fd, handle, 0, 1)).toBe(1)
    expect(batch.packet(0)).toEqual(new Uint8Array([0]))
    expect(native.receiveUdp(socket.fd, handle, 0)).toBe(2)
    expect(batch.packet(1)).toEqual(new Uint8Array([2]))
  })

  it('are as they were where nothing waits', () => {
    const socket = bound()
    const { handle } = attached()
    expect(native.receiveUdp(socket.fd, handle, 3)).toBe(3)
    expect(native.receiveUdp(socket.fd, handle, BATCH_CAPACITY)).toBe(BATCH_CAPACITY)
  })

  it('make a datagram larger than the slot a dropped row, and its neighbours good ones', () => {
    const socket = bound()
    for (const size of [MAX_PACKET, MAX_PACKET + 1, 0, 5]) {
      native.sendTo(socket.fd, 0, LOOPBACK, socket.port, new Uint8Array(size).fill(size))
    }
    const { batch, handle } = attached()
    receiveAll(batch, 4, socket.fd, from => native.receiveUdp(socket.fd, handle, from))
    expect([...batch.verdict.subarray(0, 4)]).toEqual([0, Verdict.Drop, 0, 0])
    expect([...batch.reason.subarray(0, 4)]).toEqual([0, DropReason.TooBig, 0, 0])
    expect([...batch.length.subarray(0, 4)]).toEqual([MAX_PACKET, MAX_PACKET, 0, 5])
    expect(batch.packet(3)).toEqual(new Uint8Array(5).fill(5))
  })

  it('send from wherever the packet starts now', () => {
    const socket = bound()
    const out = attached()
    const row = out.batch.push(new Uint8Array([1, 2, 3, 4, 5]))
    out.batch.offset[row] = out.batch.offset[row]! + 2
    out.batch.length[row] = 2
    out.batch.address[row] = LOOPBACK
    out.batch.port[row] = socket.port
    expect(native.sendEsp(socket.fd, -1, out.handle, 1)).toBe(1)
    const { batch, handle } = attached()
    receiveAll(batch, 1, socket.fd, from => native.receiveUdp(socket.fd, handle, from))
    expect(batch.packet(0)).toEqual(new Uint8Array([3, 4]))
  })

  it('mark exactly the rows that the kernel refused, and send the others', () => {
    const socket = bound()
    const out = attached()
    // Of each five rows: good, impossible source, dropped by a stage before, outside of the batch, good.
    for (let i = 0; i < 40; i++) {
      const row = out.batch.push(new Uint8Array([i]))
      out.batch.address[row] = LOOPBACK
      out.batch.port[row] = socket.port
      if (i % 5 === 1) out.batch.local[row] = ipv4('203.0.113.77')
      if (i % 5 === 2) {
        out.batch.verdict[row] = Verdict.Drop
        out.batch.reason[row] = DropReason.Policy
      }
      if (i % 5 === 3) out.batch.offset[row] = out.batch.bytes.length
    }
    expect(native.sendEsp(socket.fd, -1, out.handle, out.batch.count)).toBe(16)
    const { batch, handle } = attached()
    receiveAll(batch, 16, socket.fd, from => native.receiveUdp(socket.fd, handle, from))
    const arrived = Array.from({ length: 16 }, (_, i) => batch.packet(i)[0])
    expect(arrived).toEqual(Array.from({ length: 40 }, (_, i) => i).filter(i => i % 5 === 0 || i % 5 === 4))
    for (let i = 0; i < 40; i++) {
      const expected = { 0: 0, 1: DropReason.SendFailed, 2: DropReason.Policy, 3: DropReason.SendFailed, 4: 0 }[i % 5]
      expect(out.batch.reason[i]).toBe(expected)
      expect(out.batch.verdict[i]).toBe(expected === 0 ? Verdict.Forward : Verdict.Drop)
    }
  })

  it('arrive complete and in order, whatever the kernel was given as one message', () => {
    const sender = bound(0)
    const receivers = [bound(), bound(ipv4('127.0.0.2'))].map(r => ({ ...r, ...attached() }))
    const addresses = [LOOPBACK, ipv4('127.0.0.2')]
    // Few lengths, so that runs of equal ones, of shorter ones and of empty ones meet each other.
    const length = fc.constantFrom(0, 1, 2, 700, 700, 700, 1472, 1473, MAX_PACKET)
    const row = fc.record({ to: fc.nat(1), length, impossible: fc.integer({ min: 0, max: 9 }).map(n => n === 0) })
    const runs = fc.array(fc.tuple(row, fc.integer({ min: 1, max: 20 })), { maxLength: 12 })
    fc.assert(
      fc.property(runs, runsOfRows => {
        const rows = runsOfRows.flatMap(([r, times]) => new Array<typeof r>(times).fill(r)).slice(0, BATCH_CAPACITY)
        const out = attached()
        for (const [i, r] of rows.entries()) {
          const at = out.batch.push(new Uint8Array(r.length).fill(i + 1))
          out.batch.address[at] = addresses[r.to]!
          out.batch.port[at] = receivers[r.to]!.port
          if (r.impossible) out.batch.local[at] = ipv4('203.0.113.77')
        }
        const possible = rows.filter(r => !r.impossible).length
        expect(native.sendEsp(sender.fd, -1, out.handle, rows.length)).toBe(possible)
        for (const [i, r] of rows.entries()) {
          expect(out.batch.reason[i]).toBe(r.impossible ? DropReason.SendFailed : DropReason.None)
        }
        for (const [to, receiver] of receivers.entries()) {
          const expected = rows.flatMap((r, i) => (r.to === to && !r.impossible ? [[r.length, i + 1]] : []))
          const arrived: Uint8Array[] = []
          while (arrived.length < expected.length) {
            const wanted = Math.min(NEAR_CAPACITY, expected.length - arrived.length)
            receiver.batch.clear()
            receiveAll(receiver.batch, wanted, receiver.fd, from =>
              native.receiveUdp(receiver.fd, receiver.handle, from),
            )
            for (let i = 0; i < wanted; i++) arrived.push(receiver.batch.packet(i).slice())
          }
          expect(arrived.map((bytes, i) => [bytes.length, bytes[0] ?? expected[i]?.[1]])).toEqual(expected)
          expect(arrived.every(bytes => bytes.every(b => b === bytes[0]))).toBe(true)
        }
      }),
    )
  })

  it('go together with those for the same place, wherever they are, or apart where that is asked for', () => {
    const sender = bound(0)
    const places = Array.from({ length: 3 }, () => bound())
    const able = places.map(place => native.coalesceUdp(place.fd)).every(a => a.gro && a.gso)
    const { batch, handle } = attached()
    for (let i = 0; i < 60; i++) {
      // The second place's are longer from the middle on, the third's get shorter in between.
      const size = [100, i < 30 ? 100 : 101, i % 15 === 14 ? 50 : 100][i % 3]!
      const row = batch.push(new Uint8Array(size).fill(i))
      batch.address[row] = LOOPBACK
      batch.port[row] = places[i % 3]!.port
    }
    const trains = [[20], [10, 10], [5, 5, 5, 5]]
    const bytes = new Uint8Array(65_536)
    for (const apart of [false, true]) {
      expect(native.sendEsp(sender.fd, -1, handle, 60, apart)).toBe(60)
      for (const [p, place] of places.entries()) {
        const cars: number[] = []
        const values: number[] = []
        waitReadable(place.fd)
        for (let got = native.receiveOne(place.fd, bytes); got; got = native.receiveOne(place.fd, bytes)) {
          const segment = got.segment || got.length
          cars.push(Math.ceil(got.length / segment))
          for (let at = 0; at < got.length; at += segment) values.push(bytes[at]!)
        }
        expect(values).toEqual(Array.from({ length: 20 }, (_, i) => 3 * i + p))
        expect(cars).toEqual(apart || !able ? new Array(20).fill(1) : trains[p])
      }
    }
  })

  it('drop rows without a socket for their way, or without an address', () => {
    const socket = bound()
    const { batch, handle } = attached()
    for (const [address, port] of [
      [LOOPBACK, 0],
      [0, socket.port],
      [LOOPBACK, socket.port],
      [LOOPBACK, 70_000],
    ] as const) {
      const row = batch.push(new Uint8Array([1]))
      batch.address[row] = address
      batch.port[row] = port
    }
    expect(native.sendEsp(socket.fd, -1, handle, 4)).toBe(1)
    const failed = DropReason.SendFailed
    expect([...batch.reason.subarray(0, 4)]).toEqual([failed, failed, 0, failed])
  })

  it('go on after a port was unreachable', () => {
    const socket = bound()
    const { batch, handle } = attached()
    const nobody = freePort()
    for (const port of [nobody, socket.port, nobody, socket.port]) {
      const row = batch.push(new Uint8Array([5]))
      batch.address[row] = LOOPBACK
      batch.port[row] = port
    }
    expect(native.sendEsp(socket.fd, -1, handle, 4)).toBe(4)
    expect(native.sendEsp(socket.fd, -1, handle, 4)).toBe(4)
    batch.clear()
    receiveAll(batch, 4, socket.fd, from => native.receiveUdp(socket.fd, handle, from))
    expect(batch.count).toBe(4)
  })
})

describe('UDP sockets', () => {
  it('bear the errno in what they throw', () => {
    const taken = bound()
    const error = thrownBy(() => native.udpSocket(LOOPBACK, taken.port, false))
    expect(error.code).toBe('EADDRINUSE')
    expect(error.syscall).toBe('bind')
    expect(error.errno).toBe(-98)
    expect(error.message).toContain('EADDRINUSE')
  })

  it('share a port when asked', () => {
    const port = freePort()
    fds.keep(native.udpSocket(LOOPBACK, port, true))
    expect(fds.keep(native.udpSocket(LOOPBACK, port, true))).toBeGreaterThan(0)
  })

  it('refuse a port that is none', () => {
    expect(thrownBy(() => native.udpSocket(LOOPBACK, 65_536, false))).toBeInstanceOf(TypeError)
    expect(thrownBy(() => native.sendTo(0, 0, LOOPBACK, 65_536, new Uint8Array(1)))).toBeInstanceOf(TypeError)
  })

  it('throw on a descriptor that is closed or no socket', () => {
    const { handle } = attached()
    const event = fds.keep(native.eventFd())
    expect(thrownBy(() => native.receiveUdp(event, handle, 0)).code).toBe('ENOTSOCK')
    expect(thrownBy(() => native.sendTo(-1, 0, LOOPBACK, 9, new Uint8Array(1))).code).toBe('EBADF')
    expect(thrownBy(() => native.close(-1)).code).toBe('EBADF')
  })

  it('send one datagram from the address asked for', () => {
    const here = bound(0)
    const there = bound(ipv4('127.0.0.9'))
    expect(native.sendTo(here.fd, ipv4('127.0.0.4'), ipv4('127.0.0.9'), there.port, new Uint8Array([1, 2]))).toBe(true)
    const { batch, handle } = attached()
    receiveAll(batch, 1, there.fd, from => native.receiveUdp(there.fd, handle, from))
    expect(batch.address[0]).toBe(ipv4('127.0.0.4'))
    expect(batch.packet(0)).toEqual(new Uint8Array([1, 2]))
  })

  it('throw where the source address is not ours', () => {
    const { fd } = bound(0)
    const error = thrownBy(() => native.sendTo(fd, ipv4('203.0.113.77'), LOOPBACK, 9, new Uint8Array(1)))
    // Which of the two depends on the host's routes.
    expect(['EINVAL', 'ENETUNREACH']).toContain(error.code)
    expect(error.syscall).toBe('sendmsg')
  })
})

describe('a group of a control socket and two workers', () => {
  it('gets each packet at the socket that its first word names', () => {
    const port = freePort()
    const group = [0, 1, 2].map(() => fds.keep(native.udpSocket(LOOPBACK, port, true)))
    native.steerUdp(group[0]!, 2)
    const sender = bound()
    const word = (value: number, ...more: number[]) =>
      new Uint8Array([value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255, ...more])
    const packets: [to: number, bytes: Uint8Array][] = [
      [0, word(0, 1, 2, 3)], // IKE behind the non-ESP marker
      [0, word(0)],
      [0, new Uint8Array([0xff])], // NAT keepalive
      [0, new Uint8Array([1, 2, 3])],
      [0, new Uint8Array(0)],
      [1, word(0x1000)],
      [2, word(0x1001, 9)],
      [1, word(0xfffffffe, 9)],
      [2, word(0xffffffff, 9)],
      [2, word(0x80000001, ...new Array(1400).fill(7))],
    ]
    // Several rounds from several ports: were the choice a hash of the addresses, it would not hold.
    const senders = [sender.fd, bound().fd, bound().fd, bound().fd]
    for (const fd of senders) for (const [, bytes] of packets) native.sendTo(fd, 0, LOOPBACK, port, bytes)

    for (const [index, fd] of group.entries()) {
      const expected = senders.flatMap(() => packets.filter(([to]) => to === index).map(([, bytes]) => bytes))
      const { batch, handle } = attached()
      receiveAll(batch, expected.length, fd, from => native.receiveUdp(fd, handle, from))
      expect(native.receiveUdp(fd, handle, batch.count)).toBe(expected.length)
      expect(expected.map((_, i) => batch.packet(i))).toEqual(expected)
    }
  })

  it('is refused for a socket outside of any group', () => {
    const { fd } = bound()
    expect(thrownBy(() => native.steerUdp(fd, 2)).syscall).toBe('setsockopt')
    expect(thrownBy(() => native.steerUdp(fd, 0))).toBeInstanceOf(TypeError)
  })
})
