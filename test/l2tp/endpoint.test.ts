import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Avp, avp, avpU16, avpU32 } from '../../src/l2tp/avp.ts'
import { AvpType, MAX_CLOSED_PER_PEER, MessageType } from '../../src/l2tp/constants.ts'
import type { L2tpConfig, L2tpEffect } from '../../src/l2tp/effects.ts'
import { L2tpEndpoint } from '../../src/l2tp/endpoint.ts'
import { emitControl } from '../../src/l2tp/header.ts'
import { emitMessage } from '../../src/l2tp/message.ts'
import { encodeText, fromHex, toHex } from '../../src/packet/bytes.ts'
import { RowNumbers } from '../../src/packet/table.ts'
import { config, countingDice, effectLine } from '../support/l2tp-ladder.ts'

let endpoint: L2tpEndpoint
let now: number
let ns: number

beforeEach(() => start())

function start(overrides: Partial<L2tpConfig> = {}): void {
  endpoint = new L2tpEndpoint({
    config: { ...config, ...overrides },
    dice: countingDice(),
    rows: new RowNumbers(64),
  })
  now = 0
  ns = 0
}

interface Via {
  readonly peer?: number
  readonly sa?: number
  readonly tunnelId?: number
  readonly sessionId?: number
  readonly ns?: number
  readonly nr?: number
  readonly remotePort?: number
}

function receive(bytes: Uint8Array, via: Via = {}): L2tpEffect[] {
  const effects: L2tpEffect[] = []
  const { peer = 1, sa = 1, remotePort = 1701 } = via
  endpoint.handle({ kind: 'message', peer, sa, remote: 0, remotePort, localPort: 1701, bytes }, now, effects)
  return effects
}

/** A message by hand: its Ns counts on, its Nr acknowledges everything there may be unless told. */
function say(type: MessageType, avps: readonly Avp[] = [], via: Via = {}): string[] {
  return sayBody(emitMessage(type, avps), via)
}

function sayBody(body: Uint8Array, via: Via = {}): string[] {
  const tunnel = endpoint.snapshot().tunnels.find(t => t.peer === (via.peer ?? 1))
  const packet = {
    tunnelId: via.tunnelId ?? tunnel?.localTunnelId ?? 0,
    sessionId: via.sessionId ?? 0,
    ns: via.ns ?? ns++,
    nr: via.nr ?? tunnel?.ns ?? 0,
    body,
  }
  return receive(emitControl(packet), via).map(effectLine)
}

const request = (id = 1, ...more: Avp[]) => [
  avpU16(AvpType.ProtocolVersion, 0x0100),
  avpU32(AvpType.FramingCapabilities, 1),
  avp(AvpType.HostName, encodeText('phone')),
  avpU16(AvpType.AssignedTunnelId, id),
  ...more,
]
const assigned = (id: number) => avpU16(AvpType.AssignedSessionId, id)

/** A tunnel up, and a call in it. */
function dial(): void {
  say(MessageType.Sccrq, request(), { tunnelId: 0 })
  say(MessageType.Scccn)
  say(MessageType.Icrq, [assigned(1)])
  say(MessageType.Iccn, [], { sessionId: 2 })
}

describe('clients that leave things out', () => {
  it('SCCRQ without Host Name, Framing, Bearer and window; calls without serial, speed and framing', () => {
    const bare = [avpU16(AvpType.ProtocolVersion, 0x0100), avpU16(AvpType.AssignedTunnelId, 4)]
    expect(say(MessageType.Sccrq, bare, { tunnelId: 0 })).toEqual(['send SCCRP 4/0 ns 0 nr 1, tunnel 1'])
    expect(say(MessageType.Scccn)).toContain('tunnelUp 1 ')
    expect(say(MessageType.Icrq, [assigned(1)])).toContain('sessionUp 1')
    expect(say(MessageType.Iccn, [], { sessionId: 2 })).toContain('sessionConnected 1')
  })

  it('a later revision of the version is welcome, another version is not', () => {
    const version = (v: number) => [avpU16(AvpType.ProtocolVersion, v), avpU16(AvpType.AssignedTunnelId, 4)]
    expect(say(MessageType.Sccrq, version(0x0101), { tunnelId: 0 })).toEqual(['send SCCRP 4/0 ns 0 nr 1, tunnel 1'])
    start()
    expect(say(MessageType.Sccrq, version(0x0200), { tunnelId: 0 })).toEqual([
      'discarded: tunnel of  refused: it speaks another version',
      'send StopCCN 4/0 ns 0 nr 1, tunnel 1, result 5 error 256',
    ])
  })
})

