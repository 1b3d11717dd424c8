import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/packet/bytes.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { ECHO_BURST, MAX_ROUNDS, REJECT_BURST } from '../../src/ppp/constants.ts'
import type { PppEffect, PppInput } from '../../src/ppp/effects.ts'
import { emitFrame, emitPacket } from '../../src/ppp/frame.ts'
import { PppLink } from '../../src/ppp/link.ts'
import { countingDice, Pair, template } from './pair.ts'

const up = () => new Pair().start().run(1000)
const frame = (hex: string): PppInput => ({ kind: 'frame', bytes: fromHex(hex) })
const sent = (effects: readonly PppEffect[]) => effects.flatMap(e => (e.kind === 'send' ? [toHex(e.bytes)] : []))
const lcp = (code: number, id: number, data: string): PppInput => ({
  kind: 'frame',
  bytes: emitFrame(0xc021, emitPacket({ code, id, data: fromHex(data) })),
})

/** A link that has sent its first Configure-Request, and what it said. */
function begun() {
  const link = new PppLink({ template, dice: countingDice() })
  const effects: PppEffect[] = []
  const handle = (input: PppInput | { kind: 'deadline' }, now = 0) => {
    const fresh: PppEffect[] = []
    link.handle(input, now, fresh)
    effects.push(...fresh)
    return fresh
  }
  handle({ kind: 'start' })
  return { link, effects, handle }
}

describe('what is refused once LCP is open', () => {
  it('CCP, byte for byte', () => {
    const reject = sent(up().input(frame('80fd 0107 000a 1206 01000000')))
    expect(reject).toHaveLength(1)
    expect(reject[0]).toMatch(/^ff03c02108..001080fd0107000a120601000000$/)
  })

  it.each(['8057', '802b', '803f', 'c023', 'c227', '00fd', '8023'])('protocol %s', protocol => {
    const reject = sent(up().input(frame(`ff03 ${protocol} 01010004`)))
    expect(reject.map(r => r.slice(8, 10) + r.slice(16, 20))).toEqual([`08${protocol}`])
  })

  it('an unknown code, with a Code-Reject that holds the packet', () => {
    const reject = sent(up().input(lcp(0x77, 9, 'abcd')))
    expect(reject).toHaveLength(1)
    expect(reject[0]).toMatch(/^ff03c02107..000a77090006abcd$/)
  })

  it('no more often than the allowance lets', () => {
    const pair = up()
    let rejects = 0
    for (let i = 0; i < 200; i++) rejects += sent(pair.input(frame('8057 01010004'))).length
    // The XP client's CCP took one already.
    expect(rejects).toBe(REJECT_BURST - 1)
    pair.run(5000)
    expect(sent(pair.input(frame('8057 01010004')))).toHaveLength(1)
  })

  it('a flood of Echo-Requests, but for a few a second; no answer is longer than the question', () => {
    const pair = up()
    const ask = (times: number) => {
      let replies = 0
      for (let i = 0; i < times; i++)
        for (const reply of sent(pair.input(lcp(9, i & 255, '12345678 6162636465')))) {
          expect(reply).toMatch(/^ff03c0210a..000d[0-9a-f]{8}6162636465$/)
          replies++
        }
      return replies
    }
    expect(ask(1000)).toBe(ECHO_BURST)
    pair.run(1000)
    expect(ask(1000)).toBe(10)
    expect(pair.link.snapshot().counters.echoRequestsIn).toBe(2000)
    expect(pair.link.snapshot().phase).toBe('network')
    // Those who ask each second always have their answer.
    for (let i = 0; i < 60; i++) {
      pair.run(1000)
      expect(ask(1)).toBe(1)
    }
  })

  it('a reject is cut to the MRU', () => {
    const bytes = new Uint8Array(1700)
    bytes.set(fromHex('ff038057'))
    const [effect] = up().input({ kind: 'frame', bytes })
    expect(effect?.kind === 'send' && effect.bytes.length).toBe(4 + 1400)
  })

  it('nothing at all before LCP is open', () => {
    const { handle } = begun()
    expect(handle(frame('80fd 0107 000a 1206 01000000'))).toEqual([])
    expect(handle(frame('8021 01070004'))).toEqual([])
    expect(handle(lcp(9, 1, '00000000'))).toEqual([])
  })
})

