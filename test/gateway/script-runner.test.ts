/** Scripts that come in pieces, in virtual time. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { emptyConfiguration } from '../../src/alliedware/draft.ts'
import { ScriptRunner } from '../../src/gateway/script-runner.ts'

const WRAPPED = 'create ppp template=1 bap=off ippool="myippool" authentication=chap echo=30'

function runner() {
  const heard: string[] = []
  const told: [number, string][] = []
  const script = new ScriptRunner({
    configuration: () => emptyConfiguration,
    perform: async text => {
      heard.push(text)
      return text.startsWith('bad') ? { exit: 2, text: 'Error: no' } : { exit: 0, text: `done ${text}` }
    },
    told: (line, answer) => told.push([line, answer.text]),
  })
  return { script, heard, told }
}

describe('a script that comes in pieces', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('is cut at its lines, wherever the pieces are cut', async () => {
    const text = `# a comment\r\nshow user\r\n${WRAPPED}\r\nlqr=off\rbad one\n\nshow alias`
    for (let size = 1; size < 12; size++) {
      const { script, heard, told } = runner()
      for (let at = 0; at < text.length; at += size) expect(script.feed(text.slice(at, at + size))).toBe(true)
      expect(await script.end()).toBe(2)
      expect(heard).toEqual(['show user', `${WRAPPED} lqr=off`, 'bad one', 'show alias'])
      expect(told.map(([line]) => line)).toEqual([2, 3, 5, 7])
    }
  })

  it('is carried out to its last line when nothing more comes for a while', async () => {
    const { script, heard } = runner()
    script.feed('show user\n')
    await vi.advanceTimersByTimeAsync(200)
    expect(heard).toEqual([])
    await vi.advanceTimersByTimeAsync(100)
    expect(heard).toEqual(['show user'])
    script.feed('show ali')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(heard).toHaveLength(1)
    script.feed('as\n')
    expect(await script.end()).toBe(0)
    expect(heard).toEqual(['show user', 'show alias'])
  })

  it('waits longer for the rest of a line that may be wrapped', async () => {
    const { script, heard } = runner()
    script.feed(`${WRAPPED}\n`)
    await vi.advanceTimersByTimeAsync(1500)
    expect(heard).toEqual([])
    script.feed('lqr=off\n')
    await vi.advanceTimersByTimeAsync(300)
    expect(heard).toEqual([`${WRAPPED} lqr=off`])
  })

  it('is not carried out any further when whoever sent it is gone', async () => {
    const { script, heard } = runner()
    script.feed('show user\nshow alias\nshow log\n')
    script.stop()
    await script.end()
    expect(heard).toEqual([])
  })

  it('is refused where a line has no end', () => {
    const { script } = runner()
    expect(script.feed('x'.repeat(16_384))).toBe(true)
    expect(script.feed('x')).toBe(false)
  })
})
