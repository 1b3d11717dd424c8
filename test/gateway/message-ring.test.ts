import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RingReader, RingWriter } from '../../src/gateway/message-ring.ts'
import type { SaMessage, ToWorker } from '../../src/gateway/messages.ts'
import { type Posted, ringMemory } from '../../src/gateway/shared-ring.ts'

/** Both ends over one memory, and the port between them. */
function ends(words?: number) {
  const memory = ringMemory(words)
  const port: Posted<ToWorker>[] = []
  const writer = new RingWriter(memory, posted => port.push(structuredClone(posted)))
  const reader = new RingReader(memory, () => port.shift())
  const heard: ToWorker[] = []
  const hear = () =>
    reader.drain(m => {
      heard.push('bytes' in m ? { ...m, bytes: m.bytes.slice() } : structuredClone(m))
      return m.kind !== 'stop'
    })
  return { memory, port, writer, reader, heard, hear }
}

const sa = (keys: Uint8Array): SaMessage => ({
  spi: 0xfffffff1,
  peer: 7,
  suite: { cipher: 'aes256', integrity: 'sha256' },
  keys,
  replayWindow: 128,
  softBytes: 2 ** 41 + 5,
  hardBytes: 2 ** 42,
})
const inbound = (keys: Uint8Array): ToWorker => ({ kind: 'installInbound', sa: sa(keys) })
const removal = (peer: number): ToWorker => ({ kind: 'removePeer', peer })
/** One that only the port takes. */
const down = (session: number): ToWorker => ({ kind: 'networkDown', session })

const word = fc.nat({ max: 0xffffffff })
const suites = fc.constantFrom<SaMessage['suite']>(
  { cipher: '3des', integrity: 'sha1' },
  { cipher: 'des', integrity: 'md5' },
  { cipher: 'aes256', integrity: 'sha256' },
  { cipher: 'aesgcm256', integrity: 'gcm' },
)
const saMessages = fc.record({
  spi: word,
  peer: word,
  suite: suites,
  keys: fc.uint8Array({ minLength: 24, maxLength: 68 }),
  replayWindow: fc.constantFrom(0, 64, 128, 256),
  softBytes: fc.maxSafeNat(),
  hardBytes: fc.maxSafeNat(),
})
const bytes = fc.uint8Array({ maxLength: 90 })
const messages: fc.Arbitrary<ToWorker> = fc.oneof(
  fc.record({ kind: fc.constant('setPath' as const), peer: word, local: word, remote: word, port: word }),
  fc.record({ kind: fc.constantFrom('installInbound' as const, 'installOutbound' as const), sa: saMessages }),
  fc.record({ kind: fc.constant('removeSa' as const), peer: word, inboundSpi: word, outboundSpi: word }),
  word.map(removal),
  fc.record({ kind: fc.constant('inject' as const), peer: word, bytes }),
  fc.record({ kind: fc.constant('injectFrame' as const), peer: word, session: word, bytes }),
  word.map(down),
  fc.record({
    kind: fc.constant('arrived' as const),
    local: word,
    address: word,
    port: word,
    bytes,
  }),
)

describe('the ring between control and a worker', () => {
  it('brings whatever control says in its order, whether the ring or the port took it', () => {
    const turns = fc.array(fc.record({ said: fc.array(messages, { maxLength: 12 }), heard: fc.boolean() }))
    let rings = 0
    let ports = 0
    fc.assert(
      fc.property(turns, fc.constantFrom(2, 64, 128, 4096), (all, words) => {
        const { writer, heard, hear, port } = ends(words)
        const said: ToWorker[] = []
        for (const turn of all) {
          said.push(...structuredClone(turn.said))
          const before = port.length
          writer.write(structuredClone(turn.said))
          const posted = port.slice(before).reduce((sum, p) => sum + p.messages.length, 0)
          ports += posted
          rings += turn.said.length - posted
          if (turn.heard) expect(hear()).toBe(true)
        }
        hear()
        expect(heard).toEqual(said)
      }),
    )
    expect(rings).toBeGreaterThan(0)
    expect(ports).toBeGreaterThan(0)
  })

  it('needs no port for what comes most often, however long it goes on', () => {
    const { writer, port, heard, hear } = ends(256)
    for (let i = 0; i < 1000; i++) {
      writer.write([inbound(new Uint8Array(64).fill(i)), { kind: 'inject', peer: i, bytes: new Uint8Array(i % 200) }])
      expect(port).toEqual([])
      hear()
    }
    expect(heard).toHaveLength(2000)
  })

  it('keeps no key, neither where control made the message nor in the memory', () => {
    const { memory, writer, heard, hear } = ends()
    const keys = new Uint8Array(64).fill(0xa7)
    writer.write([inbound(keys)])
    expect(keys).toEqual(new Uint8Array(64))
    expect(new Uint8Array(memory)).toContain(0xa7)
    hear()
    expect(heard).toEqual([inbound(new Uint8Array(64).fill(0xa7))])
    expect(new Uint8Array(memory)).not.toContain(0xa7)
  })

  it('leaves the keys to the port where the ring is full', () => {
    const { writer, port, hear } = ends(16)
    const keys = new Uint8Array(64).fill(0xa7)
    writer.write([removal(1), inbound(keys), removal(2)])
    expect(keys).toEqual(new Uint8Array(64).fill(0xa7))
    expect(port).toEqual([{ at: 4, messages: [inbound(keys)] }])
    expect(hear()).toBe(true)
  })

  it('ends with the message that says so', () => {
    const { writer, heard, hear } = ends()
    writer.write([removal(1), down(2), { kind: 'stop' }, removal(3)])
    expect(hear()).toBe(false)
    expect(heard).toEqual([removal(1), down(2), { kind: 'stop' }])
  })

  it('goes on behind a message that was not understood', () => {
    const { writer, reader } = ends()
    writer.write([removal(1), removal(2), down(3), down(4), removal(5)])
    const heard: ToWorker[] = []
    const failing = (m: ToWorker) => {
      heard.push({ ...m })
      if (heard.length % 2 === 1) throw new Error('not that')
      return true
    }
    for (let i = 0; i < 3; i++) expect(() => reader.drain(failing)).toThrow('not that')
    expect(reader.drain(failing)).toBe(true)
    expect(heard).toEqual([removal(1), removal(2), down(3), down(4), removal(5)])
  })

  it('counts its places round and round', () => {
    // Some 2^32 words further on, without having said them.
    const { memory, writer, reader, heard, hear } = ends(64)
    const near = -40
    const places = new Int32Array(memory)
    Object.assign((writer as unknown as { shared: object }).shared, { written: near })
    Object.assign((reader as unknown as { shared: object }).shared, { read: near })
    places[0] = near
    places[16] = near
    for (let i = 0; i < 40; i++) {
      writer.write([removal(i), down(i)])
      hear()
    }
    expect(heard).toEqual(Array.from({ length: 40 }, (_, i) => [removal(i), down(i)]).flat())
  })
})
