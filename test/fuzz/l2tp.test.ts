import { describe, expect, it } from 'vitest'
import { AvpType, MAX_CLOSED_PER_PEER, MAX_UNACKNOWLEDGED, MessageType } from '../../src/l2tp/constants.ts'
import { L2TP_DEFAULTS, type L2tpConfig, type L2tpEffect, type L2tpInput } from '../../src/l2tp/effects.ts'
import { L2tpEndpoint } from '../../src/l2tp/endpoint.ts'
import { emitControl } from '../../src/l2tp/header.ts'
import type { DeadlineInput } from '../../src/machine.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { RowNumbers } from '../../src/packet/table.ts'
import { seededDice } from '../support/dice.ts'
import { Lac, type LacEffect, type LacInput } from '../support/lac.ts'
import { FUZZ_TIMEOUT, forSeeds, join, mutate, Rng } from './random.ts'

const config: L2tpConfig = {
  ...L2TP_DEFAULTS,
  enabled: true,
  ranges: [{ first: ipv4('1.1.1.1'), last: ipv4('255.255.255.254'), template: 1 }],
}
const HONEST = 1
const HOSTILE = 2

/** An LNS, what it told the driver of each peer, and one honest client in the midst. */
class Scene {
  readonly lns = new L2tpEndpoint({ config, dice: seededDice('lns'), rows: new RowNumbers(200) })
  readonly lac = new Lac()
  now = 0
  readonly sessions = new Map<number, number>()
  readonly tunnels = new Map<number, number>()
  /** What the hostile peer was sent. */
  toHostile: Uint8Array[] = []
  /** Messages that a client may send, for damage. */
  readonly seen: Uint8Array[] = []
  dead = false

  give(input: L2tpInput | DeadlineInput): L2tpEffect[] {
    const effects: L2tpEffect[] = []
    this.lns.handle(input, this.now, effects)
    for (const e of effects) this.book(e)
    return effects
  }

  private book(e: L2tpEffect): void {
    const add = (of: Map<number, number>, peer: number, n: number) => of.set(peer, (of.get(peer) ?? 0) + n)
    if (e.kind === 'sessionUp') add(this.sessions, e.ids.peer, 1)
    if (e.kind === 'sessionDown') add(this.sessions, e.peer, -1)
    if (e.kind === 'tunnelUp') add(this.tunnels, e.peer, 1)
    if (e.kind === 'tunnelDown') add(this.tunnels, e.peer, -1)
    if (e.kind === 'tunnelDown' && e.peer === HONEST) this.dead = true
    if (e.kind !== 'send') return
    if (e.peer === HOSTILE) this.toHostile.push(e.bytes)
    else this.client({ kind: 'message', bytes: e.bytes })
  }

  hostile(bytes: Uint8Array): L2tpEffect[] {
    return this.give({
      kind: 'message',
      peer: HOSTILE,
      sa: 7,
      remote: ipv4('203.0.113.8'),
      remotePort: 1701,
      localPort: 1701,
      bytes,
    })
  }

  client(input: LacInput | DeadlineInput): void {
    const effects: LacEffect[] = []
    this.lac.handle(input, this.now, effects)
    for (const e of effects) {
      if (e.kind !== 'send') continue
      this.seen.push(e.bytes)
      const at = { peer: HONEST, sa: 6, remote: ipv4('203.0.113.7'), remotePort: 1701, localPort: 1701 }
      this.give({ kind: 'message', ...at, bytes: e.bytes })
    }
  }

  pass(millis: number): void {
    const until = this.now + millis
    for (let at = this.lns.deadline; at !== undefined && at <= until; at = this.lns.deadline) {
      this.now = Math.max(this.now, at)
      this.give({ kind: 'deadline' })
      const next = this.lns.deadline
      if (next !== undefined && next < this.now) throw new Error('deadline stays in the past')
    }
    this.now = until
  }
}

/** One AVP with whatever is asked for. */
function avp(rng: Rng, type: number, value: Uint8Array): Uint8Array {
  const flags = rng.pick([0x8000, 0x8000, 0x8000, 0, 0xc000, 0x4000, 0x8400])
  const length = 6 + value.length + (rng.chance(5) ? rng.pick([-7, -1, 1, 200]) : 0)
  const word = flags | (length & 0x3ff)
  const vendor = rng.chance(5) ? 9 : 0
  return join(Uint8Array.of(word >>> 8, word, 0, vendor, type >>> 8, type), value)
}

