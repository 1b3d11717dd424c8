/**
 * The load's inner side, a program for the namespace of the LAN: `load-lan ADDRESS`. It echoes UDP on port 7, swallows it on
 * port 9, and serves TCP that swallows and TCP that sends without end. Orders as in load-clients.ts.
 *
 * `load-lan pour|drain ADDRESS SECONDS [FROM]...` is the other end of that TCP, a connection from each of its addresses, and
 * prints how many bytes went, and how many of them in the last SECONDS, before which it takes its time to get going.
 */

import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { loadNative } from '../src/gateway/native.ts'
import { Batch, NEAR_CAPACITY } from '../src/packet/batch.ts'
import { ipv4 } from '../src/packet/ip.ts'
import { blast, datagramsReceived, ECHO_PORT, POUR_PORT, SINK_PORT, SWALLOW_PORT, TCP_WARM_MILLIS } from './load.ts'

export type LanOrder =
  /** UDP to all addresses in turn, IP packets of `size` bytes. */
  | {
      readonly do: 'blast'
      readonly to: readonly string[]
      readonly size: number
      readonly seconds: number
      readonly rate: number
    }
  /** So many of them at once. */
  | { readonly do: 'burst'; readonly to: string; readonly size: number; readonly count: number }
  /** Answers how many datagrams came to this namespace so far. */
  | { readonly do: 'count' }

const CHUNK = Buffer.alloc(262_144, 'load')

function pour(socket: Socket, until = Number.POSITIVE_INFINITY): void {
  socket.on('error', () => undefined)
  const more = () => {
    while (performance.now() < until && socket.write(CHUNK));
    if (performance.now() >= until) socket.destroy()
  }
  socket.on('drain', more)
  more()
}

async function serve(address: string): Promise<void> {
  const native = loadNative()
  const echoes = new Batch()
  const echoHandle = native.attach(echoes.buffer)
  const echo = native.udpSocket(ipv4(address), ECHO_PORT, false)
  native.watch(echo, () => {
    echoes.count = native.receiveUdp(echo, echoHandle, 0)
    native.sendEsp(echo, -1, echoHandle, echoes.count)
  })
  const batch = new Batch()
  const handle = native.attach(batch.buffer)
  // Never read, and full from the start: what comes is dropped and counted, the segments of a coalesced one each.
  native.udpSocket(ipv4(address), SINK_PORT, false)
  const source = native.udpSocket(ipv4(address), 0, false)
  batch.clear()
  while (batch.count < NEAR_CAPACITY) {
    const row = batch.push(new Uint8Array(1))
    batch.address[row] = ipv4(address)
    batch.port[row] = SINK_PORT
  }
  for (let full = datagramsReceived(); datagramsReceived() === full; ) native.sendEsp(source, -1, handle, batch.count)
  createServer(socket => {
    socket.on('data', () => undefined)
    socket.on('error', () => undefined)
  }).listen(SWALLOW_PORT, address)
  createServer(socket => pour(socket)).listen(POUR_PORT, address)
  const answer = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`)
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line) as LanOrder
    if (order.do === 'count') answer({ received: datagramsReceived() })
    else {
      const payload = new Uint8Array(order.size - 28)
      const to = [order.to].flat().map(ipv4)
      let next = 0
      const send = (count: number) => {
        batch.clear()
        for (let i = 0; i < count; i++) {
          batch.push(payload)
          batch.address[i] = to[next++ % to.length]!
          batch.port[i] = SINK_PORT
          batch.local[i] = ipv4(address)
        }
        // Single packets arrive, which only the receiver's device can merge.
        return native.sendEsp(source, -1, handle, batch.count, true)
      }
      answer({ sent: order.do === 'burst' ? send(order.count) : await blast(order.seconds, order.rate, send) })
    }
  }
  process.exit(0)
}

const [what = '', address = '', seconds = '', ...from] = process.argv.slice(2)
if (what === 'pour' || what === 'drain') {
  const millis = Number(seconds) * 1000
  const until = performance.now() + TCP_WARM_MILLIS + millis
  const port = what === 'pour' ? SWALLOW_PORT : POUR_PORT
  const sockets = (from.length === 0 ? [undefined] : from).map(localAddress => {
    const socket = connect({ host: address, port, ...(localAddress === undefined ? {} : { localAddress }) })
    if (what === 'pour') socket.on('connect', () => pour(socket, until))
    else socket.on('data', () => undefined)
    socket.on('error', () => undefined)
    return socket
  })
  const moved = () =>
    sockets
      .map(s => (what === 'pour' ? s.bytesWritten - s.writableLength : s.bytesRead))
      .reduce((sum, each) => sum + each)
  let before = 0
  setTimeout(() => {
    before = moved()
  }, TCP_WARM_MILLIS)
  setTimeout(() => {
    const all = moved()
    // What they still hold would else go on, long after this, and into the next measurement.
    for (const socket of sockets) socket.resetAndDestroy()
    process.stdout.write(`${all} ${all - before}\n`, () => process.exit(0))
  }, TCP_WARM_MILLIS + millis)
} else await serve(what)