describe('what is swallowed', () => {
  it('Discard-Request, Time-Remaining, and Identification beyond the limit', () => {
    const pair = up()
    expect(pair.input(lcp(11, 1, '00000000 aabb'))).toEqual([])
    expect(pair.input(lcp(13, 2, '00000000 0000003c'))).toEqual([
      { kind: 'event', text: 'the client says 60 seconds remain' },
    ])
    for (let i = 0; i < 50; i++) pair.input(lcp(12, 3, `00000000 ${(0x30303030 + i).toString(16)}`))
    expect(pair.link.snapshot().identifications).toHaveLength(8)
  })

  it('broken frames, which are counted', () => {
    const pair = up()
    for (const hex of ['', 'ff03', 'c021', 'c02101', 'c02101010003', 'c021010100ff', 'c0210101000603']) {
      expect(pair.input(frame(hex))).toEqual([])
    }
    expect(pair.link.snapshot().counters.malformed).toBe(7)
    expect(pair.link.snapshot().phase).toBe('network')
  })

  it('an answer to an old request, and an Ack whose options are not ours', () => {
    const { link, handle } = begun()
    handle(lcp(2, 0x55, ''))
    handle(lcp(2, 1, '01040578'))
    handle(lcp(4, 1, '0d0306'))
    expect(link.snapshot().lcp).toBe('Req-Sent')
  })
})

describe('a client with wishes of its own', () => {
  it('Multilink, its endpoint and a callback: one Reject, and the next request is taken', () => {
    const { link, handle } = begun()
    const wanted = '01040578 0506deadbeef 0702 0802 0d0306 1104064e 1308010203040506 17040001'
    const [reject, ...more] = sent(handle(lcp(1, 0, wanted)))
    expect(more).toEqual([])
    expect(reject).toMatch(/^ff03c021040000170d03061104064e130801020304050617040001$/)
    const [ack] = sent(handle(lcp(1, 1, '01040578 0506deadbeef 0702 0802')))
    expect(ack).toBe('ff03c02102010012010405780506deadbeef07020802')
    expect(link.snapshot().lcp).toBe('Ack-Sent')
  })

  it('no address in IPCP: it is told one five times, then let be, and has it all the same', () => {
    const pair = new Pair({ client: { flavour: 'plain' } }).start().run(1000)
    pair.effects.length = 0
    const answers: string[] = []
    for (let id = 100; id < 106; id++) {
      const bytes = emitFrame(0x8021, emitPacket({ code: 1, id, data: new Uint8Array(0) }))
      for (const text of sent(pair.input({ kind: 'frame', bytes })))
        if (text.startsWith('8021', 4) && ['02', '03', '04'].includes(text.slice(8, 10)))
          answers.push(text.slice(8, 10))
    }
    expect(answers).toEqual(['03', '03', '03', '03', '03', '02'])
    pair.run(5000)
    expect(pair.all('networkUp').at(-1)).toMatchObject({ address: ipv4('192.168.8.50') })
    expect(pair.all('down')).toEqual([])
  })

  it('a smaller MRU than ours: what we send is held to it, and we ask for no less on our side', () => {
    const { handle } = begun()
    expect(sent(handle(lcp(1, 0, '01040240 0506deadbeef')))[0]).toMatch(/^ff03c0210200/)
    const small = new Pair({ template: { mru: 576 } }).start().run(1000)
    expect(small.all('networkUp')[0]!.peerMru).toBe(576)
    expect(small.client.serverMru).toBe(576)
  })
})