const word = (type: number, value: number) => join(Uint8Array.of(0x80, 8, 0, 0, 0, type, value >>> 8, value))
const long = (type: number) => Uint8Array.of(0x80, 10, 0, 0, 0, type, 0, 0, 0, 1)

/** A message that keeps the rules, whether or not it is in its place. */
function wellFormed(rng: Rng): Uint8Array {
  const is = (type: number, ...avps: Uint8Array[]) => join(word(AvpType.MessageType, type), ...avps)
  switch (rng.below(12)) {
    case 0:
    case 1:
      return is(
        MessageType.Sccrq,
        word(AvpType.ProtocolVersion, 0x100),
        Uint8Array.of(0x80, 7, 0, 0, 0, AvpType.HostName, 65),
        long(AvpType.FramingCapabilities),
        word(AvpType.AssignedTunnelId, 1 + rng.below(9)),
      )
    case 2:
    case 3:
      return is(MessageType.Scccn)
    case 4:
    case 5:
    case 6:
      return is(MessageType.Icrq, word(AvpType.AssignedSessionId, 1 + rng.below(40)), long(AvpType.CallSerialNumber))
    case 7:
    case 8:
      return is(MessageType.Iccn, long(AvpType.TxConnectSpeed), long(AvpType.FramingType))
    case 9:
    case 10:
      return is(MessageType.Hello)
    default:
      return rng.chance(50)
        ? is(MessageType.Cdn, word(AvpType.ResultCode, 1), word(AvpType.AssignedSessionId, rng.below(40)))
        : is(MessageType.StopCcn, word(AvpType.ResultCode, 1), word(AvpType.AssignedTunnelId, rng.below(9)))
  }
}

function body(rng: Rng): Uint8Array {
  const types = Object.values(MessageType)
  const type = rng.chance(90) ? rng.pick(types) : rng.below(40)
  const parts = [avp(rng, AvpType.MessageType, Uint8Array.of(0, type))]
  const must = [
    [AvpType.ProtocolVersion, Uint8Array.of(1, 0)],
    [AvpType.HostName, rng.bytes(rng.below(30))],
    [AvpType.FramingCapabilities, Uint8Array.of(0, 0, 0, 1)],
    [AvpType.AssignedTunnelId, Uint8Array.of(0, rng.below(12))],
    [AvpType.AssignedSessionId, Uint8Array.of(0, rng.below(30))],
    [AvpType.CallSerialNumber, rng.bytes(4)],
    [AvpType.ResultCode, rng.bytes(rng.pick([0, 1, 2, 3, 4, 30]))],
    [AvpType.TxConnectSpeed, rng.bytes(4)],
    [AvpType.FramingType, Uint8Array.of(0, 0, 0, 1)],
    [AvpType.ReceiveWindowSize, Uint8Array.of(rng.pick([0, 0, 255]), rng.below(256))],
  ] as const
  for (const [t, value] of must) if (rng.chance(85)) parts.push(avp(rng, t, value))
  for (let n = rng.below(3); n > 0; n--) parts.push(avp(rng, rng.below(50), rng.bytes(rng.pick([0, 1, 2, 4, 8, 100]))))
  return join(...parts)
}

