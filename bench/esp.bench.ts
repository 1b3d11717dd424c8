/** What sealing and opening cost by the batch in native code, beside node:crypto packet by packet. */

import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import Benchmark from 'benchmark'
import type { Suite } from '../src/esp/sa.ts'
import { cipherSizes, integritySizes } from '../src/esp/suites.ts'
import { loadNative } from '../src/gateway/native.ts'
import { NativeEngine } from '../src/gateway/native-engine.ts'
import { Batch, NEAR_CAPACITY } from '../src/packet/batch.ts'
import { Secret } from '../src/packet/bytes.ts'
import { note } from './rows.ts'

const LENGTH = 1408
const SPI = 0x1000
const native = loadNative()
const suites: Suite[] = [
  { cipher: 'aes128', integrity: 'sha1' },
  { cipher: 'aes256', integrity: 'sha256' },
  { cipher: '3des', integrity: 'sha1' },
  { cipher: '3des', integrity: 'md5' },
]
const algorithms: Partial<Record<Suite['cipher'], string>> = {
  '3des': 'des-ede3-cbc',
  aes128: 'aes-128-cbc',
  aes256: 'aes-256-cbc',
}

/** A batch of `count` payloads, and a function that makes it the same again. */
function payloads(count: number): { batch: Batch; reset: () => void } {
  const batch = new Batch()
  for (let i = 0; i < count; i++) batch.push(new Uint8Array(LENGTH).fill(i))
  const offset = batch.offset.slice()
  const reset = () => {
    batch.offset.set(offset)
    batch.length.fill(LENGTH)
    batch.peer.fill(0)
  }
  return { batch, reset }
}

function engineFor(suite: Suite, crypto?: 'openssl' | 'ipsec-mb'): NativeEngine {
  const engine = new NativeEngine(native, crypto)
  const keys = () => ({
    encryption: new Secret(randomKey(cipherSizes[suite.cipher].key)),
    integrity: new Secret(randomKey(integritySizes[suite.integrity].key)),
  })
  const limits = { softBytes: 0, hardBytes: 0 }
  const [outbound, inbound] = [keys(), keys()]
  inbound.encryption.reveal().set(outbound.encryption.reveal())
  inbound.integrity.reveal().set(outbound.integrity.reveal())
  engine.setPath({ peer: 0, local: 1, remote: 2, port: 4500 })
  engine.installOutbound({ spi: SPI, peer: 0, suite, keys: outbound, limits })
  engine.installInbound({ spi: SPI, peer: 0, suite, keys: inbound, limits, replayWindow: 0 })
  engine.takeEvents()
  return engine
}

function randomKey(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length))
}

/** Microseconds a packet of one run over `count` packets: the best sample, since others use the machine too. */
function measure(name: string, count: number, run: () => void): number {
  const bench = new Benchmark(name, run, { maxTime: 0.5, minSamples: 5 })
  bench.run()
  return (Math.min(...bench.stats.sample) * 1e6) / count
}

function nativeCost(suite: Suite, count: number, crypto?: 'openssl' | 'ipsec-mb'): { seal: number; open: number } {
  const engine = engineFor(suite, crypto)
  const { batch, reset } = payloads(count)
  const seal = measure('seal', count, () => {
    reset()
    engine.seal(batch)
  })
  // Opening changes the bytes, so each run gets the sealed ones back first; the copy is in the figure.
  const sealed = new Uint8Array(batch.buffer).slice()
  const whole = new Uint8Array(batch.buffer)
  const used = batch.bytes.byteOffset + batch.offset[count - 1]! + batch.length[count - 1]!
  const open = measure('open', count, () => {
    whole.set(sealed.subarray(0, used))
    engine.open(batch)
  })
  if (batch.verdict[0] !== 0) throw new Error(`the batch did not open: reason ${batch.reason[0]}`)
  return { seal, open }
}

/** The same work as a program without an addon does it. */
function nodeCost(suite: Suite): { seal: number; open: number } {
  const algorithm = algorithms[suite.cipher]!
  const sizes = cipherSizes[suite.cipher]
  const icvSize = integritySizes[suite.integrity].icv
  const [key, authKey] = [randomBytes(sizes.key), randomBytes(integritySizes[suite.integrity].key)]
  const plain = Buffer.alloc(Math.ceil((LENGTH + 2) / sizes.block) * sizes.block)
  const header = Buffer.alloc(8)
  const sealOne = () => {
    const iv = randomBytes(sizes.iv)
    const cipher = createCipheriv(algorithm, key, iv).setAutoPadding(false)
    const signed = Buffer.concat([header, iv, cipher.update(plain), cipher.final()])
    const icv = createHmac(suite.integrity, authKey).update(signed).digest().subarray(0, icvSize)
    return Buffer.concat([signed, icv])
  }
  const packet = sealOne()
  const openOne = () => {
    const end = packet.length - icvSize
    const icv = createHmac(suite.integrity, authKey).update(packet.subarray(0, end)).digest().subarray(0, icvSize)
    if (!timingSafeEqual(icv, packet.subarray(end))) throw new Error('wrong ICV')
    const iv = packet.subarray(8, 8 + sizes.iv)
    const decipher = createDecipheriv(algorithm, key, iv).setAutoPadding(false)
    return Buffer.concat([decipher.update(packet.subarray(8 + sizes.iv, end)), decipher.final()])
  }
  return { seal: measure('node seal', 1, sealOne), open: measure('node open', 1, openOne) }
}

const shown = (us: number, than?: number) =>
  `${us.toFixed(2).padStart(8)} us ${(1e6 / us).toFixed(0).padStart(9)} packets/s${than ? ` ${(than / us).toFixed(1).padStart(6)} x` : ''}`

console.log(`${LENGTH} bytes of payload; ${JSON.stringify(native.versions())}`)
for (const suite of suites) {
  const node = nodeCost(suite)
  console.log(`\n${suite.cipher} ${suite.integrity}`)
  console.log(`  node:crypto          seal ${shown(node.seal)}          open ${shown(node.open)}`)
  const kinds = native.versions().ipsecMb === undefined ? (['openssl'] as const) : (['openssl', 'ipsec-mb'] as const)
  for (const count of process.argv.includes('--thresholds')
    ? [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64]
    : [1, NEAR_CAPACITY]) {
    for (const kind of [...kinds, undefined]) {
      const cost = nativeCost(suite, count, kind)
      const name = `${kind ?? 'native'}, batch ${count}`.padEnd(20)
      for (const way of kind === undefined ? (['seal', 'open'] as const) : []) {
        const what = `${suite.cipher} ${suite.integrity} ${way}, ${LENGTH} bytes, batch ${count}`
        note({ what, value: cost[way], unit: 'us/packet', ratio: node[way] / cost[way], against: 'node:crypto' })
      }
      console.log(`  ${name} seal ${shown(cost.seal, node.seal)} open ${shown(cost.open, node.open)}`)
    }
  }
}
