/** What a reload would change, in commands. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { difference, shownLine } from '../../src/alliedware/difference.ts'
import { readScript } from '../../src/alliedware/script.ts'

const read = (text: string) => readScript(text, { values: {} }).configuration
const between = (before: string, after: string) => difference(read(before), read(after))

describe('the difference of two configurations', () => {
  it('is what one has and the other has not, without secrets', () => {
    const before = 'set system name=One\nadd user=anna password=apples login=no\nadd user=ben password=bananas login=no'
    const after = 'set system name=Two\nadd user=anna password=pears login=no\nadd user=ben password=bananas login=no'
    expect(between(before, after)).toEqual({
      removed: ['set system name="One"', 'add user=anna password=*** login=no'],
      added: ['set system name="Two"', 'add user=anna password=*** login=no'],
    })
    expect(between(before, before)).toEqual({ removed: [], added: [] })
  })

  it('tells of policies that have changed places', () => {
    const policies = ['a', 'b'].map(name => `create ipsec policy=${name} interface=eth0 action=permit lport=500`)
    const { removed, added } = between(policies.join('\n'), policies.toReversed().join('\n'))
    expect(removed.length).toBeGreaterThan(0)
    expect(added.length).toBe(removed.length)
  })

  it('takes away and adds so that the one becomes the other', () => {
    const users = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'))
    fc.assert(
      fc.property(users, users, (one, two) => {
        const script = (names: string[]) => names.map(n => `add user=${n} password=same login=no`).join('\n')
        const { removed, added } = between(script(one), script(two))
        const left = one.map(n => `add user=${n} password=*** login=no`).filter(line => !removed.includes(line))
        expect([...left, ...added].sort()).toEqual(two.map(n => `add user=${n} password=*** login=no`).sort())
      }),
      { numRuns: 50 },
    )
  })

  it('is found for thousands of rules', () => {
    const rules = (from: number, to: number) =>
      Array.from(
        { length: to - from },
        (_, i) => `add ip route=10.${(from + i) >> 8}.${(from + i) & 255}.0 mask=255.255.255.0 int=vlan1`,
      )
    const { removed, added } = between(rules(0, 3000).join('\n'), rules(2900, 5900).join('\n'))
    expect([removed.length, added.length]).toEqual([2900, 2900])
  })
})

describe('a line of a script, shown', () => {
  it.each([
    ['add user=x password=hush login=no', 'add user=x password=*** login=no'],
    ['# password=of nobody', '# password=of nobody'],
    ['create ipsec policy="x" interface=eth0 action=permit', 'create ipsec policy="x" interface=eth0 action=permit'],
    ['password=hush login=no', '***'],
    ['', ''],
  ])('%j is %j', (line, shown) => {
    expect(shownLine(line)).toBe(shown)
  })
})