describe('L2TP and a peer that keeps no rule', () => {
  it('keeps what it holds of it within bounds, and every other peer whole', { timeout: FUZZ_TIMEOUT }, () => {
    const reached = { calls: 0, tunnels: 0, discarded: 0 }
    forSeeds(60, seed => {
      const rng = new Rng(seed)
      const s = new Scene()
      let ns = 0
      const open = () => s.lns.snapshot().tunnels.filter(t => t.peer === HOSTILE)
      s.client({ kind: 'connect' })
      for (let i = 0; i < 250; i++) {
        if (i === 100) s.client({ kind: 'call' })
        const known = open().filter(t => t.state !== 'closed')
        const tunnel = known.length > 0 ? rng.pick(known) : undefined
        const legal = rng.chance(85)
        const bytes = emitControl({
          tunnelId: legal ? (tunnel?.localTunnelId ?? 0) : rng.pick([0, rng.below(0x10000), 1]),
          sessionId: rng.pick([0, tunnel?.sessions[0]?.localSessionId ?? 0, rng.below(0x10000)]),
          ns: legal ? (tunnel?.nr ?? 0) : rng.pick([ns, rng.below(0x10000), 0xffff]),
          nr: rng.chance(80) ? (tunnel?.ns ?? 0) : rng.below(0x10000),
          body: rng.chance(85) ? wellFormed(rng) : rng.chance(70) ? body(rng) : new Uint8Array(0),
        })
        ns = (ns + 1) & 0xffff
        const message = rng.chance(90) ? bytes : mutate(rng, rng.chance(50) ? bytes : rng.pick(s.seen))
        const effects = s.hostile(message)
        for (const e of effects)
          if ('peer' in e) expect(e.peer).toBe(HOSTILE)
          else if (e.kind === 'sessionUp') expect(e.ids.peer).toBe(HOSTILE)
        for (const e of effects) {
          if (e.kind === 'sessionUp') reached.calls++
          if (e.kind === 'tunnelUp') reached.tunnels++
          if (e.kind === 'discarded') reached.discarded++
        }
        // One message frees or flushes a few queued ones; ending a tunnel ends its calls.
        expect(effects.length).toBeLessThan(4 * MAX_UNACKNOWLEDGED)
        if (rng.chance(10)) s.pass(rng.below(3000))
      }
      expect(open().length).toBeLessThanOrEqual(config.maxTunnelsPerPeer + MAX_CLOSED_PER_PEER)
      const calls = s.sessions.get(HOSTILE) ?? 0
      expect(calls).toBeGreaterThanOrEqual(0)
      expect(calls).toBeLessThanOrEqual(config.maxTunnelsPerPeer * config.maxSessionsPerTunnel)
      expect([s.tunnels.get(HONEST), s.sessions.get(HONEST), s.dead]).toEqual([1, 1, false])

      // Silence ends everything of the hostile peer.
      s.give({ kind: 'peerGone', peer: HOSTILE, reason: 'over' })
      s.pass(60_000)
      expect([s.sessions.get(HOSTILE) ?? 0, s.tunnels.get(HOSTILE) ?? 0, open().length]).toEqual([0, 0, 0])
    })
    // The damage was light enough to come far.
    expect(Math.min(reached.calls, reached.tunnels, reached.discarded)).toBeGreaterThan(20)
  })

  it('queues no endless answers for a peer that never acknowledges', () => {
    const rng = new Rng(1)
    const s = new Scene()
    const id = (t: number, v: number) => join(Uint8Array.of(0x80, 8, 0, 0, 0, t), Uint8Array.of(v >>> 8, v))
    const four = (t: number) => Uint8Array.of(0x80, 10, 0, 0, 0, t, 0, 0, 0, 1)
    const sccrq = join(
      id(0, MessageType.Sccrq),
      id(AvpType.ProtocolVersion, 0x100),
      Uint8Array.of(0x80, 7, 0, 0, 0, AvpType.HostName, 65),
      four(AvpType.FramingCapabilities),
      id(AvpType.AssignedTunnelId, 5),
    )
    s.hostile(emitControl({ tunnelId: 0, sessionId: 0, ns: 0, nr: 0, body: sccrq }))
    const tunnelId = s.lns.snapshot().tunnels[0]!.localTunnelId
    s.hostile(emitControl({ tunnelId, sessionId: 0, ns: 1, nr: 1, body: id(0, MessageType.Scccn) }))
    for (let i = 0; i < 500; i++) {
      const icrq = join(
        id(0, MessageType.Icrq),
        id(AvpType.AssignedSessionId, 1 + rng.below(5000)),
        four(AvpType.CallSerialNumber),
      )
      s.hostile(emitControl({ tunnelId, sessionId: 0, ns: 2 + i, nr: 1, body: icrq }))
    }
    expect(s.sessions.get(HOSTILE) ?? 0).toBeLessThanOrEqual(config.maxSessionsPerTunnel)
    expect(s.toHostile.length).toBeLessThan(600)
    s.pass(120_000)
    expect(s.sessions.get(HOSTILE) ?? 0).toBe(0)
  })
})
