import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HEADER_LENGTH, MAX_MESSAGE, PayloadType } from '../../src/ike/constants.ts'
import { IkeError } from '../../src/ike/error.ts'
import {
  cut,
  emitFragment,
  type Fragment,
  parseFragment,
  Reassembler,
  WHOLE_LENGTH,
  whole,
} from '../../src/ike/fragment.ts'
import { bodies, parseHeader, parseMessage } from '../../src/ike/message.ts'
import { VendorId } from '../../src/ike/vendor.ts'
import { toHex } from '../../src/packet/bytes.ts'
import { concat } from '../../src/packet/writer.ts'
import { windows10, windowsXp } from '../support/windows.ts'
import { Client, events, Gateway, of } from './gateway.ts'
import { xpFirst } from './samples.ts'

/** A message in slices of its own choice: by Cisco's reading the whole of it, by Microsoft's what follows the header. */
function slices(message: Uint8Array, size: number, what: 'whole' | 'payloads' = 'whole', id = 1): Uint8Array[] {
  const header = parseHeader(message)
  const data = what === 'whole' ? message : message.slice(HEADER_LENGTH)
  const count = Math.ceil(data.length / size)
  return Array.from({ length: count }, (_, i) =>
    emitFragment(header, { id, number: i + 1, last: i === count - 1, data: data.slice(i * size, (i + 1) * size) }),
  )
}

/** Sends all pieces; every answer that comes. */
function sendAll(client: Client, pieces: readonly Uint8Array[]): Uint8Array[] {
  return pieces.flatMap(p => of(client.gateway.datagram(client.remote, client.ike.port, p), 'send').map(e => e.bytes))
}

/** What the pieces that the gateway sent are. */
function join(pieces: readonly Uint8Array[]): Uint8Array {
  for (const p of pieces) {
    expect(p.length).toBeLessThanOrEqual(WHOLE_LENGTH)
    expect(parseHeader(p)).toMatchObject({ nextPayload: PayloadType.Fragment, flags: 0 })
  }
  const parsed = pieces.map(parseFragment)
  expect(parsed.map(f => f.number)).toEqual(pieces.map((_, i) => i + 1))
  expect(parsed.map(f => f.last)).toEqual(pieces.map((_, i) => i === pieces.length - 1))
  return concat(...parsed.map(f => f.data))
}

const message = (length: number) => {
  const bytes = new Uint8Array(length).map((_, i) => i)
  bytes.set(xpFirst.subarray(0, HEADER_LENGTH))
  bytes[17] = 0x10
  new DataView(bytes.buffer).setUint32(24, length)
  return bytes
}

const piece = (number: number, last = false, data: Uint8Array = Uint8Array.of(number), id = 1): Fragment => ({
  id,
  number,
  last,
  data,
})

describe('the codec', () => {
  it('reads what it writes, and puts together what it cuts', () => {
    fc.assert(
      fc.property(fc.integer({ min: HEADER_LENGTH, max: 6000 }), length => {
        const original = message(length)
        const pieces = cut(original)
        const header = parseHeader(pieces[0]!)
        const joined = join(pieces)
        expect(whole(joined, header, true)).toEqual(original)
      }),
      { numRuns: 60 },
    )
  })

  it('refuses hostile numbers, lengths and empty pieces, and nothing else makes it throw', () => {
    const header = parseHeader(xpFirst)
    const good = emitFragment(header, piece(1, true, new Uint8Array(20)))
    const changed = (at: number, value: number) => {
      const bytes = good.slice()
      bytes[at] = value
      return bytes
    }
    for (const bytes of [changed(34, 0), changed(34, 65), changed(31, 3), changed(31, 29), good.slice(0, 32)])
      expect(() => parseFragment(bytes)).toThrow(IkeError)
    expect(() => parseFragment(emitFragment(header, piece(1, true, new Uint8Array(0))))).toThrow(IkeError)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), bytes => {
        try {
          parseFragment(bytes)
        } catch (e) {
          expect(e).toBeInstanceOf(IkeError)
        }
      }),
    )
  })

  it('refuses a piece of pieces', () => {
    const inner = emitFragment(parseHeader(xpFirst), piece(1, true))
    expect(() => whole(inner, parseHeader(inner), true)).toThrow('nested-fragment')
  })
})