describe('refusals have an end', () => {
  it('where the peer asks again and again for what was rejected', () => {
    const { effects, handle } = begun()
    for (let id = 0; id < 100; id++) handle(lcp(1, id, '0d0306'), id)
    expect(effects.filter(e => e.kind === 'send' && e.bytes[4] === 4)).toHaveLength(MAX_ROUNDS)
    for (let i = 0; i < 3; i++) handle({ kind: 'deadline' }, 5000 * (i + 1))
    expect(effects.filter(e => e.kind === 'down')).toMatchObject([{ cause: 'lcp-failed' }])
  })

  it('where the peer Naks our MRU for ever', () => {
    const { effects, link, handle } = begun()
    for (let i = 0; i < 100 && link.snapshot().phase === 'establish'; i++) {
      const last = effects.findLast(e => e.kind === 'send')
      if (last?.kind === 'send') handle(lcp(3, last.bytes[5]!, i % 2 ? '01040500' : '01040501'), i)
    }
    expect(link.snapshot().phase).toBe('terminate')
  })

  it('where it will not have its address', () => {
    const pair = new Pair({ client: { flavour: 'plain' } }).start().run(1000)
    const effects: PppEffect[] = []
    const ipcp = (id: number) => emitFrame(0x8021, emitPacket({ code: 1, id, data: fromHex('030601020304') }))
    for (let id = 100; id < 150; id++) effects.push(...pair.input({ kind: 'frame', bytes: ipcp(id) }))
    pair.run(5000)
    expect(pair.all('down')).toMatchObject([{ cause: 'ipcp-failed' }])
    expect(pair.all('down')[0]!.detail).toContain('192.168.8.50')
  })

  it('where the peer rejects CHAP, IPCP or our codes', () => {
    for (const [input, detail] of [
      [lcp(8, 1, '8021 01010004'), /IPCP/],
      [lcp(8, 1, 'c223 01010004'), /CHAP/],
      [lcp(7, 1, '01010004'), /code 1/],
    ] as const) {
      const pair = up()
      pair.input(input)
      pair.run(5000)
      expect(pair.all('down')).toMatchObject([{ cause: 'peer-refused' }])
      expect(pair.all('down')[0]!.detail).toMatch(detail)
    }
    const pair = up()
    pair.input(lcp(8, 1, '80fd 01010004'))
    pair.input(lcp(7, 1, '0c010004'))
    expect(pair.link.snapshot().phase).toBe('network')
  })
})

describe('repetitions', () => {
  it('of an acknowledged request are acknowledged again, and nothing falls', () => {
    const pair = up()
    const request = '01040578 050612345678 0702 0802'
    const before = pair.ladder.filter(l => l === '> LCP Req 1,5,7,8').length
    expect(before).toBe(1)
    const effects = pair.input(lcp(1, 1, request))
    expect(effects.map(e => e.kind)).toEqual(['send'])
    expect(sent(effects)[0]!.slice(8, 12)).toBe('0201')
    expect(pair.link.snapshot().phase).toBe('network')
  })

  it('that do not stop are a renegotiation after all', () => {
    const pair = up()
    for (let i = 0; i < 4; i++) pair.input(lcp(1, 1, '01040578 050612345678 0702 0802'))
    expect(pair.link.snapshot().lcp).toBe('Ack-Sent')
    expect(pair.effects.at(-1)).toEqual({ kind: 'networkDown' })
  })
})

describe('the smaller of both MRUs', () => {
  it.each([
    [1400, 1400],
    [1280, 1280],
    [1500, 1400],
  ])('template %i and a client of 1400 give %i', (mru, peerMru) => {
    const pair = new Pair({ template: { mru } }).start().run(1000)
    expect(pair.all('networkUp')[0]!.peerMru).toBe(peerMru)
  })
})

it('closed IPCP ends the link, with the reason that was given', () => {
  const pair = up()
  pair.input(frame('8021 0509 0010 12345678 003ccd74 000002e2'))
  pair.run(5000)
  expect(pair.all('down')[0]).toMatchObject({ cause: 'peer-terminated' })
  expect(pair.all('down')[0]!.detail).toContain('738')
})

it('an MS-CHAP response where CHAP-MD5 was agreed on fails authentication', () => {
  const pair = new Pair({ loses: index => index > 7 })
  pair.start().run(500)
  const challenge = pair.link.snapshot()
  expect(challenge.phase).toBe('authenticate')
  const effects: PppEffect[] = []
  for (let id = 0; id < 256; id++) {
    const data = new Uint8Array(50)
    data[0] = 49
    effects.push(...pair.input({ kind: 'frame', bytes: emitFrame(0xc223, emitPacket({ code: 2, id, data })) }))
  }
  pair.run(5000)
  expect(pair.all('down')).toMatchObject([{ cause: 'authentication-failed' }])
  expect(pair.all('down')[0]!.detail).toContain('MD5')
})