describe('refusals', () => {
  it('a Challenge cannot be answered without a secret', () => {
    const challenge = avp(AvpType.Challenge, fromHex('00112233'))
    expect(say(MessageType.Sccrq, request(1, challenge), { tunnelId: 0 })).toEqual([
      'discarded: tunnel of phone refused: it asks for tunnel authentication, for which there is no secret',
      'send StopCCN 1/0 ns 0 nr 1, tunnel 1, result 4 error 0',
    ])
  })

  it.each([
    ['unknown', avpU16(900, 1)],
    ['hidden', { ...avpU16(AvpType.TieBreaker, 1), hidden: true }],
    ["another vendor's", { ...avpU16(1, 1), vendor: 9 }],
  ])('an AVP that is %s and mandatory ends the tunnel it would open', (_, odd) => {
    const lines = say(MessageType.Sccrq, request(1, odd), { tunnelId: 0 })
    expect(lines[0]).toMatch(/^discarded: SCCRQ: /)
    expect(lines[1]).toMatch(/^send StopCCN 1\/0 ns 0 nr 1, tunnel 1, result 2 error 8 /)
  })

  it('in a call message it ends that call only', () => {
    dial()
    say(MessageType.Icrq, [assigned(2)])
    const odd = avpU16(900, 1)
    expect(say(MessageType.Icrq, [assigned(3), odd])).toEqual([
      'send CDN 1/3 ns 3 nr 6, session 4, result 2 error 8 (unknown AVP 0/900)',
    ])
    expect(say(MessageType.Wen, [odd], { sessionId: 2 })).toEqual([
      'sessionDown 1: WEN: unknown AVP 0/900',
      'send CDN 1/1 ns 4 nr 7, session 2, result 2 error 8 (unknown AVP 0/900)',
    ])
    expect(say(MessageType.Sli, [odd], { sessionId: 77 })).toEqual(['send ZLB 1/0 ns 5 nr 8'])
    expect(endpoint.snapshot().tunnels[0]).toMatchObject({ state: 'established', sessions: [{ remoteSessionId: 2 }] })
  })

  it('outgoing calls are not ours to place', () => {
    dial()
    expect(say(MessageType.Ocrq, [assigned(9)])).toEqual(['send CDN 1/9 ns 2 nr 5, session 3, result 5 error 0'])
  })

  it('an ICRQ without a session ID, or with 0', () => {
    dial()
    expect(say(MessageType.Icrq)).toEqual(['send CDN 1/0 ns 2 nr 5, session 3, result 2 error 3 (ICRQ without AVP 14)'])
    expect(say(MessageType.Icrq, [assigned(0)])).toEqual([
      'send CDN 1/0 ns 3 nr 6, session 4, result 2 error 3 (session ID 0)',
    ])
  })

  it('an SCCRQ that cannot be answered is discarded', () => {
    for (const avps of [[], request(0), [avpU16(AvpType.ProtocolVersion, 0x0100)]]) {
      expect(say(MessageType.Sccrq, avps, { tunnelId: 0, ns: 0 })).toEqual([
        'discarded: an SCCRQ that cannot be answered',
      ])
    }
    expect(say(MessageType.Sccrq, request(), { tunnelId: 0, ns: 1 })).toHaveLength(1)
    expect(endpoint.snapshot().tunnels).toEqual([])
  })
})

