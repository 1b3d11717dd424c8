import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Leases } from '../../src/aaa/leases.ts'
import { AddressPool } from '../../src/aaa/pool.ts'
import { ipv4 } from '../../src/packet/ip.ts'

const pool = (first = 10, last = 13, reserved: number[] = []) => new AddressPool({ name: 'p', first, last, reserved })

describe('AddressPool', () => {
  it('hands out each address once, then none', () => {
    const p = pool()
    expect(['a', 'b', 'c', 'd', 'e'].map(k => p.take(k))).toEqual([10, 11, 12, 13, undefined])
    expect([p.inUse(), p.free]).toEqual([4, 0])
  })

  it('gives a key the address it had last', () => {
    const p = pool()
    p.take('a')
    const b = p.take('b')!
    p.give(b)
    p.give(10)
    expect(p.take('b')).toBe(b)
    expect(p.take('c')).toBe(12)
    expect(p.take('a')).toBe(10)
  })

  it('prefers what nobody had, then what has been free for longest', () => {
    const p = pool()
    for (const k of ['a', 'b', 'c']) p.take(k)
    for (const address of [11, 10, 12]) p.give(address)
    expect(['w', 'x', 'y', 'z'].map(k => p.take(k))).toEqual([13, 11, 10, 12])
  })

  it('gives the same key a second address while the first is in use', () => {
    const p = pool()
    expect([p.take('a'), p.take('a')]).toEqual([10, 11])
  })

  it('never hands out reserved addresses, until they lose their owner', () => {
    const p = pool(10, 13, [11, 13, 99])
    expect(p.free).toBe(2)
    expect(['a', 'b', 'c'].map(k => p.take(k))).toEqual([10, 12, undefined])
    p.reserve([13])
    expect(p.take('c')).toBe(11)
    expect(p.free).toBe(0)
  })

  it('lets one that becomes reserved in use come back, and keeps it then', () => {
    const p = pool()
    p.take('a')
    p.reserve([10])
    expect(p.snapshot()).toMatchObject({ inUse: 1, free: 3, reserved: 1, holders: [{ address: 10, key: 'a' }] })
    p.give(10)
    expect(p.take('a')).toBe(11)
  })

  it('ignores addresses that are not in use, and refuses a range that ends before it begins', () => {
    const p = pool()
    p.give(10)
    p.give(99)
    expect(p.free).toBe(4)
    expect(() => pool(13, 10)).toThrow(RangeError)
  })

  it('works at the upper end of the address space', () => {
    const p = pool(ipv4('255.255.255.254'), ipv4('255.255.255.255'))
    expect([p.take('a'), p.take('b'), p.take('c')]).toEqual([0xfffffffe, 0xffffffff, undefined])
  })

  it('under any sequence of takes and gives holds each address at most once, and counts right', () => {
    const step = fc.record({ take: fc.boolean(), key: fc.constantFrom('a', 'b', 'c'), pick: fc.nat() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), steps => {
        const p = pool(10, 15, [12])
        const held: number[] = []
        for (const s of steps) {
          if (s.take) {
            const address = p.take(s.key)
            expect(address === undefined).toBe(held.length === 5)
            if (address === undefined) continue
            expect(held).not.toContain(address)
            expect(address !== 12 && p.contains(address)).toBe(true)
            held.push(address)
          } else if (held.length > 0) {
            p.give(held.splice(s.pick % held.length, 1)[0]!)
          }
          expect([p.inUse(), p.free]).toEqual([held.length, 5 - held.length])
        }
      }),
    )
  })
})

describe('Leases', () => {
  const ask = (session: number, key: string, fixed?: number, from: AddressPool | undefined = undefined) => ({
    session,
    key,
    fixed,
    pool: from,
  })

  it("gives a user's own address to the newest session", () => {
    const leases = new Leases()
    expect(leases.lease(ask(1, 'u', 50))).toEqual({ kind: 'leased', address: 50, displaced: undefined })
    expect(leases.lease(ask(2, 'u', 50))).toEqual({ kind: 'leased', address: 50, displaced: 1 })
    expect(leases.holder(50)).toBe(2)
    leases.release(1)
    expect(leases.holder(50)).toBe(2)
    leases.release(2)
    expect(leases.holder(50)).toBeUndefined()
  })

  it('gives a session that asks again what it has', () => {
    const leases = new Leases()
    const p = pool()
    expect(leases.lease(ask(1, 'u', undefined, p))).toMatchObject({ address: 10 })
    expect(leases.lease(ask(1, 'u', undefined, p))).toMatchObject({ address: 10, displaced: undefined })
    expect(p.inUse()).toBe(1)
    expect(leases.lease(ask(1, 'v', undefined, p))).toMatchObject({ address: 11 })
    expect(p.inUse()).toBe(1)
    expect(leases.lease(ask(1, 'w', 50, p))).toMatchObject({ address: 50 })
    expect(p.inUse()).toBe(0)
    expect(leases.lease(ask(1, 'w', 50, p))).toMatchObject({ address: 50, displaced: undefined })
  })

  it('passes by pool addresses that somebody holds as their own', () => {
    const leases = new Leases()
    const p = pool()
    leases.lease(ask(1, 'own', 10))
    expect(leases.lease(ask(2, 'u', undefined, p))).toMatchObject({ address: 11 })
    expect(p.inUse()).toBe(1)
    expect(leases.addressOf(2)).toBe(11)
    leases.release(2)
    expect(leases.lease(ask(3, 'u', undefined, p))).toMatchObject({ address: 11 })
  })

  it('moves an address from the session that the same client left behind, even out of a full pool', () => {
    const leases = new Leases()
    const p = pool(10, 11)
    leases.lease(ask(1, 'u', undefined, p))
    leases.lease(ask(2, 'v', undefined, p))
    const heir = { ...ask(3, 'u', undefined, p), predecessor: 1 }
    expect(leases.lease(heir)).toEqual({ kind: 'leased', address: 10, displaced: 1 })
    leases.release(1)
    expect([leases.holder(10), leases.addressOf(1), p.inUse()]).toEqual([3, undefined, 2])
    // Not another user's, not another pool's, not of one that holds nothing.
    expect(leases.lease({ ...ask(4, 'w', undefined, p), predecessor: 3 })).toEqual({ kind: 'pool-empty' })
    expect(leases.lease({ ...ask(4, 'u', undefined, pool(20, 20)), predecessor: 3 })).toMatchObject({ address: 20 })
    expect(leases.lease({ ...ask(5, 'u', undefined, p), predecessor: 1 })).toEqual({ kind: 'pool-empty' })
    leases.release(3)
    expect(leases.lease(ask(6, 'x', undefined, p))).toMatchObject({ address: 10 })
  })

  it('says why there is none', () => {
    const leases = new Leases()
    const p = pool(10, 10)
    expect(leases.lease(ask(1, 'u'))).toEqual({ kind: 'no-pool' })
    leases.lease(ask(1, 'u', undefined, p))
    expect(leases.lease(ask(2, 'v', undefined, p))).toEqual({ kind: 'pool-empty' })
    leases.release(1)
    leases.release(1)
    expect(leases.lease(ask(2, 'v', undefined, p))).toMatchObject({ kind: 'leased', address: 10 })
  })
})
