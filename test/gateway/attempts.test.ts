import { describe, expect, it } from 'vitest'
import { Attempts } from '../../src/gateway/attempts.ts'
import type { IkeEvent } from '../../src/ike/effects.ts'
import { ipv4 } from '../../src/packet/ip.ts'

const remote = { address: ipv4('203.0.113.101'), port: 500 }
const floated = { ...remote, port: 31_000 }
const suite = { cipher: '3des', hash: 'sha1', group: 14 } as const

/** The records under a story: each method is one thing that happens, at `now`. */
class Story {
  readonly attempts = new Attempts()
  now = 0

  ike(event: IkeEvent): void {
    this.attempts.ike(event, this.now, new Date(this.now))
  }
  phase1Started(exchange = 1): void {
    this.ike({ kind: 'phase1Started', exchange, remote, client: 'Windows XP' })
  }
  phase1Completed(exchange = 1, peer = 5): void {
    this.ike({ kind: 'phase1Completed', exchange, peer, remote: floated, identity: 'pc', suite, nat: 'client' })
  }
  phase2Completed(peer = 5): void {
    const esp = { cipher: '3des', integrity: 'sha1' } as const
    this.ike({ kind: 'phase2Completed', exchange: 9, peer, remote: floated, suite: esp })
  }
  failed(phase: 1 | 2, exchange = 1, peer: number | undefined = undefined): void {
    const detail = 'nothing both sides know'
    this.ike({ kind: 'failed', exchange, phase, remote, peer, cause: 'no-proposal-phase1', detail, remedy: 'add 3DES' })
  }
  answered(peer = 5): void {
    this.attempts.answered(peer, this.now)
  }
  tunnelUp(peer = 5): void {
    this.attempts.tunnelUp(peer, this.now)
  }
  called(session = 1, peer = 5): void {
    this.attempts.called(peer, session, this.now, new Date(this.now))
  }
  connected(session = 1): void {
    this.attempts.authenticating(session, 'anna')
    this.attempts.connected(session, 'anna', '192.168.8.100', this.now)
  }
  restarted(peer = 5): void {
    this.attempts.restarted(peer, this.now, new Date(this.now))
  }
  pass(milliseconds: number): void {
    this.now += milliseconds
    this.attempts.expire(this.now)
  }
  upTo(stage: 'phase1' | 'phase2' | 'call'): void {
    this.phase1Started()
    this.phase1Completed()
    if (stage === 'phase1') return
    this.phase2Completed()
    if (stage === 'phase2') return
    this.tunnelUp()
    this.called()
  }
  get outcomes(): string[] {
    return this.attempts.states().map(a => a.outcome)
  }
  get only() {
    const states = this.attempts.states()
    expect(states.length).toBe(1)
    return states[0]!
  }
}