it('an answer of AAA to an older question is not taken', () => {
  const pair = new Pair({ authenticate: false }).start().run(500)
  const [question] = pair.all('authenticate')
  const result = { kind: 'rejected', reason: 'unknown-user', message: '' } as const
  expect(pair.input({ kind: 'authenticated', request: question!.request + 1, result })).toEqual([])
  expect(pair.input({ kind: 'authenticated', request: question!.request, result })).not.toEqual([])
  expect(pair.input({ kind: 'authenticated', request: question!.request, result })).toEqual([])
})

it('we hung up, and the call went before the client answered: the first reason stands', () => {
  const pair = up()
  pair.input({ kind: 'close', reason: 'idle' })
  pair.input({ kind: 'lost', reason: 'the peer ended the call' })
  expect(pair.all('down')).toEqual([{ kind: 'down', cause: 'closed', detail: 'idle' }])
})

it('after its end a link says nothing more', () => {
  const pair = up()
  pair.input({ kind: 'lost', reason: 'x' })
  expect(pair.input({ kind: 'start' })).toEqual([])
  expect(pair.input(frame('c021 0901 0008 00000000'))).toEqual([])
  expect(pair.input({ kind: 'deadline' })).toEqual([])
})

describe('whatever comes', () => {
  const control = fc
    .tuple(
      fc.constantFrom(0xc021, 0xc021, 0x8021, 0xc223, 0x80fd, 0x8057),
      fc.integer({ min: 0, max: 15 }),
      fc.nat(20),
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.constantFrom('', '01040578', '050612345678', '030600000000', '03060a010105', '0d0306').map(fromHex),
      ),
    )
    .map(([protocol, code, id, data]) => emitFrame(protocol, emitPacket({ code, id, data })))
  const input: fc.Arbitrary<PppInput | { kind: 'deadline' }> = fc.oneof(
    { weight: 8, arbitrary: control.map(bytes => ({ kind: 'frame', bytes }) as const) },
    { weight: 3, arbitrary: fc.uint8Array({ maxLength: 64 }).map(bytes => ({ kind: 'frame', bytes }) as const) },
    { weight: 2, arbitrary: fc.constant({ kind: 'deadline' } as const) },
    { weight: 1, arbitrary: fc.constant({ kind: 'active' } as const) },
  )

  it('no input throws, each gets a bounded answer, and the link always comes to an end', () => {
    fc.assert(
      fc.property(fc.array(input, { maxLength: 80 }), fc.boolean(), (inputs, established) => {
        const pair = established ? up() : new Pair()
        if (!established) pair.input({ kind: 'start' })
        for (const i of inputs) {
          expect(pair.input(i).filter(e => e.kind === 'send').length).toBeLessThanOrEqual(4)
          pair.now += 100
        }
        // Nobody speaks any more: the echoes, the retries or the time limit find out.
        const effects: PppEffect[] = []
        for (let turns = 0; pair.link.deadline !== undefined; turns++) {
          expect(turns).toBeLessThan(200)
          const at = Math.max(pair.now, pair.link.deadline)
          pair.now = at
          pair.link.handle({ kind: 'deadline' }, at, effects)
          if (pair.link.deadline !== undefined) expect(pair.link.deadline).toBeGreaterThan(at)
        }
        expect([...pair.effects, ...effects].filter(e => e.kind === 'down')).toHaveLength(1)
      }),
      { numRuns: 300 },
    )
  })

  it('networkUp and networkDown alternate, and nothing follows down', () => {
    fc.assert(
      fc.property(fc.array(input, { maxLength: 60 }), inputs => {
        const pair = up()
        for (const i of inputs) pair.input(i)
        pair.run(120_000)
        let isUp = false
        let isDown = false
        for (const e of pair.effects) {
          expect(isDown).toBe(false)
          if (e.kind === 'networkUp') {
            expect(isUp).toBe(false)
            isUp = true
          }
          if (e.kind === 'networkDown') {
            expect(isUp).toBe(true)
            isUp = false
          }
          if (e.kind === 'down') isDown = true
        }
      }),
      { numRuns: 200 },
    )
  })
})
