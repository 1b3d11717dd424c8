/** What the ESP tests share: SAs, batches, packets made by hand, and the engines under test. */

import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { Engine } from '../../src/esp/engine.ts'
import { ReferenceEngine } from '../../src/esp/reference.ts'
import type { Cipher, InboundSa, Integrity, OutboundSa, SaKeys, Suite } from '../../src/esp/sa.ts'
import { cipherSizes, integritySizes, isGcm, paddingFor } from '../../src/esp/suites.ts'
import { protection } from '../../src/esp/transform.ts'
import { loadNative } from '../../src/gateway/native.ts'
import { NativeEngine } from '../../src/gateway/native-engine.ts'
import { Batch } from '../../src/packet/batch.ts'
import { Secret } from '../../src/packet/bytes.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import { concat, Writer } from '../../src/packet/writer.ts'

export const suites: Suite[] = (Object.keys(cipherSizes) as Cipher[]).flatMap(cipher =>
  (Object.keys(integritySizes) as Integrity[])
    .filter(integrity => isGcm(cipher) === (integrity === 'gcm'))
    .map(integrity => ({ cipher, integrity })),
)

export const native = loadNative()

/** Every way in which an engine can be had on this host. */
export const engines: readonly { name: string; make: () => Engine }[] = [
  { name: 'reference', make: () => new ReferenceEngine(dice('reference')) },
  { name: 'native', make: () => new NativeEngine(native) },
  { name: 'native on OpenSSL', make: () => new NativeEngine(native, 'openssl') },
  ...(native.versions().ipsecMb === undefined
    ? []
    : [{ name: 'native on libipsec-mb', make: () => new NativeEngine(native, 'ipsec-mb') }]),
  ...(native.versions().sha1 ? [{ name: 'native, own SHA-1', make: () => new NativeEngine(native, 'sha1') }] : []),
  ...native
    .versions()
    .aes.map(unit => ({ name: `native, own AES (${unit})`, make: () => new NativeEngine(native, unit) })),
  ...native
    .versions()
    .des.map(unit => ({ name: `native, own DES (${unit})`, make: () => new NativeEngine(native, unit) })),
]

/** An endless fixed sequence of bytes. */
export function dice(seed: string): (length: number) => Uint8Array {
  let round = 0
  return length => {
    const parts: Uint8Array[] = []
    for (let have = 0; have < length; have += 32) {
      parts.push(createHash('sha256').update(`${seed} ${round++}`).digest())
    }
    return concat(...parts).slice(0, length)
  }
}

/** Whole numbers below `limit` out of a seed. */
export function numbers(seed: number): (limit: number) => number {
  let state = seed | 0
  return limit => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }
}

/** Fresh copies of the keys that belong to a name: engines may wipe what they are given. */
export function keysFor(suite: Suite, name: string): SaKeys {
  const roll = dice(`${name} ${suite.cipher} ${suite.integrity}`)
  return {
    encryption: new Secret(roll(cipherSizes[suite.cipher].key)),
    integrity: new Secret(roll(integritySizes[suite.integrity].key)),
  }
}

const unlimited = { softBytes: 0, hardBytes: 0 }

export function outboundSa(suite: Suite, peer: number, spi: number, more: Partial<OutboundSa> = {}): OutboundSa {
  return { spi, peer, suite, keys: keysFor(suite, `spi ${spi}`), limits: unlimited, ...more }
}

export function inboundSa(suite: Suite, peer: number, spi: number, more: Partial<InboundSa> = {}): InboundSa {
  return { ...outboundSa(suite, peer, spi), replayWindow: 64, ...more }
}

export const path = { local: 0xc6336401, remote: 0xcb007107, port: 4500 }

/** A batch of payloads to seal for peers, or of packets to open. */
export function batchOf(rows: readonly { bytes: Uint8Array; peer?: number; protocol?: number }[]): Batch {
  const batch = new Batch()
  for (const { bytes, peer, protocol } of rows) {
    const i = batch.push(bytes)
    batch.peer[i] = peer ?? 0
    batch.protocol[i] = protocol ?? 17
    batch.address[i] = path.remote
    batch.port[i] = path.port
    batch.local[i] = path.local
  }
  return batch
}

export function copyOf(batch: Batch): Batch {
  const copy = new Batch()
  new Uint8Array(copy.buffer).set(new Uint8Array(batch.buffer))
  copy.count = batch.count
  return copy
}

export function packets(batch: Batch): Uint8Array[] {
  return Array.from({ length: batch.count }, (_, i) => batch.packet(i).slice())
}

/** One sealed packet, made without an engine; `plain` overrides payload, padding and trailer together. */
export function espPacket(
  sa: { readonly spi: number; readonly suite: Suite },
  sequence: number,
  payload: Uint8Array,
  plain?: Uint8Array,
): Uint8Array {
  const keys = keysFor(sa.suite, `spi ${sa.spi}`)
  const { block, iv: ivSize } = cipherSizes[sa.suite.cipher]
  const pad = paddingFor(block, payload.length)
  const padding = Uint8Array.from({ length: pad }, (_, i) => i + 1)
  const text = plain ?? concat(payload, padding, Uint8Array.of(pad, 17))
  const iv = dice(`iv ${sequence}`)(ivSize)
  const header = new Writer(8).u32(sa.spi).u32(sequence).bytes()
  const { icv } = integritySizes[sa.suite.integrity]
  return concat(header, iv, protection(sa.suite, keys).seal(header, iv, text, icv))
}

/** Both batches have the same rows: fates, columns, and the bytes of what goes on. */
export function expectSameRows(actual: Batch, expected: Batch, of?: string): void {
  expect(rows(actual), of).toEqual(rows(expected))
}

function rows(batch: Batch) {
  return Array.from({ length: batch.count }, (_, i) => {
    const fate = [batch.verdict[i], batch.reason[i]]
    if (batch.verdict[i] === Verdict.Drop) return { fate }
    return {
      fate,
      at: [batch.offset[i], batch.length[i]],
      from: [batch.local[i], batch.address[i], batch.port[i]],
      sa: [batch.peer[i], batch.sa[i], batch.protocol[i]],
      bytes: Buffer.from(batch.packet(i)).toString('hex'),
    }
  })
}

/** Whose inbound SA each SPI is, as the engine tells of packets that begin with it. */
export function peersOf(engine: Engine, spis: readonly number[]): number[] {
  const batch = batchOf(spis.map(spi => ({ bytes: Uint8Array.of(spi >>> 24, spi >>> 16, spi >>> 8, spi, 0, 0, 0, 1) })))
  return [...engine.peersOf(batch).subarray(0, spis.length)]
}