describe('an attempt', () => {
  it('is one record from the first packet to the end', () => {
    const s = new Story()
    s.phase1Started()
    expect(s.only).toMatchObject({ outcome: 'trying', remote: '203.0.113.101:500', client: 'Windows XP', user: '' })
    s.pass(300)
    s.phase1Completed()
    expect(s.only).toMatchObject({ text: 'Main Mode completed, waiting for Quick Mode', remote: '203.0.113.101:31000' })
    s.phase2Completed()
    expect(s.only.text).toBe('Quick Mode completed, waiting for L2TP')
    s.tunnelUp()
    expect(s.only.text).toContain('waiting for PPP')
    s.called()
    s.pass(700)
    s.connected()
    expect(s.only).toMatchObject({
      outcome: 'connected',
      user: 'anna',
      text: 'connected as 192.168.8.100',
      remedy: '',
      setupMillis: 1000,
    })
    s.attempts.ended(1, 'the user hung up')
    s.attempts.peerDown(5, 'its last SA is gone')
    expect(s.only).toMatchObject({
      outcome: 'ended',
      text: 'connected as 192.168.8.100; ended: the user hung up',
      setupMillis: 1000,
    })
  })

  it('that IKE refuses says why and what to change', () => {
    const s = new Story()
    s.phase1Started()
    s.failed(1)
    expect(s.only).toMatchObject({ outcome: 'failed', text: 'nothing both sides know', remedy: 'add 3DES' })
    s.pass(60_000)
    expect(s.only.text).toBe('nothing both sides know')
  })

  it('that fails in Quick Mode is found by its peer', () => {
    const s = new Story()
    s.phase1Started()
    s.phase1Completed()
    s.failed(2, 77, 5)
    expect(s.only).toMatchObject({ outcome: 'failed', remedy: 'add 3DES' })
  })

  it('whose Quick Mode fails when it is up already stays up', () => {
    const s = new Story()
    s.upTo('call')
    s.connected()
    s.failed(2, 77, 5)
    expect(s.only.outcome).toBe('connected')
  })

  it.each<[string, (s: Story) => void, RegExp, RegExp]>([
    ['Quick Mode', s => s.upTo('phase1'), /Quick Mode never came/, /our identity/],
    ['L2TP', s => s.upTo('phase2'), /IPsec is up but L2TP never came/, /AssumeUDPEncapsulationContextOnSendRule/],
    [
      'the tunnel',
      s => {
        s.upTo('phase2')
        s.answered()
      },
      /L2TP began, but the client never went on/,
      /^where a NAT stands.*AssumeUDPEncapsulationContextOnSendRule/,
    ],
    ['PPP', s => s.upTo('call'), /PPP did not come to an end/, /show log/],
  ])('that falls silent before %s is over is called failed after 45 seconds', (_, tell, text, remedy) => {
    const s = new Story()
    tell(s)
    s.pass(44_999)
    expect(s.only.outcome).toBe('trying')
    s.pass(1)
    expect(s.only.outcome).toBe('failed')
    expect(s.only.text).toMatch(text)
    expect(s.only.remedy).toMatch(remedy)
  })

  it('whose tunnel is refused fails for that, and a second tunnel of a connected client changes nothing', () => {
    const s = new Story()
    s.upTo('phase2')
    s.attempts.refused(5, { text: 'no range', remedy: 'add one' })
    s.answered()
    expect(s.only).toMatchObject({ outcome: 'failed', text: 'no range', remedy: 'add one' })
    const other = new Story()
    other.upTo('call')
    other.connected()
    other.answered()
    other.attempts.refused(5, { text: 'no range', remedy: 'add one' })
    expect(other.only.outcome).toBe('connected')
  })

  it('in Main Mode waits for what IKE has to tell of it, but not for ever', () => {
    const s = new Story()
    s.phase1Started()
    s.pass(99_999)
    expect(s.only.outcome).toBe('trying')
    s.pass(1)
    expect(s.only.text).toMatch(/silent during Main Mode/)
    expect(s.only.remedy).toMatch(/UDP 500 and 4500/)
  })

  it('that takes long but goes on is not called silent', () => {
    const s = new Story()
    s.phase1Started()
    s.pass(40_000)
    s.phase1Completed()
    s.pass(40_000)
    s.phase2Completed()
    s.pass(40_000)
    expect(s.only.outcome).toBe('trying')
  })

  it('that comes up after it was given up is up', () => {
    const s = new Story()
    s.upTo('call')
    s.pass(50_000)
    s.connected()
    expect(s.only).toMatchObject({ outcome: 'connected', setupMillis: 50_000, remedy: '' })
  })

  it('with a wrong password keeps the first reason, and the next call is another attempt', () => {
    const s = new Story()
    s.upTo('call')
    s.attempts.authenticating(1, 'anna')
    s.attempts.failed(1, 'wrong password for user "anna"', 'type it again')
    s.attempts.failed(1, 'PPP failed: the password is wrong', '')
    s.attempts.ended(1, 'the password is wrong')
    expect(s.only).toMatchObject({ outcome: 'failed', user: 'anna', text: 'wrong password for user "anna"' })
    s.called(2)
    expect(s.outcomes).toEqual(['failed', 'trying'])
    expect(s.attempts.states()[1]!.user).toBe('')
    s.connected(2)
    expect(s.outcomes).toEqual(['failed', 'connected'])
  })

  it('whose peer goes away while it tries has failed with the reason', () => {
    const s = new Story()
    s.phase1Started()
    s.phase1Completed()
    s.attempts.peerDown(5, 'the client deleted the ISAKMP SA')
    expect(s.only).toMatchObject({
      outcome: 'failed',
      text: 'Main Mode completed but Quick Mode never came; then: the client deleted the ISAKMP SA',
    })
  })
})

describe('what is no attempt of its own', () => {
  it('a Main Mode that renews a connected peer’s', () => {
    const s = new Story()
    s.upTo('call')
    s.connected()
    s.pass(28_000_000)
    s.phase1Started(2)
    expect(s.outcomes).toEqual(['connected', 'trying'])
    s.phase1Completed(2)
    s.phase2Completed()
    s.pass(60_000)
    expect(s.only.outcome).toBe('connected')
  })

  it('a renegotiation of PPP', () => {
    const s = new Story()
    s.upTo('call')
    s.connected()
    s.pass(5000)
    s.connected()
    expect(s.only).toMatchObject({ outcome: 'connected', setupMillis: 0 })
    s.attempts.ended(1, 'done')
    expect(s.only.outcome).toBe('ended')
  })
})

