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

describe('a user’s own address', () => {
  it('is told where no session could carry anything with it', () => {
    const user = (name: string, address: string) =>
      `add user=${name} password=long-enough login=no ipaddress=${address}`
    const users = ['127.0.0.1', '127.255.255.255', '224.0.0.1', '255.255.255.255', '10.9.8.7', '0.0.0.0'].map((a, i) =>
      user(`u${i}`, a),
    )
    const { configuration } = readScript(users.join('\n'), { values: {} })
    const why = "is this host's own, or no one host's: such a connection carries nothing"
    expect(findDevices(configuration, EMPTY_SITE).warnings).toEqual([
      `user u0: IPADDRESS=127.0.0.1 ${why}`,
      `user u1: IPADDRESS=127.255.255.255 ${why}`,
      `user u2: IPADDRESS=224.0.0.1 ${why}`,
      `user u3: IPADDRESS=255.255.255.255 ${why}`,
    ])
  })
})
