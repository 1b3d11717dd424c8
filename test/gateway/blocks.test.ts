import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readScript } from '../../src/alliedware/script.ts'
import { blocksOf, formatBlock, liesIn } from '../../src/gateway/blocks.ts'
import { sessionBlocks } from '../../src/gateway/site-devices.ts'
import { ipv4 } from '../../src/packet/ip.ts'

const named = (first: string, last: string) => blocksOf({ first: ipv4(first), last: ipv4(last) }).map(formatBlock)

describe('blocks of a range', () => {
  it('are those that it is made of', () => {
    expect(named('10.9.0.5', '10.9.0.5')).toEqual(['10.9.0.5/32'])
    expect(named('10.9.0.0', '10.9.0.255')).toEqual(['10.9.0.0/24'])
    expect(named('10.9.0.1', '10.9.0.10')).toEqual([
      '10.9.0.1/32',
      '10.9.0.2/31',
      '10.9.0.4/30',
      '10.9.0.8/31',
      '10.9.0.10/32',
    ])
    expect(named('255.255.255.254', '255.255.255.255')).toEqual(['255.255.255.254/31'])
    expect(named('0.0.0.0', '255.255.255.255')).toEqual(['0.0.0.0/0'])
  })

  it('hold each address of it once and no other, and no two would do as one', () => {
    const address = fc.integer({ min: 0, max: 0xffffffff })
    fc.assert(
      fc.property(address, address, (a, b) => {
        const range = { first: Math.min(a, b), last: Math.max(a, b) }
        let next = range.first
        const blocks = blocksOf(range)
        for (const { network, length } of blocks) {
          expect(network).toBe(next)
          expect(network % 2 ** (32 - length)).toBe(0)
          next += 2 ** (32 - length)
        }
        expect(next).toBe(range.last + 1)
        expect(blocks.length).toBeLessThanOrEqual(62)
      }),
    )
  })

  it('lie in a subnet or not', () => {
    const block = { network: ipv4('192.168.8.64'), length: 26 }
    expect(liesIn(block, ipv4('192.168.8.1'), ipv4('255.255.255.0'))).toBe(true)
    expect(liesIn(block, ipv4('192.168.8.65'), ipv4('255.255.255.192'))).toBe(true)
    expect(liesIn(block, ipv4('192.168.8.65'), ipv4('255.255.255.224'))).toBe(false)
    expect(liesIn(block, ipv4('192.168.9.1'), ipv4('255.255.255.0'))).toBe(false)
    expect(liesIn({ network: 0, length: 0 }, ipv4('192.168.9.1'), ipv4('255.255.255.0'))).toBe(false)
    expect(liesIn(block, ipv4('1.2.3.4'), 0)).toBe(true)
  })
})

describe('where sessions are apart from the host’s subnets', () => {
  it('is what of pools and of users’ own addresses lies in none of them, each once', () => {
    const { configuration } = readScript(
      `
create ip pool=lan ip=192.168.8.100-192.168.8.199
create ip pool=half ip=192.168.8.254-192.168.9.1
create ip pool=far ip=10.9.0.0-10.9.0.255
add user=a password=aaaaaaaa login=no ip=192.168.8.7
add user=b password=bbbbbbbb login=no ip=10.8.0.7
add user=c password=cccccccc login=no ip=10.8.0.7`,
      { values: {} },
    )
    const addresses = [{ device: 'lan0', address: ipv4('192.168.8.1'), mask: ipv4('255.255.255.0') }]
    expect(sessionBlocks(configuration, addresses)).toEqual(['192.168.9.0/31', '10.9.0.0/24', '10.8.0.7/32'])
  })
})
