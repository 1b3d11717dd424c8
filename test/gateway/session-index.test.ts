import { describe, expect, it } from 'vitest'
import type { Session } from '../../src/gateway/session.ts'
import { SessionIndex } from '../../src/gateway/session-index.ts'

let rows = 0

function session(peer: number, hostName: string): Session {
  return { ids: { session: ++rows, peer, hostName }, admission: undefined } as unknown as Session
}

function admit(index: SessionIndex, s: Session, user: string): void {
  index.loggedOut(s)
  s.admission = { kind: 'accepted', user, address: 1, displaced: undefined, proof: undefined }
  index.loggedIn(s)
}

describe('the index of sessions', () => {
  it('finds those of one user on one computer, the oldest first, and nobody else', () => {
    const index = new SessionIndex()
    const [old, young, other, neighbour] = [session(1, 'PC'), session(2, 'PC'), session(3, 'LAPTOP'), session(4, 'PC')]
    for (const s of [old, young, other, neighbour]) index.add(s)
    expect([...index.of('anna', 'PC')]).toEqual([])
    for (const s of [old, young, other]) admit(index, s, 'anna')
    admit(index, neighbour, 'ben')
    expect([...index.of('anna', 'PC')]).toEqual([old, young])
    expect([...index.of('anna', 'LAPTOP')]).toEqual([other])
    expect([...index.of('ben', 'PC')]).toEqual([neighbour])
    expect([...index.of('ben', 'LAPTOP')]).toEqual([])
  })

  it('follows a session whose user changes, and forgets one that is over', () => {
    const index = new SessionIndex()
    const s = session(1, 'PC')
    index.add(s)
    admit(index, s, 'anna')
    admit(index, s, 'anna')
    expect([...index.of('anna', 'PC')]).toEqual([s])
    admit(index, s, 'ben')
    expect([...index.of('anna', 'PC')]).toEqual([])
    expect([...index.of('ben', 'PC')]).toEqual([s])
    index.remove(s)
    expect([...index.of('ben', 'PC')]).toEqual([])
  })

  it('knows whether a peer has any', () => {
    const index = new SessionIndex()
    const [one, two] = [session(7, 'PC'), session(7, 'PC')]
    index.add(one)
    index.add(two)
    index.remove(one)
    expect(index.hasPeer(7)).toBe(true)
    index.remove(two)
    expect(index.hasPeer(7)).toBe(false)
    expect(index.hasPeer(8)).toBe(false)
  })
})
