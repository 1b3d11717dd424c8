/** The kernel's counters by the comments of our rules. */

import { describe, expect, it } from 'vitest'
import { HostCounters, parseCounters } from '../../src/gateway/host-counters.ts'

/** As `nft -j list table` prints rules, shortened. */
function listing(...rules: [comment: string | undefined, packets: number, bytes: number][]): string {
  const lines = rules.map(([comment, packets, bytes]) => ({
    rule: {
      family: 'inet',
      table: 'floatgate_fg0',
      ...(comment === undefined ? {} : { comment }),
      expr: [{ match: { op: '==' } }, { counter: { packets, bytes } }, { accept: null }],
    },
  }))
  return JSON.stringify({ nftables: [{ metainfo: { version: '1.0.6' } }, { table: {} }, ...lines] })
}

describe('the kernel counters', () => {
  it('are found by comment, equal ones summed', () => {
    const counts = parseCounters(listing(['rule 1', 2, 100], ['rule 1', 3, 50], [undefined, 9, 9], ['rule 2', 0, 0]))
    expect([...counts!]).toEqual([
      ['rule 1', { packets: 5, bytes: 150 }],
      ['rule 2', { packets: 0, bytes: 0 }],
    ])
  })

  it('stay as they are where the listing cannot be read', () => {
    const c = new HostCounters()
    c.read(listing(['rule 1', 2, 100]))
    for (const text of ['', 'Error: No such file or directory', '{}', '{"nftables":7}']) c.read(text)
    expect(c.of('rule 1')).toEqual({ packets: 2, bytes: 100 })
    expect(c.of('rule 9')).toEqual({ packets: 0, bytes: 0 })
  })

  it('go on over a new table', () => {
    const c = new HostCounters()
    c.read(listing(['rule 1', 2, 100]))
    c.replaced()
    expect(c.of('rule 1').packets).toBe(2)
    c.read(listing(['rule 1', 5, 500]))
    c.read(listing(['rule 1', 6, 600]))
    expect(c.of('rule 1')).toEqual({ packets: 8, bytes: 700 })
  })

  it('start from zero when they are told to', () => {
    const c = new HostCounters()
    c.read(listing(['ipsec in a', 2, 100], ['rule 1', 7, 70]))
    c.replaced()
    c.read(listing(['ipsec in a', 3, 150], ['rule 1', 1, 10]))
    c.reset(comment => comment.startsWith('ipsec '))
    expect(c.of('ipsec in a')).toEqual({ packets: 0, bytes: 0 })
    expect(c.of('rule 1').packets).toBe(8)
    c.read(listing(['ipsec in a', 4, 200]))
    expect(c.of('ipsec in a')).toEqual({ packets: 1, bytes: 50 })
  })
})