describe('the table of pieces', () => {
  it('takes any order and any repetition', () => {
    const shuffled = fc
      .integer({ min: 1, max: 20 })
      .chain(n => fc.array(fc.nat(n - 1), { maxLength: 40 }).map(order => ({ n, order })))
    fc.assert(
      fc.property(shuffled, ({ n, order }) => {
        const table = new Reassembler()
        const sent = [...new Set([...order, ...Array.from({ length: n }, (_, i) => i)])]
        let joined: Uint8Array | undefined
        for (const i of sent) {
          expect(joined).toBeUndefined()
          if (sent.at(-1) !== i) table.add('a', 1, 0, piece(i + 1, i === n - 1, Uint8Array.of(99)), 0)
          joined = table.add('a', 1, 0, piece(i + 1, i === n - 1), 0)
        }
        expect(joined).toEqual(Uint8Array.from({ length: n }, (_, i) => i + 1))
        expect(table.size).toBe(0)
      }),
    )
  })

  it('keeps messages, SAs and addresses apart', () => {
    const table = new Reassembler()
    table.add('a', 1, 0, piece(1), 0)
    table.add('b', 1, 0, piece(1), 0)
    table.add('a', 1, 7, piece(1), 0)
    table.add('a', 1, 0, piece(1, false, Uint8Array.of(50), 2), 0)
    expect(table.add('a', 2, 0, piece(2, true), 0)).toBeUndefined()
    expect(table.add('a', 1, 0, piece(2, true), 0)).toEqual(Uint8Array.of(1, 2))
    expect(table.size).toBe(4)
  })

  it('forgets after 90 seconds', () => {
    const table = new Reassembler()
    table.add('a', 1, 0, piece(1), 1000)
    table.add('b', 1, 0, piece(1), 2000)
    expect(table.deadline).toBe(91_000)
    expect(table.expire(90_999)).toBe(0)
    expect(table.expire(91_000)).toBe(1)
    expect(table.deadline).toBe(92_000)
    expect(table.add('a', 1, 0, piece(2, true), 91_000)).toBeUndefined()
  })

  it('a later "last" counts, and what lies behind it was another message', () => {
    const table = new Reassembler()
    table.add('a', 1, 0, piece(3, true), 0)
    table.add('a', 1, 0, piece(1), 0)
    expect(table.add('a', 1, 0, piece(2, true), 0)).toEqual(Uint8Array.of(1, 2))
    table.add('a', 1, 0, piece(1, true, Uint8Array.of(1), 9), 0)
    table.add('a', 1, 0, piece(2, true), 0)
    expect(table.add('a', 1, 0, piece(3), 0)).toBeUndefined()
  })

  it('holds four messages of an SA, no long one, and so much of an address and in all', () => {
    const table = new Reassembler()
    for (let id = 1; id <= 10; id++) table.add('a', 1, 0, piece(1, false, Uint8Array.of(1), id), 0)
    expect(table.size).toBe(4)
    const long = new Uint8Array(MAX_MESSAGE / 2)
    table.add('b', 1, 0, piece(1, false, long), 0)
    table.add('b', 1, 0, piece(2, false, long), 0)
    expect(() => table.add('b', 1, 0, piece(3), 0)).toThrow('fragments-too-long')
    for (let i = 0; i < 100; i++) table.add(`c${i}`, 1, 0, piece(1, false, long), 0)
    expect(table.size).toBe(7)
    for (let i = 0; i < 2000; i++) table.add(`d${i}`, 100 + i, 0, piece(1, false, long), 0)
    expect(table.size).toBeLessThan(520)
    table.expire(1e9)
    expect(table.deadline).toBeUndefined()
  })
})

