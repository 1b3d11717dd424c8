import { describe, expect, it } from 'vitest'
import type { EngineEvent } from '../../src/esp/engine.ts'
import type { FromWorker } from '../../src/gateway/messages.ts'
import { type Endpoint, ipv4 } from '../../src/packet/ip.ts'
import { PuntReason } from '../../src/packet/verdict.ts'
import { anna, type GuestOptions, LAN_HOST, ping, World } from '../gateway/world.ts'
import { windows10 } from '../support/profiles.ts'
import { FUZZ_TIMEOUT, forSeeds, mutate, Rng } from './random.ts'

const ben: GuestOptions = {
  profile: windows10,
  user: 'ben',
  password: 'bananas',
  address: ipv4('10.1.0.12'),
  outer: ipv4('203.0.113.102'),
  ports: { 500: 32_001, 4500: 32_002 },
}

type Punt = Extract<FromWorker, { kind: 'punt' }>
interface Datagram {
  readonly local: Endpoint
  readonly remote: Endpoint
  readonly bytes: Uint8Array
}

/** The world, with a memory for all that ever came to control, so that it can come again, damaged. */
class Remembering extends World {
  readonly punts: Punt[] = []
  readonly datagrams: Datagram[] = []

  constructor() {
    super()
    const { control } = this
    const fromWorker = control.fromWorker.bind(control)
    const datagram = control.datagram.bind(control)
    control.fromWorker = (worker, m) => {
      if (m.kind === 'punt') this.punts.push({ ...m, bytes: m.bytes.slice() })
      fromWorker(worker, m)
    }
    control.datagram = (local, remote, bytes) => {
      this.datagrams.push({ local, remote, bytes: bytes.slice() })
      datagram(local, remote, bytes)
    }
  }
}

/** Whatever the data path might hand up on behalf of `peer`, and of rows that are nobody's. */
function handedUp(rng: Rng, w: Remembering, peer: number): FromWorker {
  if (rng.chance(15)) {
    const spis = [...(w.control.peers.all.get(peer)?.sas.keys() ?? []), rng.u32()]
    const who = rng.pick([peer, 0, 999])
    const spi = rng.pick(spis)
    const events: EngineEvent[] = [
      { kind: 'first', peer: who, spi },
      {
        kind: 'moved',
        peer: who,
        local: ipv4('203.0.113.1'),
        remote: 0xc6120000 + rng.below(9),
        port: rng.pick([0, 7]),
      },
      { kind: 'soft', peer: who, spi, inbound: rng.chance(50) },
    ]
    if (rng.chance(5)) events.push({ kind: 'hard', peer: who, spi, inbound: rng.chance(50) })
    return { kind: 'engine', events: [rng.pick(events)] }
  }
  const of = w.punts.filter(p => p.peer === peer)
  const before = rng.pick(of.length > 0 ? of : w.punts)
  const bytes = rng.chance(85) ? mutate(rng, before.bytes) : before.bytes
  // The stage before has seen to it that a UDP header and an L2TP header's beginning are there.
  const whole = before.reason === PuntReason.L2tpControl && bytes.length < 14 ? before.bytes : bytes
  return { ...before, peer: rng.chance(90) ? peer : 999, bytes: whole }
}

describe('control under all that the network can bring', () => {
  it('meets no bug, and the neighbour’s packets flow on', { timeout: FUZZ_TIMEOUT }, () => {
    let calls = 0
    forSeeds(12, seed => {
      const rng = new Rng(seed)
      const w = new Remembering()
      const honest = w.guest(anna)
      w.connect(honest)
      let rude = w.guest(ben)
      w.connect(rude)
      expect([honest.client.phase, rude.client.phase]).toEqual(['up', 'up'])
      const annas = [...w.control.sessions.all.values()].find(s => s.ids.peer === 1)!

      for (let i = 0; i < 150; i++) {
        const hostile = [...w.control.peers.all.keys()].find(p => p !== 1) ?? 999
        if (hostile === 999 && rng.chance(30)) {
          // Thrown out, it comes back.
          rude = w.guest({ ...ben, ports: { 500: 33_000 + i, 4500: 43_000 + i } })
          w.connect(rude, 3000)
        }
        if (rng.chance(50)) {
          const d = rng.pick(w.datagrams)
          const remote = { address: 0xc6120000 + rng.below(50), port: 1 + rng.below(0xffff) }
          w.control.datagram(d.local, remote, mutate(rng, d.bytes))
        } else w.control.fromWorker(rng.below(2), handedUp(rng, w, hostile))
        if (rng.chance(10)) w.advance(rng.below(2000))
        calls = Math.max(calls, w.control.sessions.all.size)
      }

      expect(w.log.filter(line => line.includes('Bug'))).toEqual([])
      expect(w.control.bugs).toBe(0)
      expect(w.control.sessions.all.get(annas.ids.session)).toBe(annas)
      const before = w.toLan.length
      w.act(honest, { kind: 'ipPacket', bytes: ping(honest.client.address, LAN_HOST) })
      expect(w.toLan.length).toBe(before + 1)

      for (const peer of [...w.control.peers.all.keys()]) w.control.closePeer(peer, 'the end')
      w.advance(60_000)
      expect([w.control.peers.all.size, w.control.sessions.all.size, w.routes.size, w.steering.size]).toEqual([
        0, 0, 0, 0,
      ])
      for (const pool of w.control.residents.poolStates()) expect(pool.used).toEqual([])
      expect(w.control.bugs).toBe(0)
    })
    expect(calls).toBeGreaterThanOrEqual(2)
  })
})
