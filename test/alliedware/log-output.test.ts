/** LOG commands: outputs, their filters, and what these take. */

import { describe, expect, it } from 'vitest'
import { type LogMessage, type LogOutput, logDefaults, takes } from '../../src/alliedware/log-config.ts'
import { readScript } from '../../src/alliedware/script.ts'
import { writeScript } from '../../src/alliedware/write.ts'
import { ipv4 } from '../../src/packet/ip.ts'

const read = (text: string) => readScript(text, { values: {} })
const outputs = (text: string) => {
  const { configuration, faults } = read(text)
  expect(faults.filter(f => f.severity === 'error')).toEqual([])
  return configuration.log.outputs
}
const message = (severity: number, module = 'ISAK', text = 'Exch 1: Completed'): LogMessage => ({
  severity,
  module,
  type: 'MSG',
  subtype: '',
  text,
})

describe('log outputs', () => {
  it('are made, changed, switched and destroyed', () => {
    const [temporary, syslog] = outputs(`
create log output=2 destination=syslog server=192.168.8.3 facility=local3
set log output=2 syslogf=ext port=1514
add log output=2 severity=>=4
add log output=2 filter=9 module=FIRE action=ignore
delete log output=2 filter=9
set log output=temporary messages=50
disable log output=2`)
    expect(temporary).toEqual({ ...logDefaults.outputs[0], messages: 50 })
    expect(syslog).toMatchObject({
      id: 2,
      destination: 'syslog',
      server: ipv4('192.168.8.3'),
      port: 1514,
      facility: 'local3',
      format: 'extended',
      enabled: false,
      filters: [{ id: 1, severity: { first: 4, last: 7 }, action: 'process' }],
    })
    expect(outputs('create log output=2 dest=sys serv=1.2.3.4\ndestroy log output=2')).toEqual(logDefaults.outputs)
    expect(outputs('create log output=2 dest=sys serv=1.2.3.4\nset log output=temp mess=20\npurge log')).toEqual(
      logDefaults.outputs,
    )
  })

  it.each([
    ['create log output=2', /DESTINATION is missing/],
    ['create log output=21 destination=syslog server=1.2.3.4', /TEMPORARY, PERMANENT or a number from 1 to 20/],
    ['create log output=2 destination=syslog', /SERVER is missing/],
    ['create log output=temporary', /exists already/],
    ['destroy log output=temporary', /DISABLE LOG OUTPUT/],
    ['destroy log output=3', /does not exist/],
    ['set log output=temporary filter=1 severity=5', /filter 1 does not exist/],
    ['delete log output=temporary filter=4', /filter 4 does not exist/],
    ['add log output=temporary severity=8', /a severity from 0 to 7/],
    ['add log output=temporary severity=>7', /a severity from 0 to 7/],
    ['add log output=temporary filter=1 all\nadd log output=temporary filter=1 all', /filter 1 exists already/],
  ])('%j is refused', (text, why) => {
    expect(
      read(text)
        .faults.filter(f => f.severity === 'error')
        .map(f => f.text)
        .join(),
    ).toMatch(why)
  })

  it('to where nothing can be sent are kept, with a warning', () => {
    const { configuration, faults } = read('create log output=permanent\ncreate log output=5 dest=email to=a@b.example')
    expect(faults.map(f => f.severity)).toEqual(['warning', 'warning'])
    expect(writeScript(configuration)).toContain(
      'create log output=permanent destination=nvs\ncreate log output=5 destination=email\n',
    )
    expect(writeScript(configuration)).toContain('set log output=5 to=a@b.example\n')
  })
})

describe('filters', () => {
  const output = (filters: string): LogOutput => outputs(filters)[0]!

  it('without any take what is INFO or worse', () => {
    expect([2, 3, 7].map(s => takes(output(''), message(s), 3))).toEqual([false, true, true])
    expect(takes({ ...output(''), enabled: false }, message(7), 3)).toBe(false)
  })

  it.each([
    ['severity=>5', [6, 7]],
    ['severity=>=5', [5, 6, 7]],
    ['severity=<2', [0, 1]],
    ['severity=<=2', [0, 1, 2]],
    ['severity=4', [4]],
    ['all', [0, 1, 2, 3, 4, 5, 6, 7]],
    ['module=isak severity=7', [7]],
    ['module=fire', []],
  ])('%s take severities %j', (filter, expected) => {
    const o = output(`add log output=temporary ${filter}`)
    expect([0, 1, 2, 3, 4, 5, 6, 7].filter(s => takes(o, message(s), 3))).toEqual(expected)
  })

  it('are asked in order of their numbers; the first that matches decides', () => {
    const o = output(`
add log output=temporary filter=20 all
add log output=temporary filter=10 module=PPP msgtext="is down" action=ignore`)
    expect(takes(o, message(3, 'PPP', 'ppp0: interface is down: reset'), 3)).toBe(false)
    expect(takes(o, message(3, 'PPP', 'ppp0: interface is up'), 3)).toBe(true)
    expect(takes(o, message(0, 'ISAK'), 3)).toBe(true)
  })

  it('take conditions back with ALL', () => {
    const o = output('add log output=temporary filter=1 module=PPP severity=7\nset log output=temporary filter=1 all')
    expect(o.filters).toEqual([
      {
        id: 1,
        action: 'process',
        severity: undefined,
        module: undefined,
        type: undefined,
        subtype: undefined,
        text: undefined,
      },
    ])
  })
})
