/**
 * The load's inner side, a program for the namespace of the LAN: `load-lan ADDRESS`. It echoes UDP on port 7, swallows it on
 * port 9, and serves TCP that swallows and TCP that sends without end. Orders as in load-clients.ts.
 *
 * `load-lan pour|drain ADDRESS SECONDS` is the other end of that TCP, and prints how many bytes went.
 */

import { readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { loadNative } from '../src/gateway/native.ts'
import { Batch } from '../src/packet/batch.ts'
import { ipv4 } from '../src/packet/ip.ts'
import { blast, ECHO_PORT, POUR_PORT, SINK_PORT, SWALLOW_PORT } from './load.ts'

export type LanOrder =
  /** UDP to all addresses in turn, IP packets of `size` bytes. */
  | {
      readonly do: 'blast'
      readonly to: readonly string[]
      readonly size: number
      readonly seconds: number
      readonly rate: number
    }
  /** Answers how many packets came to eth0 so far. */
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
  const batch = new Batch()
  const handle = native.attach(batch.buffer)
  const echo = native.udpSocket(ipv4(address), ECHO_PORT, false)
  native.watch(echo, () => {
    batch.count = native.receiveUdp(echo, handle, 0)
    native.sendEsp(echo, -1, handle, batch.count)
  })
  // Never read: what does not fit is dropped.
  native.udpSocket(ipv4(address), SINK_PORT, false)
  const source = native.udpSocket(ipv4(address), 0, false)
  createServer(socket => {
    socket.on('data', () => undefined)
    socket.on('error', () => undefined)
  }).listen(SWALLOW_PORT, address)
  createServer(socket => pour(socket)).listen(POUR_PORT, address)
  const answer = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`)
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line) as LanOrder
    if (order.do === 'count') answer({ received: packetsReceived() })
    else {
      const payload = new Uint8Array(order.size - 28)
      const to = order.to.map(ipv4)
      let next = 0
      const out = new Batch()
      const outHandle = native.attach(out.buffer)
      const sent = await blast(order.seconds, order.rate, count => {
        out.clear()
        for (let i = 0; i < count; i++) {
          out.push(payload)
          out.address[i] = to[next++ % to.length]!
          // Neighbours with different ports never share a message: single packets arrive.
          out.port[i] = SINK_PORT + (next & 1)
        }
        return native.sendEsp(source, -1, outHandle, out.count)
      })
      answer({ sent })
    }
  }
  process.exit(0)
}

function packetsReceived(): number {
  const line = /eth0:\s*\d+\s+(\d+)/.exec(readFileSync('/proc/net/dev', 'utf8'))
  return Number(line![1])
}

const [what = '', address = '', seconds = ''] = process.argv.slice(2)
if (what === 'pour') {
  const until = performance.now() + Number(seconds) * 1000
  const socket = connect(SWALLOW_PORT, address, () => pour(socket, until))
  socket.on('close', () => process.stdout.write(`${socket.bytesWritten}\n`))
} else if (what === 'drain') {
  let bytes = 0
  const socket = connect(POUR_PORT, address, () => setTimeout(() => socket.destroy(), Number(seconds) * 1000))
  socket.on('data', chunk => {
    bytes += chunk.length
  })
  socket.on('close', () => process.stdout.write(`${bytes}\n`))
} else await serve(what)