describe('messages out of place', () => {
  it.each([
    ['a call before SCCCN', MessageType.Icrq, [assigned(1)]],
    ['SCCRP', MessageType.Sccrp, request()],
  ])('%s ends a tunnel that is not up with StopCCN 7', (_, type, avps) => {
    say(MessageType.Sccrq, request(), { tunnelId: 0 })
    expect(say(type, avps)).toEqual(['send StopCCN 1/0 ns 1 nr 2, tunnel 1, result 7 error 0'])
  })

  it('a second SCCCN ends one that is up', () => {
    dial()
    expect(say(MessageType.Scccn)).toEqual([
      'sessionDown 1: SCCCN out of place',
      'tunnelDown 1: SCCCN out of place',
      'send StopCCN 1/0 ns 2 nr 5, tunnel 1, result 7 error 0',
    ])
    expect(say(MessageType.Hello)).toEqual(['send ZLB 1/0 ns 3 nr 6'])
  })

  it('a second ICCN, and ICCN, CDN and ICRP of no call, change nothing', () => {
    dial()
    say(MessageType.Iccn, [], { sessionId: 2 })
    say(MessageType.Iccn, [], { sessionId: 9 })
    say(MessageType.Cdn, [assigned(9)], { sessionId: 9 })
    say(MessageType.Icrp, [assigned(9)], { sessionId: 9 })
    expect(endpoint.snapshot()).toMatchObject({
      tunnels: [{ sessions: [{ state: 'established' }] }],
      counters: { unexpected: 2, unknownSession: 2 },
    })
  })

  it('an answer that only an LNS gives ends the call it is about', () => {
    dial()
    expect(say(MessageType.Icrp, [assigned(1)], { sessionId: 2 })).toEqual([
      'sessionDown 1: unexpected ICRP',
      'send CDN 1/1 ns 2 nr 5, session 2, result 2 error 3 (unexpected message)',
    ])
  })

  it('WEN and SLI are taken and mean nothing', () => {
    dial()
    expect(say(MessageType.Wen, [], { sessionId: 2 })).toEqual(['send ZLB 1/0 ns 2 nr 5'])
    expect(say(MessageType.Sli, [], { sessionId: 2 })).toEqual(['send ZLB 1/0 ns 2 nr 6'])
  })

  it('an unknown message is passed over, or with the M bit the end', () => {
    dial()
    expect(sayBody(fromHex('0008 0000 0000 0063'))).toEqual(['send ZLB 1/0 ns 2 nr 5'])
    expect(sayBody(fromHex('8008 0000 0000 0063'))).toEqual([
      'sessionDown 1: bad message: unknown message type 99',
      'tunnelDown 1: bad message: unknown message type 99',
      'send StopCCN 1/0 ns 2 nr 6, tunnel 1, result 2 error 8 (unknown message type 99)',
    ])
  })

  it('a message whose AVPs cannot be read ends the tunnel', () => {
    dial()
    expect(sayBody(fromHex('8008 0000 0000 0006 80'))).toContain(
      'tunnelDown 1: bad message: bytes left over behind the last AVP',
    )
  })

  it("a message for another peer's tunnel is discarded", () => {
    dial()
    const hello = { tunnelId: 1, sessionId: 0, ns: 4, nr: 2, body: emitMessage(MessageType.Hello) }
    expect(receive(emitControl(hello), { peer: 2 }).map(effectLine)).toEqual(['discarded: this peer has no tunnel 1'])
    expect(endpoint.snapshot().counters).toMatchObject({ unknownTunnel: 1 })
    expect(endpoint.snapshot().tunnels[0]).toMatchObject({ nr: 4 })
  })

  it('what has no proper header is discarded', () => {
    expect(receive(fromHex('c803 000c 0000 0000 0000 0000')).map(effectLine)).toEqual(['discarded: version 3'])
    expect(receive(fromHex('c802 000c 0000 0000 0000 0000')).map(effectLine)).toEqual([
      'discarded: this peer has no tunnel 0',
    ])
    expect(endpoint.snapshot().counters).toMatchObject({ badHeader: 1, unknownTunnel: 1, messagesReceived: 2 })
  })
})

