/** Clients and the LNS, message by message: `->` goes to the LNS, `<-` comes from it, `*` is what it tells the driver. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ipv4 } from '../../src/packet/ip.ts'
import { RowNumbers } from '../../src/packet/table.ts'
import { type Client, config, Ladder } from '../support/l2tp-ladder.ts'
import { Lac, type LacProfile, vista, xl2tpd, xp } from '../support/lac.ts'

/** A client with its tunnel and one call up. */
function dialled(ladder: Ladder, options: { profile?: LacProfile; peer?: number; tunnelId?: number } = {}): Client {
  const { profile = xp, peer = 1, tunnelId = 1 } = options
  const client = ladder.client(new Lac({ profile, tunnelId }), peer, 0x1000 + peer)
  ladder.act(client, { kind: 'call' })
  ladder.act(client, { kind: 'connect' })
  ladder.take()
  return client
}

describe('dialling in', () => {
  it.each([
    ['Windows XP', xp],
    ['Windows Vista, with a vendor AVP in ICRQ', vista],
    ['xl2tpd', xl2tpd],
  ])('%s', (_, profile) => {
    const ladder = new Ladder()
    const client = ladder.client(new Lac({ profile }))
    ladder.act(client, { kind: 'call' })
    ladder.act(client, { kind: 'connect' })
    expect(ladder.take()).toEqual([
      '1 -> SCCRQ 0/0 ns 0 nr 0, tunnel 1',
      '1 <- SCCRP 1/0 ns 0 nr 1, tunnel 1',
      '1 -> SCCCN 1/0 ns 1 nr 1',
      '* tunnelUp 1 XPCLIENT',
      '1 <- ZLB 1/0 ns 1 nr 2',
      '1 -> ICRQ 1/0 ns 2 nr 1, session 1',
      '* sessionUp 1',
      '1 <- ICRP 1/1 ns 1 nr 3, session 2',
      '1 -> ICCN 1/2 ns 3 nr 2',
      '* sessionConnected 1',
      '1 <- ZLB 1/0 ns 2 nr 4',
    ])
    expect(client.events.map(e => e.kind)).toEqual(['tunnelUp', 'callUp'])
  })

  it('tells the driver all that the data path needs', () => {
    const ladder = new Ladder({ ranges: [{ first: ipv4('203.0.113.0'), last: ipv4('203.0.113.9'), template: 7 }] })
    const client = ladder.client(new Lac({ tunnelId: 9, firstSessionId: 5, hostName: 'imac' }), 3, 0x77, 49_200)
    const ups: unknown[] = []
    const handle = ladder.endpoint.handle.bind(ladder.endpoint)
    ladder.endpoint.handle = (input, now, effects) => {
      handle(input, now, effects)
      ups.push(...effects.filter(e => e.kind === 'sessionUp' || e.kind === 'sessionConnected'))
    }
    ladder.act(client, { kind: 'call' })
    ladder.act(client, { kind: 'connect' })
    expect(ups).toEqual([
      {
        kind: 'sessionUp',
        ids: {
          session: 1,
          peer: 3,
          localTunnelId: 1,
          remoteTunnelId: 9,
          localSessionId: 2,
          remoteSessionId: 5,
          remotePort: 49_200,
          localPort: 1701,
          template: 7,
          hostName: 'imac',
          sequencing: false,
        },
      },
      { kind: 'sessionConnected', session: 1, connectSpeed: 100_000_000, sequencing: false },
    ])
  })

  it('takes several calls in one tunnel, and ends them one by one', () => {
    const ladder = new Ladder()
    const client = dialled(ladder)
    ladder.act(client, { kind: 'call' })
    ladder.act(client, { kind: 'call' })
    expect(ladder.endpoint.snapshot().tunnels[0]?.sessions.map(s => [s.session, s.remoteSessionId, s.state])).toEqual([
      [1, 1, 'established'],
      [2, 2, 'established'],
      [3, 3, 'established'],
    ])
    ladder.take()
    ladder.act(client, { kind: 'hangUp', localSessionId: 2 })
    expect(ladder.take()).toEqual([
      '1 -> CDN 1/3 ns 8 nr 4, session 2, result 3 error 0',
      '* sessionDown 2: the peer ended the call: result 3 error 0',
      '1 <- ZLB 1/0 ns 4 nr 9',
    ])
  })

  it('is known by its peer alone: two clients with the same IDs, ports and addresses do not meet', () => {
    const ladder = new Ladder()
    const [a, b] = [dialled(ladder, { peer: 1 }), dialled(ladder, { peer: 2 })]
    expect(ladder.endpoint.snapshot().tunnels.map(t => [t.peer, t.remoteTunnelId, t.state])).toEqual([
      [1, 1, 'established'],
      [2, 1, 'established'],
    ])
    ladder.act(a, { kind: 'disconnect' })
    expect(ladder.endpoint.snapshot().tunnels.map(t => [t.peer, t.state])).toEqual([
      [1, 'closed'],
      [2, 'established'],
    ])
    expect(b.lac.state).toBe('established')
  })
})

