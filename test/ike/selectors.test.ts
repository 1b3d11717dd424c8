/** Which IPsec policy a Quick Mode falls under. */

import { describe, expect, it } from 'vitest'
import type { IkeConfig, Phase2Policy } from '../../src/ike/policy.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { Client, events, Gateway, NAT, of, phase2Policy, SERVER } from './gateway.ts'

const permit: Phase2Policy = {
  ...phase2Policy,
  name: 'internet',
  action: 'permit',
  suites: [],
  localPort: undefined,
  protocol: undefined,
}
const one = (text: string) => ({ first: ipv4(text), last: ipv4(text) })

/** The policy that the client's Quick Mode was agreed to under, or the failure's cause and detail. */
function outcome(phase2: readonly Phase2Policy[], config: Partial<IkeConfig> = {}): string {
  const gateway = new Gateway({ phase2 }, config)
  const client = new Client(gateway).mainMode()
  client.send(client.ike.quick1().bytes)
  const effects = gateway.take()
  const made = of(effects, 'installInbound')[0]
  return made ? made.sa.policy : `${events(effects, 'failed')[0]?.detail}`
}

describe('a Quick Mode', () => {
  it('falls under the first policy that matches, if that protects', () => {
    expect(outcome([phase2Policy, permit])).toBe('l2tp')
    expect(outcome([{ ...permit, localPort: 500 }, phase2Policy])).toBe('l2tp')
    expect(outcome([permit, phase2Policy])).toMatch(/^IPsec policy "internet" with ACTION=PERMIT comes before any/)
    expect(outcome([{ ...permit, action: 'deny' }, phase2Policy])).toMatch(
      /"internet" with ACTION=DENY comes before any/,
    )
  })

  it('is judged by its peer address, as that reaches us, and by ours', () => {
    expect(outcome([{ ...phase2Policy, peer: NAT }])).toBe('l2tp')
    expect(outcome([{ ...phase2Policy, peer: ipv4('203.0.113.8') }])).toMatch(/no IPsec policy .* covers/)
    expect(outcome([{ ...phase2Policy, remoteAddress: { first: NAT - 1, last: NAT + 1 } }])).toBe('l2tp')
    expect(outcome([{ ...phase2Policy, remoteAddress: one('203.0.113.8') }])).toMatch(/no IPsec policy/)
    expect(outcome([{ ...phase2Policy, localAddress: { first: SERVER, last: SERVER } }])).toBe('l2tp')
    expect(outcome([{ ...phase2Policy, localAddress: one('198.51.100.2') }])).toMatch(/no IPsec policy/)
    // Behind a NAT, both our addresses are ours.
    const publicAddress = ipv4('198.51.100.2')
    expect(outcome([{ ...phase2Policy, localAddress: one('198.51.100.2') }], { publicAddress })).toBe('l2tp')
  })

  it('falls under the policies of the interface that it came by', () => {
    const interfaces = [
      { name: 'eth0', address: SERVER },
      { name: 'eth1', address: ipv4('192.0.2.1') },
    ]
    const other = { ...phase2Policy, name: 'other', interface: 'eth1' }
    expect(outcome([other, { ...phase2Policy, interface: 'eth0' }], { interfaces })).toBe('l2tp')
    expect(outcome([other], { interfaces })).toMatch(/no IPsec policy/)
    expect(outcome([other])).toBe('other')
  })

  it('is judged by the ports and the protocol that it asks for', () => {
    expect(outcome([{ ...phase2Policy, remotePort: 1701 }])).toBe('l2tp')
    expect(outcome([{ ...phase2Policy, remotePort: 1702 }])).toMatch(/no IPsec policy/)
    expect(outcome([{ ...phase2Policy, protocol: 6 }])).toMatch(/no IPsec policy/)
  })

  it('is judged by what the two sides call themselves', () => {
    const asked = new Gateway()
    new Client(asked).mainMode()
    const called = of(asked.take(), 'peerUp')[0]!.identity
    expect(outcome([{ ...phase2Policy, remoteName: called.toUpperCase() }])).toBe('l2tp')
    expect(outcome([{ ...phase2Policy, remoteName: 'somebody' }])).toMatch(/no IPsec policy/)
    const gateway = new Gateway({
      phase2: [{ ...phase2Policy, localName: 'local' }],
      localIdentity: { kind: 'fqdn', name: 'Local' },
    })
    new Client(gateway).connect()
    expect(of(gateway.take(), 'installInbound')).toHaveLength(1)
    expect(outcome([{ ...phase2Policy, localName: 'local' }])).toMatch(/no IPsec policy/)
  })

  it('under PEERADDRESS=DYNAMIC is for one peer at a time', () => {
    const gateway = new Gateway({ phase2: [{ ...phase2Policy, peer: 'dynamic' }] })
    const first = new Client(gateway)
    first.connect()
    const second = new Client(gateway, { seed: 'second', outside: NAT + 1 }).mainMode()
    gateway.take()
    second.send(second.ike.quick1().bytes)
    expect(events(gateway.take(), 'failed')[0]?.detail).toMatch(/PEERADDRESS=DYNAMIC, which is for one peer at a time/)
    // The one who has it may renew it.
    first.send(first.ike.quick1().bytes)
    expect(of(gateway.take(), 'installInbound')).toHaveLength(1)
  })
})
