import { appendFileSync, existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Leavings } from '../../src/gateway/leavings.ts'
import { temporaryDirectory } from './fakes.ts'

const a = { device: 'lan0', address: '192.168.8.100' }
const b = { device: 'lan0', address: '192.168.8.101' }

describe('the note of what is left in the host', () => {
  it('is not there after a clean end', () => {
    const directory = temporaryDirectory()
    const l = new Leavings(directory)
    expect(l.earlier()).toBeUndefined()
    l.setTable('floatgate_tun0')
    l.addProxy(a)
    l.clear()
    expect(new Leavings(directory).earlier()).toBeUndefined()
    expect(existsSync(join(directory, 'leavings.json'))).toBe(false)
    l.clear()
  })

  it('tells the next run what one that was killed had made', () => {
    const directory = temporaryDirectory()
    const l = new Leavings(directory)
    l.setTable('floatgate_tun0')
    l.addProxy(a)
    l.addProxy(a)
    l.addProxy(b)
    l.removeProxy(a)
    expect(new Leavings(directory).earlier()).toMatchObject({ table: 'floatgate_tun0', proxies: [b] })
    l.setTable(undefined)
    expect(new Leavings(directory).earlier()).toMatchObject({ table: undefined, proxies: [b] })
  })

  it('tells what each device had that was changed, and no more of what was put back', () => {
    const directory = temporaryDirectory()
    const l = new Leavings(directory)
    l.setDelay('lan0', '80')
    l.setDelay('lan1', '25')
    l.addProxy(a)
    expect(new Leavings(directory).earlier()).toEqual({
      table: undefined,
      proxies: [a],
      delays: new Map([
        ['lan0', '80'],
        ['lan1', '25'],
      ]),
      merging: [],
    })
    l.setDelay('lan0', undefined)
    expect(new Leavings(directory).earlier()?.delays).toEqual(new Map([['lan1', '25']]))
    l.clear()
    l.setTable('floatgate_tun0')
    expect(new Leavings(directory).earlier()?.delays.size).toBe(0)
  })

  it('tells which devices merge UDP because of us', () => {
    const directory = temporaryDirectory()
    const l = new Leavings(directory)
    l.setMerging('lan0', true)
    l.setMerging('lan1', true)
    l.setMerging('lan0', false)
    expect([l.merges('lan0'), l.merges('lan1')]).toEqual([false, true])
    expect(new Leavings(directory).earlier()?.merging).toEqual(['lan1'])
    l.clear()
    l.addProxy(a)
    expect(new Leavings(directory).earlier()?.merging).toEqual([])
  })

  it('that an older version left has no delays', () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'leavings.json'), '{"proxies":[]}\n')
    expect(new Leavings(directory).earlier()).toEqual({ table: undefined, proxies: [], delays: new Map(), merging: [] })
  })

  it('stays short however many came and went, and a line that the end cut off says nothing', () => {
    const directory = temporaryDirectory()
    const l = new Leavings(directory)
    for (let i = 0; i < 2500; i++) {
      l.addProxy(a)
      l.removeProxy(a)
    }
    l.addProxy(b)
    const path = join(directory, 'leavings.json')
    expect(new Leavings(directory).earlier()).toMatchObject({ table: undefined, proxies: [b] })
    expect(statSync(path).size).toBeLessThan(100_000)
    appendFileSync(path, '{"made":{"device":"la')
    expect(new Leavings(directory).earlier()).toMatchObject({ table: undefined, proxies: [b] })
  })

  it('is written by nobody else', () => {
    const directory = temporaryDirectory()
    new Leavings(directory).addProxy(a)
    expect(statSync(join(directory, 'leavings.json')).mode & 0o777).toBe(0o600)
  })

  it.each(['', '{"proxies": [', 'null'])('that is %j is none', text => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'leavings.json'), text)
    expect(new Leavings(directory).earlier()).toBeUndefined()
  })
})
