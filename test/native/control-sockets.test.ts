import { afterEach, expect, it } from 'vitest'
import { ControlSockets, IKE_NAT_PORT, IKE_PORT, MAX_DATAGRAM } from '../../src/gateway/sockets.ts'
import { attached, Descriptors, freePort, ipv4, LOOPBACK, native } from './support.ts'

const fds = new Descriptors()
afterEach(() => fds.closeAll())

it('IKE messages reach control whole, as long as certificates make them, on either port', async () => {
  const ports = [freePort(), freePort()]
  const [fd500, fd4500] = ports.map(port => native.udpSocket(LOOPBACK, port, false))
  const client = fds.keep(native.udpSocket(ipv4('127.0.0.2'), 0, false))
  const sockets = new ControlSockets(native, fd500!, fd4500!)
  const heard: { port: number; from: number; bytes: Uint8Array }[] = []
  try {
    sockets.listen((local, remote, bytes) => heard.push({ port: local.port, from: remote.address, bytes }), true)
    const sizes = [28, 1921, 8192, 16_384]
    const sent = (size: number) => new Uint8Array(size).fill((size >> 4) | 1)
    for (const size of sizes) {
      native.sendTo(client, 0, LOOPBACK, ports[0]!, sent(size))
      native.sendTo(client, 0, LOOPBACK, ports[1]!, Uint8Array.of(0, 0, 0, 0, ...sent(size)))
    }
    native.sendTo(client, 0, LOOPBACK, ports[1]!, Uint8Array.of(0xff))
    native.sendTo(client, 0, LOOPBACK, ports[1]!, Uint8Array.of(0, 0, 0, 1, 2))
    native.sendTo(client, 0, LOOPBACK, ports[1]!, new Uint8Array(MAX_DATAGRAM + 1))
    const done = () => heard.length === 2 * sizes.length && sockets.counters.oversized === 1
    for (let i = 0; i < 100 && !done(); i++) await new Promise(resolve => setTimeout(resolve, 10))
    for (const port of [IKE_PORT, IKE_NAT_PORT]) {
      const own = heard.filter(h => h.port === port)
      expect(own.map(h => h.bytes)).toEqual(sizes.map(sent))
      expect(own.every(h => h.from === ipv4('127.0.0.2'))).toBe(true)
    }
    expect(sockets.counters).toMatchObject({ oversized: 1, keepalives: 1, noMarker: 1, receiveFailed: 0 })
  } finally {
    sockets.close()
  }
})

it('many messages that each take long leave other work its turn', async () => {
  const ports = [freePort(), freePort()]
  const [fd500, fd4500] = ports.map(port => native.udpSocket(LOOPBACK, port, false))
  const client = fds.keep(native.udpSocket(ipv4('127.0.0.2'), 0, false))
  const sockets = new ControlSockets(native, fd500!, fd4500!)
  const MESSAGES = 20
  let heard = 0
  const heardAtTurns: number[] = []
  try {
    sockets.listen(() => {
      heard++
      for (const end = performance.now() + 6; performance.now() < end; );
    }, true)
    // From so many clients.
    for (let i = 0; i < MESSAGES; i++) native.sendTo(client, 0, LOOPBACK, ports[0]!, new Uint8Array(28).fill(i, 0, 8))
    while (heard < MESSAGES && heardAtTurns.length < 10_000) {
      await new Promise(resolve => setTimeout(resolve, 1))
      heardAtTurns.push(heard)
    }
    expect(heard).toBe(MESSAGES)
    expect(heardAtTurns.filter(n => n > 0 && n < MESSAGES).length).toBeGreaterThan(4)
  } finally {
    sockets.close()
  }
})

it('who has begun is heard before who begins, and one who begins twice but once', async () => {
  const ports = [freePort(), freePort()]
  const [fd500, fd4500] = ports.map(port => native.udpSocket(LOOPBACK, port, false))
  const client = fds.keep(native.udpSocket(ipv4('127.0.0.2'), 0, false))
  const sockets = new ControlSockets(native, fd500!, fd4500!)
  const heard: string[] = []
  const message = (cookie: number, begun: boolean) => new Uint8Array(28).fill(cookie, 0, 8).fill(begun ? 1 : 0, 8, 16)
  try {
    sockets.listen((_, __, bytes) => heard.push(`${bytes[8] === 0 ? 'begins' : 'has begun'} ${bytes[0]}`), true)
    // All are there before the first is read.
    for (const cookie of [1, 2, 1]) native.sendTo(client, 0, LOOPBACK, ports[0]!, message(cookie, false))
    for (const cookie of [3, 4]) native.sendTo(client, 0, LOOPBACK, ports[0]!, message(cookie, true))
    for (let i = 0; i < 100 && heard.length < 4; i++) await new Promise(resolve => setTimeout(resolve, 10))
    expect(heard).toEqual(['has begun 3', 'has begun 4', 'begins 1', 'begins 2'])
  } finally {
    sockets.close()
  }
})

it('coalesced messages are told apart, and ESP behind one of IKE is handed on', async () => {
  const ports = [freePort(), freePort()]
  const [fd500, fd4500] = ports.map(port => native.udpSocket(LOOPBACK, port, false))
  native.coalesceUdp(fd4500!)
  const client = fds.keep(native.udpSocket(ipv4('127.0.0.2'), 0, false))
  const sockets = new ControlSockets(native, fd500!, fd4500!)
  const heard: Uint8Array[] = []
  const esp: { from: number; bytes: Uint8Array }[] = []
  const message = (first: number, last: number) => new Uint8Array(60).fill(first, 0, 4).fill(last, 4)
  try {
    sockets.esp = (_, remote, bytes) => {
      // The one that begins with 9 is of no SA.
      if (bytes[0] === 9) return false
      esp.push({ from: remote.address, bytes })
      return true
    }
    sockets.listen((_, __, bytes) => heard.push(bytes), true)
    // By one call: the kernel keeps neighbours of one size together, where it can.
    const { batch, handle } = attached()
    for (const [first, last] of [
      [0, 1],
      [7, 2],
      [0, 3],
      [9, 5],
      [8, 4],
    ]) {
      const row = batch.push(message(first!, last!))
      batch.address[row] = LOOPBACK
      batch.port[row] = ports[1]!
    }
    batch.length[4] = 20
    expect(native.sendEsp(client, -1, handle, 5)).toBe(5)
    for (let i = 0; i < 100 && heard.length + esp.length < 4; i++) await new Promise(resolve => setTimeout(resolve, 10))
    expect(heard).toEqual([message(0, 1).slice(4), message(0, 3).slice(4)])
    expect(esp).toEqual([
      { from: ipv4('127.0.0.2'), bytes: message(7, 2) },
      { from: ipv4('127.0.0.2'), bytes: message(8, 4).slice(0, 20) },
    ])
    expect(sockets.counters).toMatchObject({ oversized: 0, noMarker: 1, receiveFailed: 0 })
  } finally {
    sockets.close()
  }
})
