/** The script's interfaces on this host, and what is said of those that it has not. */

import { describe, expect, it } from 'vitest'
import { readScript } from '../../src/alliedware/script.ts'
import { EMPTY_SITE } from '../../src/gateway/site.ts'
import { findDevices } from '../../src/gateway/site-devices.ts'

const script = (enable: string) => `
add ip int=eth0 ip=192.0.2.1
add ip int=vlan1 ip=192.0.2.129
${enable}
create firewall policy=main
add firewall policy=main int=eth0 type=public
add firewall policy=main int=vlan1 type=private`

const interfaces = { eth0: 'no-such-device', vlan1: 'none-either' }

describe('an interface that is no device here', () => {
  it('is told, with what that means where it is the public one', () => {
    const { configuration } = readScript(script('enable firewall'), { values: {} })
    const { warnings } = findDevices(configuration, { ...EMPTY_SITE, interfaces })
    expect(warnings).toEqual([
      expect.stringMatching(
        /^interface eth0: this host has no device no-such-device: the firewall and NAT are not in force/,
      ),
      'interface vlan1: this host has no device none-either',
    ])
  })

  it('is told alone where no firewall is asked for', () => {
    const { configuration } = readScript(script(''), { values: {} })
    expect(findDevices(configuration, { ...EMPTY_SITE, interfaces }).warnings).toEqual([
      'interface eth0: this host has no device no-such-device',
      'interface vlan1: this host has no device none-either',
    ])
  })
})