describe('a client that starts anew', () => {
  it('in a Main Mode of its own: the old attempt ended, the new one is its Main Mode', () => {
    const s = new Story()
    s.upTo('call')
    s.connected()
    s.pass(9000)
    s.phase1Started(2)
    // The order in which control hears of it: the restart, the end of the old session, the new phase 1.
    s.restarted()
    s.attempts.ended(1, 'the client started anew')
    s.phase1Completed(2)
    s.phase2Completed()
    s.tunnelUp()
    s.called(2)
    s.connected(2)
    expect(s.attempts.states()).toMatchObject([
      { id: 1, outcome: 'ended', text: 'connected as 192.168.8.100; ended: the client started anew' },
      { id: 2, outcome: 'connected', client: 'Windows XP' },
    ])
    s.pass(60_000)
    expect(s.outcomes).toEqual(['ended', 'connected'])
  })

  it('under the SAs that it has: a new record takes over', () => {
    const s = new Story()
    s.upTo('call')
    s.connected()
    s.restarted()
    s.attempts.ended(1, 'the client started anew')
    expect(s.outcomes).toEqual(['ended', 'trying'])
    s.pass(45_000)
    expect(s.attempts.states()[1]).toMatchObject({ outcome: 'failed', text: 'IPsec is up but L2TP never came' })
  })

  it('while it still tried: the first try failed, and says so', () => {
    const s = new Story()
    s.phase1Started()
    s.phase1Completed()
    s.phase2Completed()
    s.phase1Started(2)
    s.restarted()
    s.phase1Completed(2)
    expect(s.attempts.states()).toMatchObject([
      { outcome: 'failed', text: 'Quick Mode completed, waiting for L2TP; then the client started anew' },
      { outcome: 'trying' },
    ])
  })
})

describe('several at once', () => {
  it('two calls of one peer have a record each, which end each for itself', () => {
    const s = new Story()
    s.upTo('call')
    s.connected(1)
    s.called(2)
    s.connected(2)
    s.attempts.ended(1, 'idle')
    expect(s.outcomes).toEqual(['ended', 'connected'])
    s.phase1Started(3)
    s.phase1Completed(3)
    expect(s.outcomes).toEqual(['ended', 'connected'])
    s.attempts.ended(2, 'hung up')
    expect(s.outcomes).toEqual(['ended', 'ended'])
  })

  it('peers do not touch each other, nor does a session’s number that is used again', () => {
    const s = new Story()
    s.upTo('call')
    s.connected(1)
    s.attempts.ended(1, 'hung up')
    s.phase1Started(2)
    s.phase1Completed(2, 6)
    s.phase2Completed(6)
    s.called(1, 6)
    s.attempts.failed(1, 'unknown user "eve"', '')
    s.attempts.peerDown(5, 'gone')
    expect(s.outcomes).toEqual(['ended', 'failed'])
  })

  it('keeps the last 500', () => {
    const s = new Story()
    for (let i = 1; i <= 600; i++) s.phase1Started(i)
    const states = s.attempts.states()
    expect(states.length).toBe(500)
    expect(states[0]!.id).toBe(101)
  })

  it('says nothing of peers and sessions that it does not know', () => {
    const s = new Story()
    s.tunnelUp(9)
    s.called(1, 9)
    s.connected(1)
    s.attempts.failed(1, 'x', '')
    s.attempts.ended(1, 'x')
    s.restarted(9)
    s.attempts.peerDown(9, 'x')
    expect(s.attempts.states()).toEqual([])
  })

  it('keeps what is known of clients through a flood of made-up first messages', () => {
    const s = new Story()
    s.phase1Started(1)
    s.phase1Completed(1)
    const wrongKey = (exchange: number) => {
      const why = { cause: 'wrong-key', detail: 'the key is not that', remedy: 'check it' } as const
      s.ike({ kind: 'failed', exchange, phase: 1, remote, peer: undefined, ...why })
    }
    s.phase1Started(2)
    wrongKey(2)
    for (let i = 0; i < 2000; i++) s.phase1Started(100 + i)
    expect(s.attempts.states()).toHaveLength(500)
    expect(s.attempts.states().slice(0, 2)).toMatchObject([{ outcome: 'trying' }, { text: 'the key is not that' }])
    // Their own first messages may have gone untold.
    wrongKey(9000)
    s.phase1Completed(9001, 6)
    expect(s.attempts.states().slice(-2)).toMatchObject([{ outcome: 'failed' }, { outcome: 'trying' }])
  })
})
