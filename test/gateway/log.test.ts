import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Log, Severity } from '../../src/gateway/log.ts'
import { Secret } from '../../src/packet/bytes.ts'

function setUp(threshold?: number) {
  const lines: string[] = []
  const wall = () => new Date(Date.UTC(2026, 1, 3, 4, 5, 6))
  return { lines, log: new Log(line => lines.push(line), wall, threshold) }
}

describe('the log', () => {
  it('writes one line an event that a program can take apart', () => {
    const { log, lines } = setUp()
    log.add({
      severity: Severity.Notice,
      module: 'ISAK',
      text: 'Peer moved to 203.0.113.7:4501',
      fields: { peer: 3, remote: '203.0.113.7:4501', nothing: undefined, identity: 'a "b" c', empty: '' },
    })
    expect(lines).toEqual([
      'time=2026-02-03T04:05:06.000Z level=4 module=ISAK msg="Peer moved to 203.0.113.7:4501" peer=3 ' +
        'remote=203.0.113.7:4501 identity="a \\"b\\" c" empty=""',
    ])
  })

  it('quotes what has anything but plain characters, as JSON does', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.stringMatching(/^[\w.:/@+-]*$/)), text => {
        const { log, lines } = setUp()
        log.add({ severity: Severity.Info, module: 'SYS', text })
        const quoted = /^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text)
        expect(lines).toEqual([`time=2026-02-03T04:05:06.000Z level=3 module=SYS msg=${quoted}`])
      }),
    )
  })

  it('tells every moment as it is', () => {
    const lines: string[] = []
    let now = 0
    const log = new Log(
      line => lines.push(line),
      () => new Date(now),
    )
    for (const at of [1_700_000_000_000, 1_700_000_000_007, 1_700_000_000_999, 1_700_000_001_010, 1_700_000_000_100]) {
      now = at
      log.add({ severity: Severity.Info, module: 'SYS', text: 'tick' })
      expect(lines.at(-1)).toContain(`time=${new Date(at).toISOString()} `)
    }
  })

  it('keeps one event on one line, whatever is in it', () => {
    const { log, lines } = setUp()
    log.add({ severity: Severity.Info, module: 'PPP', text: 'two\nlines\r\x1b[31m', fields: { name: 'a\nb=c' } })
    expect([...lines[0]!].every(c => c >= ' ')).toBe(true)
  })

  it('remembers events in the router’s words', () => {
    const { log } = setUp()
    log.add({ severity: Severity.Info, module: 'PPP', type: 'VINT', subtype: 'UP', text: 'ppp0: interface is up' })
    log.add({ severity: Severity.Info, module: 'SYS', text: 'hello' })
    const time = '2026-02-03T04:05:06.000Z'
    expect(log.entries()).toEqual([
      { time, severity: 3, module: 'PPP', type: 'VINT', subtype: 'UP', text: 'ppp0: interface is up' },
      { time, severity: 3, module: 'SYS', type: 'MSG', subtype: '', text: 'hello' },
    ])
  })

  it('leaves out what is below its threshold', () => {
    const { log, lines } = setUp()
    log.add({ severity: Severity.Detail, module: 'L2TP', text: 'too small' })
    expect(lines).toEqual([])
    expect(log.entries()).toEqual([])
    const all = setUp(Severity.Debug)
    all.log.add({ severity: Severity.Debug, module: 'L2TP', text: 'seen' })
    expect(all.lines.length).toBe(1)
  })

  it('forgets the oldest of many', () => {
    const { log } = setUp()
    for (let i = 0; i < 1500; i++) log.add({ severity: Severity.Info, module: 'SYS', text: `event ${i}` })
    expect(log.entries().length).toBe(1000)
    expect(log.entries()[0]!.text).toBe('event 500')
    expect(log.entries().at(-1)!.text).toBe('event 1499')
  })

  it('shows no secret that a text was built from', () => {
    const { log, lines } = setUp()
    log.add({ severity: Severity.Info, module: 'SYS', text: `key ${Secret.fromText('hush')}` })
    expect(lines[0]).toContain('<secret>')
    expect(lines[0]).not.toContain('hush')
  })
})
