/** A change whose nftables table the host refuses: refused whole, and what runs goes on. */

import { describe, expect, it } from 'vitest'
import { HostFirewall, type HostFirewallInput } from '../../src/gateway/host-firewall.ts'
import { Leavings } from '../../src/gateway/leavings.ts'
import { Log } from '../../src/gateway/log.ts'
import { Network } from '../../src/gateway/network.ts'
import { perform } from '../../src/gateway/operator-commands.ts'
import { formatIpv4, ipv4 } from '../../src/packet/ip.ts'
import { firewall, port, rule } from '../firewall/office.ts'
import { temporaryDirectory } from './fakes.ts'
import { operatorWorld } from './operators.ts'

const anna = ipv4('192.168.8.100')
const ben = ipv4('192.168.8.101')

/** The host's firewall over an nft that refuses what holds one of `bad`, and keeps what it took. */
function host(group?: number) {
  const taken: string[] = []
  const bad: string[] = []
  const hold: { until?: Promise<void> } = {}
  const log = new Log(() => undefined)
  const network = new Network(new Leavings(temporaryDirectory()), log, async (_, args, input = '') => {
    if (args[0] === '-j') return { status: 1, output: '' }
    await hold.until
    if (bad.some(word => input.includes(word))) return { status: 1, output: 'Error: no room' }
    taken.push(input)
    return { status: 0, output: '' }
  })
  const hostFirewall = new HostFirewall(
    network,
    log,
    { name: 'fg0' },
    1400,
    group === undefined ? undefined : { group, close: () => undefined },
  )
  const rules = (...users: string[]): HostFirewallInput => ({
    firewall: firewall({
      rules: users.map((user, i) =>
        rule({ number: i + 1, interface: 'eth0', action: 'allow', user, port: port(8000 + i) }),
      ),
    }),
    devices: { eth0: 'pub0', vlan1: 'lan0' },
    interfaces: [],
    ports: [500, 4500],
  })
  const apply = (input: HostFirewallInput, anyway = false) => hostFirewall.apply(input, () => undefined, anyway)
  const settled = () => network.readCounters()
  return { hostFirewall, apply, rules, taken, bad, hold, settled }
}

describe('the host’s firewall', () => {
  it('keeps the table that is there where another is refused, and takes the same again without nft', async () => {
    const { apply, rules, taken, bad } = host()
    expect(await apply(rules('anna'), true)).toBeUndefined()
    bad.push('8001')
    expect(await apply(rules('anna', 'ben'))).toEqual({
      text: "the firewall's nftables table was refused: Error: no room",
      another: true,
    })
    expect(await apply(rules('anna'))).toBeUndefined()
    expect(taken).toHaveLength(1)
    bad.length = 0
    expect(await apply(rules('anna', 'ben'))).toBeUndefined()
    expect(taken).toHaveLength(2)
  })

  it('what was refused at the start stands in the way of no change that leaves it as it is', async () => {
    const { apply, rules, taken, bad } = host()
    bad.push('8000')
    expect(await apply(rules('anna'), true)).toMatchObject({ another: true })
    expect(await apply(rules('anna'))).toMatchObject({ another: false })
    bad.length = 0
    expect(await apply(rules('anna'))).toBeUndefined()
    expect(taken).toHaveLength(1)
  })

  it('is made anew where a session belongs to another set of it', async () => {
    const { hostFirewall, apply, rules, taken, settled } = host()
    const group = (...users: string[]): HostFirewallInput => ({
      ...rules(),
      firewall: firewall({
        dynamics: [{ name: 'heads', users, any: false, none: false }],
        rules: [rule({ number: 1, interface: 'eth0', action: 'allow', group: 'heads', port: port(80) })],
      }),
    })
    await apply(group('anna'), true)
    hostFirewall.sessionUp(ben, 'ben')
    await settled()
    expect(await apply(group('anna'))).toBeUndefined()
    expect(taken.join()).not.toContain(formatIpv4(ben))
    expect(await apply(group('anna', 'ben'))).toBeUndefined()
    expect(taken.at(-1)).toContain(`add element inet floatgate_fg0 who_0_1 { ${formatIpv4(ben)} }`)
  })

  it('sessions that came and went meanwhile are in the table that stays', async () => {
    const { hostFirewall, apply, rules, taken, bad, hold, settled } = host()
    await apply(rules('anna'), true)
    hostFirewall.sessionUp(ben, 'ben')
    await settled()
    let release: () => void = () => undefined
    hold.until = new Promise<void>(resolve => {
      release = resolve
    })
    bad.push('8001')
    const refused = apply(rules('anna', 'ben'))
    hostFirewall.sessionUp(anna, 'anna')
    hostFirewall.sessionDown(ben)
    release()
    expect(await refused).toMatchObject({ another: true })
    const last = taken.at(-1)!
    expect(last).toContain('delete table inet floatgate_fg0')
    expect(last).toContain(`add element inet floatgate_fg0 who_0_1 { ${formatIpv4(anna)} }`)
    expect(last).not.toContain(formatIpv4(ben))
    hostFirewall.sessionDown(anna)
    await settled()
    expect(taken.at(-1)).toContain(`delete element inet floatgate_fg0 who_0_1 { ${formatIpv4(anna)} }`)
  })
})