describe('hanging up', () => {
  it('by the client: CDN, StopCCN, and acknowledgements for as long as it may repeat them', () => {
    const ladder = new Ladder()
    const client = dialled(ladder)
    ladder.act(client, { kind: 'hangUp', localSessionId: 1 })
    ladder.lose = text => text.includes('<- ZLB')
    ladder.act(client, { kind: 'disconnect' })
    ladder.advance(1000)
    ladder.lose = () => false
    ladder.advance(2000)
    expect(ladder.take()).toEqual([
      '1 -> CDN 1/2 ns 4 nr 2, session 1, result 3 error 0',
      '* sessionDown 1: the peer ended the call: result 3 error 0',
      '1 <- ZLB 1/0 ns 2 nr 5',
      '1 -> StopCCN 1/0 ns 5 nr 2, tunnel 1, result 1 error 0',
      '* tunnelDown 1: the peer ended the tunnel: result 1 error 0',
      '1 <- ZLB 1/0 ns 2 nr 6 (lost)',
      '1 -> StopCCN 1/0 ns 5 nr 2, tunnel 1, result 1 error 0',
      '1 <- ZLB 1/0 ns 2 nr 6 (lost)',
      '1 -> StopCCN 1/0 ns 5 nr 2, tunnel 1, result 1 error 0',
      '1 <- ZLB 1/0 ns 2 nr 6',
    ])
    ladder.advance(31_000)
    expect(ladder.endpoint.snapshot().tunnels).toEqual([])
    expect(ladder.endpoint.deadline).toBeUndefined()
  })

  it('by the gateway: the last call takes the tunnel with it', () => {
    const ladder = new Ladder()
    const client = dialled(ladder)
    ladder.handle({ kind: 'closeSession', session: 1, resultCode: 3, reason: 'idle too long' })
    expect(ladder.take()).toEqual([
      '* sessionDown 1: idle too long',
      '* tunnelDown 1: its last call was ended',
      '1 <- CDN 1/1 ns 2 nr 4, session 2, result 3 error 0',
      '1 -> ZLB 1/0 ns 4 nr 3',
      '1 <- StopCCN 1/0 ns 3 nr 4, tunnel 1, result 1 error 0',
      '1 -> ZLB 1/0 ns 4 nr 4',
    ])
    expect(client.events.slice(-2).map(e => e.kind)).toEqual(['callDown', 'tunnelDown'])
    ladder.handle({ kind: 'closeSession', session: 1, resultCode: 3, reason: 'again' })
    expect(ladder.take()).toEqual([])
  })

  it('by the gateway: other calls go on', () => {
    const ladder = new Ladder()
    const client = dialled(ladder)
    ladder.act(client, { kind: 'call' })
    ladder.take()
    ladder.handle({ kind: 'closeSession', session: 1, resultCode: 2, reason: 'removed' })
    expect(ladder.take()).toEqual([
      '* sessionDown 1: removed',
      '1 <- CDN 1/1 ns 3 nr 6, session 2, result 2 error 0',
      '1 -> ZLB 1/0 ns 6 nr 4',
    ])
    expect(client.lac.calls.size).toBe(1)
  })

  it('at shutdown every tunnel is told', () => {
    const ladder = new Ladder()
    dialled(ladder, { peer: 1 })
    dialled(ladder, { peer: 2 })
    ladder.handle({ kind: 'shutdown' })
    expect(ladder.take()).toEqual([
      '* sessionDown 1: the gateway shuts down',
      '* tunnelDown 1: the gateway shuts down',
      '1 <- StopCCN 1/0 ns 2 nr 4, tunnel 1, result 6 error 0',
      '1 -> ZLB 1/0 ns 4 nr 3',
      '* sessionDown 2: the gateway shuts down',
      '* tunnelDown 3: the gateway shuts down',
      '2 <- StopCCN 1/0 ns 2 nr 4, tunnel 3, result 6 error 0',
      '2 -> ZLB 3/0 ns 4 nr 3',
    ])
  })

  it('a peer that is gone is not told anything', () => {
    const ladder = new Ladder()
    dialled(ladder)
    ladder.handle({ kind: 'peerGone', peer: 1, reason: 'no SA left' })
    expect(ladder.take()).toEqual(['* sessionDown 1: no SA left', '* tunnelDown 1: no SA left'])
    expect(ladder.endpoint.snapshot().tunnels).toEqual([])
    ladder.handle({ kind: 'peerGone', peer: 1, reason: 'no SA left' })
    expect(ladder.take()).toEqual([])
  })
})