describe('IDs that clients get wrong', () => {
  const stop = [avp(AvpType.ResultCode, fromHex('00010000'))]

  it("StopCCN with another AVP, with none, or with the peer's ID in a header of 0", () => {
    dial()
    expect(say(MessageType.StopCcn, [...stop, avpU16(AvpType.AssignedTunnelId, 99)])).toEqual([
      'sessionDown 1: the peer ended the tunnel: result 1 error 0',
      'tunnelDown 1: the peer ended the tunnel: result 1 error 0',
      'send ZLB 1/0 ns 2 nr 5',
    ])
    start()
    dial()
    expect(say(MessageType.StopCcn)).toContain('tunnelDown 1: the peer ended the tunnel: no result code')
    start()
    say(MessageType.Sccrq, request(), { tunnelId: 0 })
    expect(say(MessageType.StopCcn, [...stop, avpU16(AvpType.AssignedTunnelId, 1)], { tunnelId: 0 })).toEqual([
      'send ZLB 1/0 ns 1 nr 2',
    ])
    expect(endpoint.snapshot().tunnels).toMatchObject([{ state: 'closed' }])
  })

  it('StopCCN for a tunnel of nobody', () => {
    expect(say(MessageType.StopCcn, [...stop, avpU16(AvpType.AssignedTunnelId, 1)], { tunnelId: 5 })).toEqual([
      'discarded: this peer has no tunnel 5',
    ])
  })

  it('CDN with another AVP, or before it knows our ID', () => {
    dial()
    const result = avp(AvpType.ResultCode, fromHex('00030000'))
    expect(say(MessageType.Cdn, [result, assigned(99)], { sessionId: 2 })).toContain(
      'sessionDown 1: the peer ended the call: result 3 error 0',
    )
    say(MessageType.Icrq, [assigned(7)])
    expect(say(MessageType.Cdn, [result, assigned(7)], { sessionId: 0 })).toContain(
      'sessionDown 2: the peer ended the call: result 3 error 0',
    )
  })

  it('CDN and StopCCN are obeyed though something in them is amiss', () => {
    dial()
    const odd = avpU16(900, 1)
    expect(say(MessageType.Cdn, [odd], { sessionId: 2 })[0]).toMatch(/^sessionDown 1/)
    expect(say(MessageType.StopCcn, [odd])[0]).toMatch(/^tunnelDown 1/)
  })

  it('a session ID that is used anew: the call that bore it is over', () => {
    dial()
    expect(say(MessageType.Icrq, [assigned(1)])).toEqual([
      'sessionDown 1: the peer gave its session ID to a new call',
      'sessionUp 2',
      'send ICRP 1/1 ns 2 nr 5, session 3',
    ])
    // Which tunnel a row is in is known by the newest call in it.
    const effects: L2tpEffect[] = []
    endpoint.handle({ kind: 'closeSession', session: 2, resultCode: 3, reason: 'x' }, now, effects)
    expect(effects.map(effectLine)[0]).toBe('sessionDown 2: x')
  })
})

describe('a tunnel that is closed from here', () => {
  it('ends with its calls and a StopCCN, though it has none; one that is over stays as it is', () => {
    const close = (localTunnelId: number) => {
      const effects: L2tpEffect[] = []
      endpoint.handle({ kind: 'closeTunnel', peer: 1, localTunnelId, reason: 'reset' }, now, effects)
      return effects.map(effectLine)
    }
    say(MessageType.Sccrq, request(), { tunnelId: 0 })
    say(MessageType.Scccn)
    const { localTunnelId } = endpoint.snapshot().tunnels[0]!
    expect(close(localTunnelId + 1)).toEqual([])
    expect(close(localTunnelId)).toEqual([
      expect.stringMatching(/^tunnelDown .*reset/),
      expect.stringMatching(/^send StopCCN/),
    ])
    expect(close(localTunnelId)).toEqual([])
    expect(endpoint.snapshot().tunnels[0]?.state).toBe('closed')
  })
})

describe('ports', () => {
  it('the answer goes where the last message came from', () => {
    const ports = (effects: L2tpEffect[]) => effects.flatMap(e => (e.kind === 'send' ? [e.remotePort] : []))
    const opening = emitControl({ tunnelId: 0, sessionId: 0, ns: 0, nr: 0, body: emitMessage(1, request()) })
    expect(ports(receive(opening, { remotePort: 49_200 }))).toEqual([49_200])
    const next = emitControl({ tunnelId: 1, sessionId: 0, ns: 1, nr: 1, body: emitMessage(3) })
    expect(ports(receive(next, { remotePort: 49_300 }))).toEqual([49_300])
  })
})

