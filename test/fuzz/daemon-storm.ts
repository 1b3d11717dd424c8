/**
 * The attacker of daemon.test.ts, a program of its own in a network namespace of its own: damaged and random datagrams
 * to UDP 500, UDP 4500 and IP protocol 50, with genuine clients connecting before, amid and after them. Prints what it
 * saw as one line of JSON.
 *
 *   node dist/test/fuzz/daemon-storm.js SERVER KEY COUNT SEED
 */

import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { loadNative } from '../../src/gateway/native.ts'
import { Batch } from '../../src/packet/batch.ts'
import { formatIpv4, type Ipv4, ipv4 } from '../../src/packet/ip.ts'
import { IkeClient, type IkeClientEffect } from '../support/ike-client.ts'
import { profiles } from '../support/profiles.ts'
import { join, mutate, Rng } from './random.ts'

const MARKER = new Uint8Array(4)
/** Datagrams between two looks at what came back, so that the loop of events turns. */
const BURST = 32

interface Seen {
  readonly port: number
  readonly bytes: Uint8Array
}

export interface StormReport {
  sent: number
  bytesSent: number
  /** Bytes that came back to the attacker's own sockets. */
  bytesBack: number
  /** How many of the genuine clients came to a pair of ESP SAs, and in how many milliseconds each. */
  connected: { name: string; millis: number | undefined }[]
  raw: number
}

const seen: Seen[] = []

/** A genuine client's Main Mode and Quick Mode; answers after how long, or undefined where it gave up. */
function connect(server: Ipv4, key: string, name: keyof typeof profiles): Promise<number | undefined> {
  const started = performance.now()
  const sockets: Readonly<Record<number, Socket>> = { 500: createSocket('udp4'), 4500: createSocket('udp4') }
  const client = new IkeClient({
    profile: profiles[name],
    dice: n => new Uint8Array(randomBytes(n)),
    presharedKey: key,
    address: ipv4('192.168.1.10'),
    server,
    computerName: 'STORM',
    intervals: [400, 800, 1600, 3200, 6400],
  })
  return new Promise(resolve => {
    let timer: NodeJS.Timeout | undefined
    const end = (millis: number | undefined) => {
      clearTimeout(timer)
      for (const s of Object.values(sockets)) s.close()
      resolve(millis)
    }
    const give = (input: Parameters<IkeClient['handle']>[0]) => {
      const effects: IkeClientEffect[] = []
      client.handle(input, performance.now(), effects)
      for (const e of effects) {
        if (e.kind === 'send') {
          const bytes = e.port === 4500 ? join(MARKER, e.bytes) : e.bytes
          seen.push({ port: e.port, bytes })
          sockets[e.port]!.send(bytes, e.port, formatIpv4(server))
        }
      }
      if (effects.some(e => e.kind === 'pairUp')) {
        setTimeout(() => end(performance.now() - started), 20)
        return
      }
      if (effects.some(e => e.kind === 'failed')) return end(undefined)
      clearTimeout(timer)
      if (client.deadline !== undefined)
        timer = setTimeout(() => give({ kind: 'deadline' }), Math.max(1, client.deadline - performance.now()))
    }
    for (const [port, socket] of Object.entries(sockets)) {
      socket.on('message', m => give({ kind: 'message', bytes: new Uint8Array(port === '4500' ? m.subarray(4) : m) }))
      socket.on('error', () => undefined)
    }
    give({ kind: 'start' })
  })
}

function hostile(rng: Rng): Seen {
  const port = rng.pick([500, 4500])
  if (rng.chance(20)) return { port, bytes: rng.bytes(rng.pick([0, 1, 3, 4, 8, 27, 28, 60, 300, 1472])) }
  if (port === 4500 && rng.chance(30)) return { port, bytes: join(rng.bytes(4), rng.bytes(rng.below(200))) }
  const from = rng.pick(seen)
  const head = from.port === 4500 ? 4 : 0
  const bytes = mutate(rng, from.bytes.slice(head))
  if (bytes.length >= 28 && rng.chance(80)) {
    new DataView(bytes.buffer).setUint32(24, bytes.length)
    if (rng.chance(50)) bytes.set(rng.bytes(8), 0)
  }
  const bare = bytes.slice(0, 1400)
  return { port, bytes: port === 4500 && rng.chance(95) ? join(MARKER, bare) : bare }
}

async function storm(server: Ipv4, count: number, rng: Rng, report: StormReport): Promise<void> {
  const sockets = Array.from({ length: 16 }, () => createSocket('udp4'))
  for (const s of sockets) {
    s.on('message', m => {
      report.bytesBack += m.length
    })
    s.on('error', () => undefined)
    await new Promise<void>(resolve => s.bind(0, resolve))
  }
  const to = formatIpv4(server)
  for (let i = 0; i < count; i++) {
    const { port, bytes } = hostile(rng)
    rng.pick(sockets).send(bytes, port, to)
    report.sent++
    report.bytesSent += bytes.length
    if (i % BURST === BURST - 1) await new Promise(resolve => setTimeout(resolve, 1))
  }
  await new Promise(resolve => setTimeout(resolve, 500))
  for (const s of sockets) s.close()
}

/** IP protocol 50, with SPIs that are none, among them 0, which in UDP would stand for IKE. */
function bare(server: Ipv4, count: number, rng: Rng): number {
  const native = loadNative()
  const raw = native.rawEspSocket(0, 1)
  const batch = new Batch()
  const attached = native.attach(batch.buffer)
  let sent = 0
  for (let i = 0; i < count; i++) {
    const from = rng.pick(seen)
    const body = rng.chance(50) ? rng.bytes(rng.below(200)) : from.bytes.slice(0, 1400)
    const row = batch.push(rng.chance(40) ? join(MARKER, body) : body)
    batch.address[row] = server
    if (batch.count < 32 && i + 1 < count) continue
    sent += native.sendEsp(raw, raw, attached, batch.count)
    batch.clear()
  }
  native.close(raw)
  return sent
}

async function main(): Promise<void> {
  const [, , address = '', key = '', count = '0', seed = '1'] = process.argv
  const server = ipv4(address)
  const rng = new Rng(Number(seed))
  const report: StormReport = { sent: 0, bytesSent: 0, bytesBack: 0, connected: [], raw: 0 }
  const genuine = async (name: keyof typeof profiles) => {
    report.connected.push({ name, millis: await connect(server, key, name) })
  }
  await genuine('win10')
  await genuine('xp')
  const raging = storm(server, Number(count), rng, report)
  await new Promise(resolve => setTimeout(resolve, 100))
  await genuine('win10')
  report.raw = bare(server, Math.floor(Number(count) / 4), rng)
  await genuine('xp')
  await raging
  await genuine('win10')
  process.stdout.write(`${JSON.stringify(report)}\n`)
}

await main()