describe('a lossy way', () => {
  it('SCCRP is lost: the SCCRQ that comes again gets it again, not a second tunnel', () => {
    const ladder = new Ladder()
    const client = ladder.client(new Lac())
    ladder.lose = text => text.includes('SCCRP')
    ladder.act(client, { kind: 'connect' })
    ladder.lose = () => false
    ladder.advance(1000)
    expect(ladder.take()).toEqual([
      '1 -> SCCRQ 0/0 ns 0 nr 0, tunnel 1',
      '1 <- SCCRP 1/0 ns 0 nr 1, tunnel 1 (lost)',
      '1 <- SCCRP 1/0 ns 0 nr 1, tunnel 1',
      '1 -> SCCCN 1/0 ns 1 nr 1',
      '* tunnelUp 1 XPCLIENT',
      '1 <- ZLB 1/0 ns 1 nr 2',
    ])
    expect(ladder.endpoint.snapshot().tunnels).toHaveLength(1)
  })

  it('a repeated SCCRQ is answered at once, through the SA that it came by or a newer one', () => {
    const ladder = new Ladder()
    const client = ladder.client(new Lac())
    ladder.lose = text => text.includes('<-')
    ladder.act(client, { kind: 'connect' })
    const again = { peer: 1, remote: 0, remotePort: 1701, localPort: 1701 }
    const early = new Lac()
    const effects: { kind: string; bytes?: Uint8Array }[] = []
    early.handle({ kind: 'connect' }, 0, effects as never)
    ladder.handle({ kind: 'message', ...again, sa: 0x1000, bytes: effects[0]!.bytes! })
    ladder.handle({ kind: 'message', ...again, sa: 0x2000, bytes: effects[0]!.bytes! })
    expect(ladder.take()).toEqual([
      '1 -> SCCRQ 0/0 ns 0 nr 0, tunnel 1',
      '1 <- SCCRP 1/0 ns 0 nr 1, tunnel 1 (lost)',
      '1 <- SCCRP 1/0 ns 0 nr 1, tunnel 1 (lost)',
      '1 <- SCCRP 1/0 ns 0 nr 1, tunnel 1 (lost)',
    ])
    expect(ladder.endpoint.snapshot()).toMatchObject({
      tunnels: [{ state: 'waitControlConnection' }],
      counters: { duplicates: 2, retransmissions: 2 },
    })
  })

  it('a client that never answers SCCRP is forgotten after 31 seconds, and no driver was troubled', () => {
    const ladder = new Ladder()
    const client = ladder.client(new Lac())
    ladder.lose = text => text.includes('<-')
    ladder.act(client, { kind: 'connect' })
    client.lac.channel.abandon() // says it once only
    ladder.take()
    const at: number[] = []
    for (let i = 0; i < 64 && ladder.endpoint.deadline !== undefined; i++) {
      ladder.advance(ladder.endpoint.deadline - ladder.now)
      at.push(...ladder.take().map(() => ladder.now))
    }
    expect(at).toEqual([1000, 3000, 7000, 15_000, 23_000])
    expect(ladder.now).toBe(31_000)
    expect(ladder.endpoint.snapshot()).toMatchObject({ tunnels: [], counters: { tunnelsDead: 1, retransmissions: 5 } })
  })

  it('a client that acknowledges SCCRP but never connects is told to stop', () => {
    const ladder = new Ladder()
    const client = ladder.client(new Lac())
    ladder.lose = text => text.includes('SCCCN')
    ladder.act(client, { kind: 'connect' })
    const { peer, sa, remotePort } = client
    const bytes = Uint8Array.of(0xc8, 2, 0, 12, 0, 1, 0, 0, 0, 1, 0, 1) // ZLB
    ladder.handle({ kind: 'message', peer, sa, remote: 0, remotePort, localPort: 1701, bytes })
    client.lac.channel.abandon()
    ladder.take()
    ladder.advance(60_000)
    expect(ladder.take()).toEqual(['1 <- StopCCN 1/0 ns 1 nr 1, tunnel 1, result 1 error 0', '1 -> ZLB 1/0 ns 2 nr 2'])
  })

  it('a call without ICCN is cleared after a minute', () => {
    const ladder = new Ladder()
    const client = ladder.client(new Lac())
    ladder.lose = text => text.includes('ICCN')
    ladder.act(client, { kind: 'call' })
    ladder.act(client, { kind: 'connect' })
    client.lac.channel.abandon()
    const zlb = Uint8Array.of(0xc8, 2, 0, 12, 0, 1, 0, 0, 0, 3, 0, 2)
    const via = { peer: 1, sa: 1, remote: 0, remotePort: 1701, localPort: 1701 }
    ladder.handle({ kind: 'message', ...via, bytes: zlb })
    ladder.take()
    ladder.advance(60_000)
    expect(ladder.take()).toEqual([
      '* sessionDown 1: no ICCN came',
      '1 <- CDN 1/1 ns 2 nr 3, session 2, result 10 error 0',
      '1 -> ZLB 1/0 ns 4 nr 3',
    ])
  })
})

