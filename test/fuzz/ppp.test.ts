import { describe, expect, it } from 'vitest'
import { ipv4 } from '../../src/packet/ip.ts'
import type { PppEffect, PppInput } from '../../src/ppp/effects.ts'
import { PppLink } from '../../src/ppp/link.ts'
import { countingDice, Pair, template } from '../ppp/pair.ts'
import { FUZZ_TIMEOUT, forSeeds, join, mutate, Rng } from './random.ts'

/** Frames that clients sent in real dialogues, to damage. */
function corpus(): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (const flavour of FLAVOURS) {
    const pair = new Pair({ client: { flavour } })
    const forward = pair.fromClient.bind(pair)
    pair.fromClient = sent => {
      frames.push(...sent.map(f => f.slice()))
      forward(sent)
    }
    pair.start().run(10_000)
  }
  return frames
}

const FLAVOURS = ['xp', 'win7', 'plain'] as const

const protocols = [0xc021, 0xc021, 0xc223, 0xc223, 0x8021, 0x8021, 0x80fd, 0x8057, 0xc227, 0xc023, 0x0021]

function packet(rng: Rng): Uint8Array {
  const options: Uint8Array[] = []
  for (let n = rng.below(5); n > 0; n--) {
    const value = rng.bytes(rng.pick([0, 1, 2, 4, 5, 16]))
    const length = value.length + 2 + (rng.chance(10) ? rng.pick([-2, -1, 1, 100]) : 0)
    options.push(join(Uint8Array.of(rng.pick([1, 2, 3, 5, 7, 8, 13, 17, 19, 129, 130, 131, 132]), length), value))
  }
  const data = rng.chance(70) ? join(...options) : rng.bytes(rng.below(60))
  const length = 4 + data.length + (rng.chance(8) ? rng.pick([-4, -1, 1, 1000]) : 0)
  const p = rng.pick(protocols)
  const head = rng.pick([Uint8Array.of(0xff, 3), Uint8Array.of(0xff, 3), new Uint8Array(0), Uint8Array.of(0xff)])
  return join(head, Uint8Array.of(p >>> 8, p, rng.below(17), rng.below(256), length >>> 8, length), data)
}

/** A link alone with its attacker. */
class Lonely {
  readonly link = new PppLink({ template, dice: countingDice() })
  now = 0
  readonly effects: PppEffect[] = []

  give(input: PppInput | { kind: 'deadline' }): PppEffect[] {
    const effects: PppEffect[] = []
    this.link.handle(input, this.now, effects)
    this.effects.push(...effects)
    return effects
  }

  pass(millis: number): void {
    const until = this.now + millis
    for (let at = this.link.deadline; at !== undefined && at <= until; at = this.link.deadline) {
      this.now = Math.max(this.now, at)
      this.give({ kind: 'deadline' })
      const next = this.link.deadline
      if (next !== undefined && next <= this.now) throw new Error('deadline stays in the past')
    }
    this.now = until
  }
}

/** A whole dialogue whose client now and then says something else, or something more. */
class Rude extends Pair {
  readonly rng: Rng

  constructor(rng: Rng, flavour: (typeof FLAVOURS)[number]) {
    super({ client: { flavour } })
    this.rng = rng
  }

  override input(input: PppInput | { kind: 'deadline' }): PppEffect[] {
    const effects = super.input(input)
    expect(effects.length).toBeLessThan(8)
    return effects
  }

  override fromClient(frames: readonly Uint8Array[]): void {
    const { rng } = this
    super.fromClient(
      frames.flatMap(f => {
        if (rng.chance(4)) return [mutate(rng, f)]
        if (rng.chance(15)) return [f, packet(rng)]
        return rng.chance(5) ? [f, f] : [f]
      }),
    )
  }
}

describe('PPP and a client that keeps no rule', () => {
  it('answers each frame with little, and gives no network to who is not known', { timeout: FUZZ_TIMEOUT }, () => {
    const frames = corpus()
    expect(frames.length).toBeGreaterThan(5)
    forSeeds(300, seed => {
      const rng = new Rng(seed)
      const l = new Lonely()
      const refuse = rng.chance(50)
      l.give({ kind: 'start' })
      let accepted = false
      for (let i = 0; i < 120; i++) {
        const genuine = rng.pick(frames)
        const bytes = rng.chance(35) ? packet(rng) : rng.chance(40) ? mutate(rng, genuine) : genuine
        const effects = l.give({ kind: 'frame', bytes })
        expect(effects.length).toBeLessThan(8)
        expect(effects.filter(e => e.kind === 'send').length).toBeLessThanOrEqual(4)
        for (const e of effects) if (e.kind === 'send') expect(e.bytes.length).toBeLessThanOrEqual(1600)
        for (const e of effects) {
          if (e.kind !== 'authenticate') continue
          accepted ||= !refuse
          l.give({
            kind: 'authenticated',
            request: e.request,
            result: refuse
              ? { kind: 'rejected', reason: 'wrong-password', message: 'no' }
              : {
                  kind: 'accepted',
                  user: 'u',
                  address: ipv4('192.168.8.50'),
                  localAddress: ipv4('192.168.8.1'),
                  dns: [undefined, undefined],
                  wins: [undefined, undefined],
                  message: 'yes',
                },
          })
        }
        if (rng.chance(10)) l.pass(rng.below(4000))
      }
      if (!accepted) expect(l.effects.some(e => e.kind === 'networkUp')).toBe(false)
      for (const e of l.effects) if (e.kind === 'networkUp') expect(e.peerMru).toBeLessThanOrEqual(template.mru)
      // Left alone, a link ends or lives by its echoes, which nobody answers: it ends.
      l.pass(600_000)
      expect(l.effects.filter(e => e.kind === 'down')).toHaveLength(1)
      expect(l.link.deadline).toBeUndefined()
    })
  })

  it('comes to an end with a client that is half genuine, one way or the other', { timeout: FUZZ_TIMEOUT }, () => {
    const reached = { networks: 0, failures: 0 }
    forSeeds(200, seed => {
      const pair = new Rude(new Rng(seed), FLAVOURS[seed % FLAVOURS.length]!)
      pair.start().run(90_000)
      const up = pair.all('networkUp').length
      if (up > 0) {
        reached.networks++
        expect(pair.all('authenticate').length).toBeGreaterThan(0)
        for (const e of pair.all('networkUp')) expect(e.peerMru).toBeLessThanOrEqual(template.mru)
      } else {
        reached.failures++
        expect(pair.all('down')).toHaveLength(1)
      }
    })
    // The damage came far, and did some.
    expect(Math.min(reached.networks, reached.failures)).toBeGreaterThan(5)
  })

  it('sends no small MRU’s packets: an absurd MRU leaves a usable one', { timeout: FUZZ_TIMEOUT }, () => {
    for (const mru of [0, 1, 4, 63, 64, 127, 65535]) {
      const l = new Lonely()
      l.give({ kind: 'start' })
      const request = Uint8Array.of(0xff, 3, 0xc0, 0x21, 1, 1, 0, 8, 1, 4, mru >>> 8, mru)
      l.give({ kind: 'frame', bytes: request })
      expect(l.link.snapshot().peerMru).toBeGreaterThanOrEqual(64)
      l.give({ kind: 'frame', bytes: Uint8Array.of(0xff, 3, 0x80, 0xfd, 1, 1, 0, 4) })
      for (const e of l.effects) if (e.kind === 'send') expect(e.bytes.length).toBeGreaterThan(7)
    }
  })
})
