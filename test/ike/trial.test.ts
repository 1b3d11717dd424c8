/** Groups of users with a pre-shared key each, behind ISAKMP policies that all answer anyone. */

import { describe, expect, it } from 'vitest'
import type { IsakmpPolicy } from '../../src/ike/policy.ts'
import { Secret } from '../../src/packet/bytes.ts'
import { windows10, windowsXp } from '../support/windows.ts'
import { baseConfig, Client, events, Gateway, of, phase2Policy, policy } from './gateway.ts'

const group = (name: string, change: Partial<IsakmpPolicy> = {}): IsakmpPolicy => ({
  ...policy,
  name,
  presharedKey: Secret.fromText(`key of ${name}`),
  keyId: name.length,
  phase2: [{ ...phase2Policy, name: `l2tp-${name}` }],
  ...change,
})

function gatewayOf(...policies: IsakmpPolicy[]): Gateway {
  const gateway = new Gateway()
  gateway.endpoint.configure({ ...baseConfig, policies })
  return gateway
}

describe('the key that a client has', () => {
  it.each([
    ['sales', windowsXp],
    ['works', windows10],
    ['guests', windowsXp],
  ] as const)('is found among those of all groups: %s', (name, profile) => {
    const gateway = gatewayOf(group('sales'), group('works'), group('guests', { lifetimeSeconds: 600 }))
    const client = new Client(gateway, { ...profile, presharedKey: `key of ${name}` })
    client.connect()
    const effects = gateway.take()
    expect(of(effects, 'peerUp')[0]!.policy).toBe(name)
    // Quick Mode follows the policy whose key it was.
    expect(of(effects, 'installOutbound')[0]!.sa.policy).toBe(`l2tp-${name}`)
    const [sa] = gateway.endpoint.snapshot().sas
    expect(sa).toMatchObject({ policy: name })
    expect(sa!.expires - sa!.established).toBe(name === 'guests' ? 600_000 : 28_800_000)
    expect(events(effects, 'failed')).toEqual([])
    // What follows is under its keys.
    gateway.pass(60)
    client.quickMode()
  })

  it('is none of them: the verdict says how many were tried, and whose', () => {
    const gateway = gatewayOf(group('sales'), group('works'), group('guests', { groups: [1] }))
    expect(() => new Client(gateway, { presharedKey: 'mistyped' }).mainMode()).toThrow()
    const [failed, ...more] = events(gateway.take(), 'failed')
    expect(more).toEqual([])
    expect(failed).toMatchObject({ cause: 'wrong-key', phase: 1 })
    expect(failed!.detail).toContain('none of the 2 that were tried')
    expect(failed!.detail).toContain('"sales" (ENCO key 5), "works" (ENCO key 5)')
  })

  it('is looked for among eight at most', () => {
    const names = Array.from({ length: 12 }, (_, i) => `g${i}`)
    const gateway = gatewayOf(...names.map(n => group(n)))
    new Client(gateway, { seed: 'eighth', presharedKey: 'key of g7' }).mainMode()
    expect(() => new Client(gateway, { seed: 'ninth', presharedKey: 'key of g8' }).mainMode()).toThrow()
    expect(events(gateway.take(), 'failed')[0]!.detail).toContain('none of the 8')
  })

  it('is not looked for among policies that have none, another NAT traversal, or an address', () => {
    const gateway = gatewayOf(
      group('first'),
      group('keyless', { presharedKey: undefined }),
      group('plain', { natTraversal: false }),
      group('branch', { peer: 0x01020304 }),
    )
    for (const name of ['plain', 'branch'])
      expect(() => new Client(gateway, { seed: name, presharedKey: `key of ${name}` }).mainMode()).toThrow()
    for (const f of events(gateway.take(), 'failed')) expect(f.detail).toContain('not that of ISAKMP policy "first"')
  })

  it('is that of the very address alone where a policy names it', () => {
    const gateway = gatewayOf(group('anyone'), group('mine', { peer: new Client(new Gateway()).remote.address }))
    expect(() => new Client(gateway, { presharedKey: 'key of anyone' }).mainMode()).toThrow()
    expect(events(gateway.take(), 'failed')[0]!.detail).toContain('"mine"')
  })

  it('may be shared by groups that differ in the identity they want', () => {
    const shared = Secret.fromText('shared')
    const gateway = gatewayOf(
      group('anna', { presharedKey: shared, remoteIdentity: 'ANNAS-PC' }),
      group('ben', { presharedKey: shared, remoteIdentity: 'BENS-PC' }),
    )
    const connect = (computerName: string) =>
      new Client(gateway, { seed: computerName, presharedKey: 'shared', computerName }).connect()
    connect('BENS-PC')
    expect(of(gateway.take(), 'peerUp')[0]!.policy).toBe('ben')
    expect(() => connect('EVES-PC')).toThrow()
    const [failed] = events(gateway.take(), 'failed')
    expect(failed!.cause).toBe('bad-identity')
    expect(failed!.detail).toContain('calls itself "EVES-PC"')
    expect(failed!.detail).toContain('"anna" wants "ANNAS-PC", ISAKMP policy "ben" wants "BENS-PC"')
  })

  it('of another group does not make its owner a neighbour of the same name', () => {
    const gateway = gatewayOf(group('sales'), group('works'))
    new Client(gateway, { seed: 'a', presharedKey: 'key of sales' }).connect()
    const [first] = of(gateway.take(), 'peerUp')
    new Client(gateway, { seed: 'b', presharedKey: 'key of works' }).connect()
    const effects = gateway.take()
    expect(of(effects, 'peerUp')[0]!.policy).toBe('works')
    expect(of(effects, 'peerDown').map(e => e.peer)).toEqual([first!.peer])
  })
})

describe('forged fifth messages', () => {
  it('change nothing, whatever keys they were tried against', () => {
    const gateway = gatewayOf(group('sales'), group('works'))
    const client = new Client(gateway, { presharedKey: 'key of works' })
    const five = client.ike.message5(client.must(client.ike.message3(client.must(client.ike.message1()))))
    for (let i = 0; i < 4; i++) {
      const forged = five.slice()
      forged[30 + i] = forged[30 + i]! ^ 1
      client.send(forged)
    }
    expect(of(gateway.take(), 'peerUp')).toEqual([])
    client.ike.finish(client.must(five))
    expect(of(gateway.take(), 'peerUp')[0]!.policy).toBe('works')
  })
})