describe('a very lossy way', () => {
  it('ends with both sides of one mind, whatever is lost', () => {
    const world = fc.record({ seed: fc.integer({ min: 1, max: 0xffff }), percent: fc.integer({ min: 0, max: 30 }) })
    fc.assert(
      fc.property(world, ({ seed, percent }) => {
        const ladder = new Ladder()
        let state = seed
        ladder.lose = () => {
          state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
          return (state >>> 16) % 100 < percent
        }
        const client = ladder.client(new Lac())
        ladder.act(client, { kind: 'call' })
        ladder.act(client, { kind: 'call' })
        ladder.act(client, { kind: 'connect' })
        ladder.advance(50_000)
        const tunnel = ladder.endpoint.snapshot().tunnels.find(t => t.state === 'established')
        // Six losses in a row are bad luck, and end it: but then on both sides.
        if (client.lac.state === 'established' && tunnel) {
          const theirs = [...client.lac.calls.values()].map(c => [c.state, c.remoteSessionId, c.localSessionId])
          expect(theirs).toEqual(tunnel.sessions.map(s => [s.state, s.localSessionId, s.remoteSessionId]))
        }
        ladder.act(client, { kind: 'disconnect' })
        ladder.advance(200_000)
        expect(ladder.endpoint.snapshot().tunnels).toEqual([])
        expect(ladder.endpoint.deadline).toBeUndefined()
        const lines = ladder.take()
        const ups = lines.filter(l => /^\* (session|tunnel)Up/.test(l)).length
        expect(lines.filter(l => /^\* (session|tunnel)Down/.test(l))).toHaveLength(ups)
        if (percent === 0) expect(ups).toBe(3)
      }),
      { numRuns: 200 },
    )
  })
})

