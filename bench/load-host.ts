/**
 * The other end of the load, a program for the namespace of the LAN or of a client:
 *
 *   load-host serve ADDRESS           TCP port 5001 swallows, 5002 sends without end; UDP port 9 swallows
 *   load-host send ADDRESS SECONDS    sends to port 5001, prints how many bytes went
 *   load-host take ADDRESS SECONDS    reads from port 5002, prints how many bytes came
 *   load-host blast FROM TO BYTES SECONDS   sends UDP datagrams of so many bytes, IP header included
 */

import { connect, createServer, type Socket } from 'node:net'
import { loadNative } from '../src/gateway/native.ts'
import { Batch, NEAR_CAPACITY } from '../src/packet/batch.ts'
import { ipv4 } from '../src/packet/ip.ts'

const CHUNK = Buffer.alloc(262_144, 'load')
const [what, address = '', ...rest] = process.argv.slice(2)

function pour(socket: Socket, until = Number.POSITIVE_INFINITY): void {
  socket.on('error', () => undefined)
  const more = () => {
    while (performance.now() < until && socket.write(CHUNK));
    if (performance.now() >= until) socket.destroy()
  }
  socket.on('drain', more)
  more()
}

if (what === 'serve') {
  createServer(socket => {
    socket.on('data', () => undefined)
    socket.on('error', () => undefined)
  }).listen(5001, address)
  createServer(socket => pour(socket)).listen(5002, address, () => process.stdout.write('serving\n'))
  // Bound and never read: what does not fit is dropped.
  loadNative().udpSocket(ipv4(address), 9, false)
} else if (what === 'send') {
  const seconds = Number(rest[0])
  const socket = connect(5001, address, () => pour(socket, performance.now() + seconds * 1000))
  socket.on('close', () => process.stdout.write(`${socket.bytesWritten}\n`))
} else if (what === 'take') {
  let bytes = 0
  const socket = connect(5002, address, () => setTimeout(() => socket.destroy(), Number(rest[0]) * 1000))
  socket.on('data', chunk => (bytes += chunk.length))
  socket.on('close', () => process.stdout.write(`${bytes}\n`))
} else if (what === 'blast') {
  const native = loadNative()
  const [to, size, seconds] = [ipv4(rest[0]!), Number(rest[1]), Number(rest[2])]
  const fd = native.udpSocket(ipv4(address), 0, false)
  const batch = new Batch()
  const handle = native.attach(batch.buffer)
  const end = performance.now() + seconds * 1000
  let sent = 0
  while (performance.now() < end) {
    batch.clear()
    for (let i = 0; i < NEAR_CAPACITY; i++) {
      const row = batch.push(new Uint8Array(size - 28))
      batch.address[row] = to
      // Neighbours with different ports never share a message, so that single packets arrive.
      batch.port[row] = 9 + (i % 2)
    }
    sent += native.sendEsp(fd, -1, handle, batch.count)
  }
  process.stdout.write(`${sent}\n`)
} else throw new Error('serve, send, take or blast')