describe('sequencing', () => {
  it('is asked for in ICCN, and told to the driver', () => {
    dial()
    say(MessageType.Icrq, [assigned(2)])
    const lines = say(MessageType.Iccn, [avp(AvpType.SequencingRequired, new Uint8Array(0))], { sessionId: 3 })
    expect(lines).toContain('sessionConnected 2 sequenced')
  })
})

describe('bounds', () => {
  it('a peer that opens and opens has few tunnels, live and closed', () => {
    start({ maxTunnelsPerPeer: 3 })
    for (let id = 1; id <= 100; id++) say(MessageType.Sccrq, request(id), { tunnelId: 0, ns: 0 })
    const states = endpoint.snapshot().tunnels.map(t => t.state)
    expect(states.filter(s => s !== 'closed')).toHaveLength(3)
    expect(states.length).toBeLessThanOrEqual(3 + MAX_CLOSED_PER_PEER + 1)
  })

  it('a peer that calls and never acknowledges is dropped before it has made us remember much', () => {
    dial()
    let lines: string[] = []
    for (let id = 2; id < 200 && !lines.some(l => l.startsWith('tunnelDown')); id++) {
      lines = say(MessageType.Icrq, [assigned(id)], { nr: 2 })
    }
    expect(lines).toContain('tunnelDown 1 dead: the peer acknowledges nothing')
    expect(endpoint.snapshot().tunnels).toEqual([])
  })

  it('every sessionUp has one sessionDown and every tunnelUp one tunnelDown, and nothing but its own error is thrown', () => {
    const types = fc.constantFrom(...Object.values(MessageType))
    const odd = fc.constantFrom<Avp[]>(
      [],
      [avpU16(900, 1)],
      [avpU16(900, 1, false)],
      [avp(AvpType.Challenge, fromHex('00'))],
    )
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant('say' as const),
          type: types,
          peer: fc.integer({ min: 1, max: 2 }),
          sa: fc.integer({ min: 1, max: 2 }),
          id: fc.integer({ min: 0, max: 3 }),
          session: fc.integer({ min: 0, max: 6 }),
          odd,
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('raw' as const),
          bytes: fc.uint8Array({ maxLength: 40 }),
          peer: fc.integer({ min: 1, max: 2 }),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('wait' as const), milliseconds: fc.integer({ min: 0, max: 70_000 }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constantFrom(
            'peerGone' as const,
            'closeSession' as const,
            'closeTunnel' as const,
            'shutdown' as const,
          ),
          at: fc.integer({ min: 1, max: 4 }),
        }),
      },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        start()
        const up = new Set<string>()
        const check = (effects: readonly L2tpEffect[]) => {
          for (const e of effects) {
            const key =
              e.kind === 'sessionUp'
                ? `s${e.ids.session}`
                : e.kind === 'sessionDown'
                  ? `s${e.session}`
                  : e.kind === 'tunnelUp' || e.kind === 'tunnelDown'
                    ? `t${e.peer}/${e.localTunnelId}`
                    : ''
            if (e.kind === 'sessionUp' || e.kind === 'tunnelUp') {
              expect(up.has(key)).toBe(false)
              up.add(key)
            } else if (e.kind === 'sessionDown' || e.kind === 'tunnelDown') expect(up.delete(key)).toBe(true)
          }
        }
        const handle = (input: Parameters<L2tpEndpoint['handle']>[0]) => {
          const effects: L2tpEffect[] = []
          endpoint.handle(input, now, effects)
          check(effects)
          if (input.kind === 'deadline') expect(endpoint.deadline ?? Number.POSITIVE_INFINITY).toBeGreaterThan(now)
        }
        const via = { remote: 0, remotePort: 1701, localPort: 1701 }
        for (const s of steps) {
          if (s.kind === 'wait') {
            now += s.milliseconds
            handle({ kind: 'deadline' })
          } else if (s.kind === 'raw') handle({ kind: 'message', ...via, peer: s.peer, sa: 1, bytes: s.bytes })
          else if (s.kind === 'say') {
            const t = endpoint
              .snapshot()
              .tunnels.filter(x => x.peer === s.peer)
              .at(-1)
            const opens = s.type === MessageType.Sccrq
            const avps = opens
              ? request(s.id, ...s.odd)
              : [
                  avpU16(AvpType.AssignedTunnelId, s.id),
                  assigned(s.id),
                  avpU16(AvpType.ProtocolVersion, 0x0100),
                  ...s.odd,
                ]
            const bytes = emitControl({
              tunnelId: opens ? 0 : (t?.localTunnelId ?? 0),
              sessionId: s.session,
              ns: opens ? 0 : (t?.nr ?? 0),
              nr: t?.ns ?? 0,
              body: emitMessage(s.type, avps),
            })
            handle({ kind: 'message', ...via, peer: s.peer, sa: s.sa, bytes })
          } else if (s.kind === 'peerGone') handle({ kind: 'peerGone', peer: s.at, reason: 'gone' })
          else if (s.kind === 'closeSession')
            handle({ kind: 'closeSession', session: s.at, resultCode: 3, reason: 'x' })
          else if (s.kind === 'closeTunnel') {
            const { peer, localTunnelId } = endpoint.snapshot().tunnels[s.at - 1] ?? { peer: s.at, localTunnelId: 9 }
            handle({ kind: 'closeTunnel', peer, localTunnelId, reason: 'x' })
          } else handle({ kind: 'shutdown' })
          const snapshot = endpoint.snapshot().tunnels
          const sessions = snapshot.flatMap(t => t.sessions.map(x => `s${x.session}`))
          const tunnels = snapshot.filter(t => t.state === 'established').map(t => `t${t.peer}/${t.localTunnelId}`)
          expect([...up].sort()).toEqual([...sessions, ...tunnels].sort())
        }
        handle({ kind: 'peerGone', peer: 1, reason: 'end' })
        handle({ kind: 'peerGone', peer: 2, reason: 'end' })
        expect([...up]).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  it('takes any IDs that dice throw, and never 0', () => {
    for (const byte of [0x00, 0xff]) {
      endpoint = new L2tpEndpoint({ config, dice: n => new Uint8Array(n).fill(byte), rows: new RowNumbers(64) })
      for (let id = 1; id <= 3; id++) say(MessageType.Sccrq, request(id), { tunnelId: 0, ns: 0 })
      const local = endpoint.snapshot().tunnels.map(t => t.localTunnelId)
      expect(new Set(local).size).toBe(3)
      expect(local.every(id => id > 0 && id < 0x1_0000)).toBe(true)
    }
  })
})