describe('HELLO', () => {
  it('asks after silence, and the answer is enough', () => {
    const ladder = new Ladder()
    dialled(ladder)
    ladder.advance(120_000)
    expect(ladder.take()).toEqual([
      '1 <- HELLO 1/0 ns 2 nr 4',
      '1 -> ZLB 1/0 ns 4 nr 3',
      '1 <- HELLO 1/0 ns 3 nr 4',
      '1 -> ZLB 1/0 ns 4 nr 4',
    ])
  })

  it("the client's is acknowledged, and puts ours off", () => {
    const ladder = new Ladder()
    const client = dialled(ladder)
    ladder.advance(40_000)
    ladder.act(client, { kind: 'hello' })
    ladder.advance(40_000)
    expect(ladder.take()).toEqual(['1 -> HELLO 1/0 ns 4 nr 2', '1 <- ZLB 1/0 ns 2 nr 5'])
  })

  it('a dead client is dead only after all of its 31 seconds', () => {
    const ladder = new Ladder()
    dialled(ladder)
    ladder.lose = () => true
    ladder.advance(60_000 + 30_999)
    expect(ladder.take().filter(l => l.startsWith('*'))).toEqual([])
    ladder.advance(1)
    expect(ladder.take()).toEqual([
      '* sessionDown 1: the peer stopped answering',
      '* tunnelDown 1 dead: the peer stopped answering',
    ])
    expect(ladder.endpoint.snapshot().tunnels).toEqual([])
  })

  it('of a program that was started anew over the same SA the old tunnel dies alone; the last one takes the peer with it', () => {
    const ladder = new Ladder()
    dialled(ladder, { profile: xl2tpd })
    ladder.advance(5000)
    dialled(ladder, { profile: xl2tpd, tunnelId: 2 })
    ladder.advance(120_000)
    expect(ladder.take().filter(l => l.startsWith('* tunnelDown'))).toEqual([
      '* tunnelDown 1: the peer stopped answering',
    ])
    ladder.lose = () => true
    ladder.advance(120_000)
    expect(ladder.take().filter(l => l.startsWith('* tunnelDown'))).toEqual([
      '* tunnelDown 3 dead: the peer stopped answering',
    ])
  })

  it('a phone that answers no HELLO but sends data lives as long as it does', () => {
    const ladder = new Ladder()
    dialled(ladder)
    ladder.advance(60_000)
    ladder.take()
    ladder.handle({ kind: 'heard', session: 1 })
    ladder.advance(59_000)
    expect(ladder.take()).toEqual([])
    ladder.lose = () => true
    for (let i = 0; i < 20; i++) {
      ladder.handle({ kind: 'heard', session: 1 })
      ladder.advance(10_000)
    }
    ladder.advance(30_000)
    const lines = ladder.take()
    expect(lines.filter(l => l.startsWith('*'))).toEqual([])
    expect(ladder.endpoint.snapshot().tunnels[0]?.state).toBe('established')
  })

  it('a phone that answers no HELLO lives by the answers to PPP echoes, as rare as those are on an idle link', () => {
    const ladder = new Ladder()
    dialled(ladder)
    ladder.lose = () => true
    for (let i = 0; i < 20; i++) {
      ladder.advance(60_010)
      ladder.handle({ kind: 'heard', session: 1 })
    }
    expect(ladder.take().filter(l => l.startsWith('*'))).toEqual([])
    expect(ladder.endpoint.snapshot().tunnels[0]?.state).toBe('established')
    ladder.advance(60_000 + 31_000 + 16_000)
    expect(ladder.take()).toContain('* tunnelDown 1 dead: the peer stopped answering')
  })

  it('can be switched off, even while tunnels wait for theirs', () => {
    const ladder = new Ladder()
    dialled(ladder)
    ladder.endpoint.configure({ ...config, helloSeconds: 0 })
    ladder.advance(600_000)
    expect(ladder.take()).toEqual([])
    ladder.endpoint.configure({ ...config, helloSeconds: 10 })
    ladder.advance(0)
    expect(ladder.take()).toEqual(['1 <- HELLO 1/0 ns 2 nr 4', '1 -> ZLB 1/0 ns 4 nr 3'])
  })
})