describe('a client that sends pieces', () => {
  it.each([
    ['Windows XP', windowsXp, 'whole'],
    ['Windows 10', windows10, 'whole'],
    ['Windows XP by the letter of its specification', windowsXp, 'payloads'],
  ] as const)('%s: message 5 and Quick Mode 1', (_, profile, what) => {
    const gateway = new Gateway()
    const client = new Client(gateway, profile)
    const five = client.ike.message5(client.must(client.ike.message3(client.must(client.ike.message1()))))
    const [six] = sendAll(client, slices(five, 20, what))
    client.ike.finish(six!)
    const one = client.ike.quick1().bytes
    const [two, ...more] = sendAll(client, slices(one, 100, what).reverse())
    expect(more).toEqual([])
    const three = client.ike.quick3(two!)
    client.send(three.bytes)
    expect(of(gateway.take(), 'installOutbound')).toHaveLength(1)
    expect(gateway.count('reassembled')).toBe(2)
    // Nothing waits any more but the SAs' lives and the client's keepalives.
    gateway.pass(120)
    expect(gateway.count('fragments-expired')).toBe(0)
  })

  it('message 3 in pieces, in clear, by both readings', () => {
    for (const what of ['whole', 'payloads'] as const) {
      const client = new Client(new Gateway())
      const three = client.ike.message3(client.must(client.ike.message1()))
      const [four] = sendAll(client, slices(three, 90, what))
      client.ike.finish(client.must(client.ike.message5(four!)))
    }
  })

  it('repeated: the pieces again get the identical answer, and one that was lost is made good', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const five = client.ike.message5(client.must(client.ike.message3(client.must(client.ike.message1()))))
    const pieces = slices(five, 20)
    expect(sendAll(client, [pieces[0]!, ...pieces.slice(2)])).toEqual([])
    const [six] = sendAll(client, pieces.slice(0, 2))
    expect(sendAll(client, pieces)).toEqual([six])
    client.ike.finish(six!)
  })

  it('forged pieces do no more than lost ones, and are not told to the operator as a wrong key but once', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    const five = client.ike.message5(client.must(client.ike.message3(client.must(client.ike.message1()))))
    const pieces = slices(five, 20)
    const forged = pieces[1]!.slice()
    forged[50] = forged[50]! ^ 1
    sendAll(client, [pieces[0]!, forged, ...pieces.slice(2)])
    expect(events(gateway.take(), 'failed')).toHaveLength(1)
    const [six] = sendAll(client, pieces)
    client.ike.finish(six!)
  })

  it('from nowhere are dropped: nothing is kept for cookies that we do not know', () => {
    const gateway = new Gateway()
    const client = new Client(gateway)
    sendAll(client, slices(message(400), 100))
    expect(gateway.count('unknown-cookie')).toBe(4)
    expect(gateway.endpoint.deadline).toBeUndefined()
  })

  it('never completed are forgotten and counted', () => {
    const gateway = new Gateway()
    const client = new Client(gateway).mainMode()
    sendAll(client, slices(client.ike.quick1().bytes, 50).slice(1))
    gateway.pass(91)
    expect(gateway.count('fragments-expired')).toBe(1)
  })
})

describe('what we send', () => {
  const pfs = { ...windows10, pfsGroup: 14, offers: [windows10.offers[2]] } as const
  const wide = (client: Client) =>
    client.ike.quick1(spi =>
      client.ike.quickProposals(spi).map(p => ({
        ...p,
        // A private attribute that a responder has to echo makes the answer long.
        transforms: p.transforms.map(t => ({
          ...t,
          attributes: concat(t.attributes, Uint8Array.of(0x7f, 0xff, 1, 0x90), new Uint8Array(400)),
        })),
      })),
    ).bytes

  it('says that we take pieces to those alone that say so', () => {
    const says = (vendorIds: readonly Uint8Array[]) => {
      const client = new Client(new Gateway(), { ...windows10, vendorIds })
      const ids = bodies(parseMessage(client.must(client.ike.message1())).payloads, PayloadType.VendorId).map(toHex)
      return ids.includes(toHex(VendorId.Fragmentation))
    }
    expect(says([])).toBe(false)
    expect(says([VendorId.Fragmentation])).toBe(true)
    expect(says([concat(VendorId.Fragmentation, Uint8Array.of(0x80, 0, 0, 0))])).toBe(true)
  })

  it('is whole at first, and in pieces where the peer takes them and asks again', () => {
    const gateway = new Gateway()
    const client = new Client(gateway, pfs).mainMode()
    const one = wide(client)
    const two = client.must(one)
    expect(two.length).toBeGreaterThan(WHOLE_LENGTH)
    const again = sendAll(client, [one])
    expect(again.length).toBeGreaterThan(1)
    expect(join(again)).toEqual(two)
    // So do our own retransmissions.
    expect(join(of(gateway.pass(4), 'send').map(e => e.bytes))).toEqual(two)
    client.send(client.ike.quick3(two).bytes)
    expect(of(gateway.take(), 'installOutbound')).toHaveLength(1)
  })

  it('stays whole towards a peer that never spoke of pieces', () => {
    const gateway = new Gateway()
    const client = new Client(gateway, { ...pfs, vendorIds: [] }).mainMode()
    const one = wide(client)
    const two = client.must(one)
    expect(sendAll(client, [one])).toEqual([two])
  })

  it('is in pieces at once to a peer that sends such, announced or not', () => {
    const gateway = new Gateway()
    const client = new Client(gateway, { ...pfs, vendorIds: [] }).mainMode()
    const answers = sendAll(client, slices(wide(client), 500))
    expect(answers.length).toBeGreaterThan(1)
    client.send(client.ike.quick3(join(answers)).bytes)
    expect(of(gateway.take(), 'installOutbound')).toHaveLength(1)
  })
})