describe('a host whose nft tells nobody of packets', () => {
  it('has the table without it, for good', async () => {
    const { apply, rules, taken, bad, hostFirewall } = host(17_010)
    bad.push('log prefix')
    expect(await apply(rules('anna'), true)).toBeUndefined()
    expect([taken.length, hostFirewall.tells]).toEqual([1, false])
    expect(await apply(rules('anna'))).toBeUndefined()
    expect(taken).toHaveLength(1)
    expect(await apply(rules('ben'))).toBeUndefined()
    expect(taken.join()).not.toContain('log prefix')
  })

  it('is not one that refuses the table for something else', async () => {
    const { apply, rules, taken, bad, hostFirewall } = host(17_010)
    bad.push('8000')
    expect(await apply(rules('anna'), true)).toMatchObject({ text: expect.stringContaining('no room') })
    bad.length = 0
    expect(await apply(rules('anna'))).toBeUndefined()
    expect(taken.at(-1)).toContain('log prefix')
    bad.push('8001')
    expect(await apply(rules('anna', 'ben'))).toMatchObject({ another: true })
    expect(hostFirewall.tells).toBe(true)
  })
})

describe('a command whose table the host refuses', () => {
  const RULE = 'add firewall policy=main rule=9 action=deny interface=eth0 protocol=all'

  async function gateway(prepare: () => Promise<string | undefined>) {
    const w = await operatorWorld()
    const commands = { ...w.commands, prepare }
    return { ...w, type: (text: string) => perform(commands, w.root, text) }
  }

  it('changes nothing: neither rules, users nor keys', async () => {
    const { world, type, lines } = await gateway(async () => 'no room')
    const before = world.control.configuration
    const users = world.secrets.allUsers()
    for (const text of [RULE, 'add user=dora password=dates login=no', 'create enco key=7 type=general value=more']) {
      expect(await type(text)).toMatchObject({ exit: 1, text: expect.stringMatching(/^Error \(\d+\): no room$/) })
    }
    expect(world.control.configuration).toBe(before)
    expect(world.control.ruleset.slots.some(s => s.rule === 9)).toBe(false)
    expect(world.secrets.allUsers()).toEqual(users)
    expect(world.secrets.key(7)).toBeUndefined()
    expect(lines.join('\n')).not.toContain('Configuration changed')
  })

  it('and one that comes while the host is asked is made to what the first one left', async () => {
    const { world, type } = await gateway(async () => {
      await new Promise(resolve => setTimeout(resolve, 2))
      return undefined
    })
    const [first, second] = await Promise.all([type(RULE), type(RULE.replace('rule=9', 'rule=10'))])
    expect([first.exit, second.exit]).toEqual([0, 0])
    const [policy] = world.control.configuration.firewall.policies
    expect(policy?.rules.map(r => r.number)).toEqual(expect.arrayContaining([9, 10]))
    const [made, again] = await Promise.all([type(RULE.replace('9', '11')), type(RULE.replace('9', '11'))])
    expect([made.exit, again.exit]).toEqual([0, 1])
  })
})