describe('a client that starts anew', () => {
  it('with the same tunnel ID on a new SA takes the place of what it was, at once and without StopCCN', () => {
    const ladder = new Ladder()
    dialled(ladder)
    const reborn = ladder.client(new Lac(), 1, 0x2000)
    ladder.act(reborn, { kind: 'connect' })
    expect(ladder.take()).toEqual([
      '1 -> SCCRQ 0/0 ns 0 nr 0, tunnel 1',
      '* sessionDown 1: the client started anew',
      '* tunnelDown 1: the client started anew',
      '* startedAnew on 2000',
      '1 <- SCCRP 1/0 ns 0 nr 1, tunnel 3',
      '1 -> SCCCN 3/0 ns 1 nr 1',
      '* tunnelUp 3 XPCLIENT',
      '1 <- ZLB 1/0 ns 1 nr 2',
    ])
  })

  it('with another tunnel ID, but on a new SA, does so likewise', () => {
    const ladder = new Ladder()
    dialled(ladder, { tunnelId: 1 })
    const reborn = ladder.client(new Lac({ tunnelId: 2 }), 1, 0x2000)
    ladder.act(reborn, { kind: 'connect' })
    expect(ladder.take().slice(0, 5)).toEqual([
      '1 -> SCCRQ 0/0 ns 0 nr 0, tunnel 2',
      '* sessionDown 1: the client started anew',
      '* tunnelDown 1: the client started anew',
      '* startedAnew on 2000',
      '1 <- SCCRP 2/0 ns 0 nr 1, tunnel 3',
    ])
    expect(ladder.endpoint.snapshot().tunnels.map(t => t.remoteTunnelId)).toEqual([2])
  })

  it('takes with it every tunnel that the new SA brought nothing of, another peer’s never', () => {
    const ladder = new Ladder()
    dialled(ladder, { tunnelId: 1 })
    dialled(ladder, { tunnelId: 2 })
    const neighbour = ladder.client(new Lac({ tunnelId: 7 }), 2, 0x1001)
    ladder.act(neighbour, { kind: 'connect' })
    const reborn = ladder.client(new Lac({ tunnelId: 3 }), 1, 0x2000)
    ladder.act(reborn, { kind: 'connect' })
    expect(ladder.endpoint.snapshot().tunnels.map(t => [t.peer, t.remoteTunnelId])).toEqual([
      [2, 7],
      [1, 3],
    ])
  })

  it('is not what opens a second tunnel over an SA that the first has moved to', () => {
    for (const moved of ['control', 'data'] as const) {
      const ladder = new Ladder()
      const first = dialled(ladder, { tunnelId: 1 })
      first.sa = 0x2000
      if (moved === 'control') ladder.act(first, { kind: 'hello' })
      else ladder.handle({ kind: 'heard', session: 1, sa: 0x2000 })
      const second = ladder.client(new Lac({ tunnelId: 2 }), 1, 0x2000)
      ladder.act(second, { kind: 'connect' })
      expect(ladder.endpoint.snapshot().tunnels.map(t => t.state)).toEqual(['established', 'established'])
    }
  })

  it('with another tunnel ID on the same SA has two tunnels, until there are too many', () => {
    const ladder = new Ladder({ maxTunnelsPerPeer: 2 })
    dialled(ladder, { tunnelId: 1 })
    dialled(ladder, { tunnelId: 2 })
    expect(ladder.endpoint.snapshot().tunnels.map(t => t.state)).toEqual(['established', 'established'])
    const third = ladder.client(new Lac({ tunnelId: 3 }), 1, 0x1001)
    ladder.act(third, { kind: 'connect' })
    expect(ladder.take().slice(0, 4)).toEqual([
      '1 -> SCCRQ 0/0 ns 0 nr 0, tunnel 3',
      '* sessionDown 1: the peer opened too many tunnels',
      '* tunnelDown 1: the peer opened too many tunnels',
      '1 <- StopCCN 1/0 ns 2 nr 4, tunnel 1, result 1 error 0',
    ])
    expect(ladder.endpoint.snapshot().tunnels.map(t => [t.remoteTunnelId, t.state])).toEqual([
      [1, 'closed'],
      [2, 'established'],
      [3, 'established'],
    ])
  })

  it('redials with the same tunnel ID on the same SA after hanging up', () => {
    const ladder = new Ladder()
    const client = dialled(ladder)
    ladder.act(client, { kind: 'disconnect' })
    ladder.take()
    const again = ladder.client(new Lac(), 1, client.sa)
    ladder.act(again, { kind: 'connect' })
    expect(ladder.take()).toContain('* tunnelUp 3 XPCLIENT')
    expect(ladder.endpoint.snapshot().tunnels).toHaveLength(1)
  })
})

