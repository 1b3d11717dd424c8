/** Lines that old scripts have beside what the gateway does: they are kept, and keep no script from loading. */

import { describe, expect, it } from 'vitest'
import { maskSecrets } from '../../src/alliedware/parse.ts'
import { readScript } from '../../src/alliedware/script.ts'
import { writeScript } from '../../src/alliedware/write.ts'

const kept = [
  'set eth=0 speed=auto',
  'enable ip dnsrelay',
  'add ip dns primary=192.168.8.2',
  'set ip nameserver=192.168.8.2',
  'add ip arp=192.168.8.9 interface=vlan1 ethernet=00-00-cd-01-02-03',
  'add ip rip interface=vlan1',
  'enable gui',
  'set manager port=0',
  'set install=preferred release=450s-291.rez',
  'create ppp=0 over=eth0-any',
  'add ppp=0 over=asyn1',
  'set enco sw desslots=10',
  'enable enco compstatistics',
  'enable upnp',
  'add tacacs server=192.168.8.4 key=hush-hush',
  'add radius server=192.168.8.4 secret=hush-hush',
  'add trigger=1 script=x.scp',
  'enable telnet server',
  'set switch port=1 speed=autonegotiate',
]

describe('a line of an old script', () => {
  it.each(kept)('"%s" is held, and written back', text => {
    const { configuration, faults } = readScript(text, { values: {} })
    expect(faults).toEqual([])
    expect(configuration.held).toHaveLength(1)
    expect(maskSecrets(configuration.held[0]!.text)).not.toContain('hush-hush')
    const script = writeScript(configuration)
    expect(script).toContain(`\n${text}\n`)
    expect(writeScript(readScript(script, { values: {} }).configuration)).toBe(script)
  })

  it.each(['add ip filter=1 source=0.0.0.0 action=exclude', 'set ip interface=vlan1 filter=300x'])(
    '"%s" is an error',
    text => {
      expect(readScript(text, { values: {} }).faults.some(f => f.severity === 'error')).toBe(true)
    },
  )

  it('all together load, in any number', () => {
    const { faults, configuration } = readScript(kept.join('\n'), { values: {} })
    expect(faults).toEqual([])
    expect(configuration.held).toHaveLength(kept.length)
  })
})
