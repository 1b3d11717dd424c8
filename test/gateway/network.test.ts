import { describe, expect, it } from 'vitest'
import { Leavings } from '../../src/gateway/leavings.ts'
import { Log, Severity } from '../../src/gateway/log.ts'
import { Network } from '../../src/gateway/network.ts'
import { temporaryDirectory } from './fakes.ts'

/** A network whose nft is an array of what it was given; it refuses whatever holds the word "bad". */
function network() {
  const loaded: string[] = []
  const lines: string[] = []
  const log = new Log(
    line => lines.push(line),
    () => new Date(0),
    Severity.Detail,
  )
  const n = new Network(new Leavings(temporaryDirectory()), log, async (_, args, input = '') => {
    await new Promise(resolve => setTimeout(resolve, 1))
    if (args[0] === '-j') return { status: 1, output: '' }
    loaded.push(input)
    return input.includes('bad') ? { status: 1, output: 'no such set' } : { status: 0, output: '' }
  })
  return { n, loaded, lines }
}

describe('changes of the nftables table', () => {
  it('that come while nft is at work go together, in their order', async () => {
    const { n, loaded } = network()
    await n.applyTable('t', 'table;')
    for (let i = 0; i < 1000; i++) n.changeTable(`add ${i};`)
    await n.readCounters()
    expect(loaded[0]).toBe('table;')
    expect(loaded.slice(1).join('')).toBe(Array.from({ length: 1000 }, (_, i) => `add ${i};`).join(''))
    expect(loaded.length).toBeLessThanOrEqual(3)
  })

  it('one that is refused is told of and harms no other', async () => {
    const { n, loaded, lines } = network()
    await n.applyTable('t', 'table;')
    for (const text of ['one;', 'two;', 'bad;', 'three;']) n.changeTable(text)
    await n.readCounters()
    expect(loaded.slice(-4)).toEqual(['one;', 'two;', 'bad;', 'three;'])
    expect(lines.filter(l => l.includes('nft refused: no such set'))).toHaveLength(1)
  })

  it('those after a new table are made in it, not before it', async () => {
    const { n, loaded } = network()
    await n.applyTable('t', 'old table;')
    n.changeTable('in both;')
    const applied = n.applyTable('t', 'new table;')
    n.changeTable('in the new one;')
    await applied
    await n.readCounters()
    expect(loaded).toEqual(['old table;', 'in both;', 'new table;', 'in the new one;'])
  })
})