describe('refusals', () => {
  it('an address in no range: StopCCN 4, once, however often it asks', () => {
    const ladder = new Ladder({ ranges: [{ first: ipv4('10.0.0.0'), last: ipv4('10.0.0.255'), template: 1 }] })
    const client = ladder.client(new Lac())
    ladder.lose = text => text.includes('<-')
    ladder.act(client, { kind: 'connect' })
    ladder.lose = () => false
    ladder.advance(1000)
    expect(ladder.take()).toEqual([
      '1 -> SCCRQ 0/0 ns 0 nr 0, tunnel 1',
      '* discarded: tunnel of XPCLIENT refused: its address is in no L2TP range',
      '1 <- StopCCN 1/0 ns 0 nr 1, tunnel 1, result 4 error 0 (lost)',
      '1 <- StopCCN 1/0 ns 0 nr 1, tunnel 1, result 4 error 0',
      '1 -> ZLB 1/0 ns 1 nr 1',
    ])
    expect(client.lac.state).toBe('closed')
    ladder.advance(31_000)
    expect(ladder.endpoint.snapshot().tunnels).toEqual([])
  })

  it('too many calls: CDN 4', () => {
    const ladder = new Ladder({ maxSessionsPerTunnel: 1 })
    const client = dialled(ladder)
    ladder.act(client, { kind: 'call' })
    expect(ladder.take()).toEqual([
      '1 -> ICRQ 1/0 ns 4 nr 2, session 2',
      '1 <- CDN 1/2 ns 2 nr 5, session 3, result 4 error 0',
      '1 -> ZLB 1/0 ns 5 nr 3',
    ])
  })

  it('no row left in the gateway: CDN 4, and the row of a call that ended is used again', () => {
    const ladder = new Ladder({}, new RowNumbers(2))
    const client = dialled(ladder)
    ladder.act(client, { kind: 'call' })
    expect(ladder.take()[1]).toBe('1 <- CDN 1/2 ns 2 nr 5, session 3, result 4 error 0')
    ladder.act(client, { kind: 'hangUp', localSessionId: 1 })
    ladder.act(client, { kind: 'call' })
    expect(ladder.take()).toContain('* sessionUp 1')
  })

  it('while L2TP is disabled nothing is answered', () => {
    const ladder = new Ladder({ enabled: false })
    ladder.act(ladder.client(new Lac()), { kind: 'connect' })
    expect(ladder.take()).toEqual(['1 -> SCCRQ 0/0 ns 0 nr 0, tunnel 1', '* discarded: L2TP is disabled'])
  })

  it('a tunnel that stays without calls is ended', () => {
    const ladder = new Ladder({ helloSeconds: 0 })
    ladder.act(ladder.client(new Lac()), { kind: 'connect' })
    ladder.take()
    ladder.advance(60_000)
    expect(ladder.take()).toEqual([
      '* tunnelDown 1: there was no call in it',
      '1 <- StopCCN 1/0 ns 1 nr 2, tunnel 1, result 1 error 0',
      '1 -> ZLB 1/0 ns 2 nr 2',
    ])
  })
})