it('no two peers have tunnels of one number, by which operators name them; a number comes free with its tunnel', () => {
  endpoint = new L2tpEndpoint({ config, dice: n => new Uint8Array(n), rows: new RowNumbers(64) })
  const open = (peer: number) => say(MessageType.Sccrq, request(1), { peer, tunnelId: 0, ns: 0 })
  for (let peer = 1; peer <= 3; peer++) open(peer)
  const numbers = () => endpoint.snapshot().tunnels.map(t => `${t.peer}: ${t.localTunnelId}`)
  expect(numbers()).toEqual(['1: 1', '2: 2', '3: 3'])
  endpoint.handle({ kind: 'peerGone', peer: 2, reason: 'gone' }, now, [])
  open(4)
  expect(numbers()).toEqual(['1: 1', '3: 3', '4: 2'])
})

describe('the first answer, byte for byte', () => {
  it('to an XP client', () => {
    const sccrq = fromHex(`
      c8020065000000000000000080080000000000018008000000020100800a0000000300000001000a
      00000004000000000008000000060500800e000000075850434c49454e54000f000000084d6963726f736f6674800800
      000009000180080000000a0008`)
    const sent = receive(sccrq).flatMap(e => (e.kind === 'send' ? [toHex(e.bytes)] : []))
    expect(sent).toEqual([
      'c802005e' +
        '00010000' +
        '00000001' +
        '8008000000000002' +
        '8008000000020100' +
        '800a0000000300000003' +
        '000a0000000400000000' +
        '800f00000007666c6f617467617465' +
        '000f00000008466c6f617467617465' +
        '8008000000090001' +
        '80080000000a0008',
    ])
  })
})
