/** Whom control tells the TUN device to hand packets to, as sessions and rules come and go. */

import { describe, expect, it } from 'vitest'
import { buildRuleset } from '../../src/firewall/compile.ts'
import type { FirewallNat, FirewallRule } from '../../src/firewall/policy.ts'
import { NatSteering } from '../../src/gateway/nat-steering.ts'
import { formatIpv4 } from '../../src/packet/ip.ts'
import { ALICE, BOB, firewall, one, port, rule } from '../firewall/office.ts'
import { AROUND, ENHANCED, GLOBAL, nat } from '../firewall/translation.ts'

function steering() {
  const told: string[] = []
  const where = (worker: number | undefined) => (worker === undefined ? 'nobody' : `worker ${worker}`)
  const s = new NatSteering({
    workers: 3,
    post: () => undefined,
    steer: (address, worker) => told.push(`${formatIpv4(address)} to ${where(worker)}`),
    share: address => told.push(`${formatIpv4(address)} by ports`),
    steerPort: (address, protocol, p, worker) =>
      told.push(`${formatIpv4(address)} ${protocol} ${p} to ${where(worker)}`),
  })
  const rules = (nats: readonly FirewallNat[], list: readonly FirewallRule[] = []) =>
    s.rules(buildRuleset(firewall({ nats, rules: list }), { ...AROUND, workers: 3 }))
  const take = () => told.splice(0)
  return { s, rules, take }
}

const alice = { address: ALICE, user: 'Alice', worker: 1 }
const bob = { address: BOB, user: 'bob', worker: 2 }
const forward = (number: number, to: Partial<FirewallRule>): FirewallRule =>
  rule({
    ...{ number, action: 'allow', interface: 'eth0', protocol: 6, port: port(80) },
    ...{ globalIp: one(GLOBAL), globalPort: port(8000 + number) },
    ...to,
  })

describe('a session', () => {
  it('has its address, and those that it alone has outside under the rules of the moment', () => {
    const { s, rules, take } = steering()
    s.up(1, alice)
    expect(take()).toEqual(['192.168.8.50 to worker 1'])
    rules([nat({ kind: 'standard', ip: one(ALICE) })])
    expect(take()).toEqual(['203.0.113.8 to worker 1'])
    rules([nat({ kind: 'standard', ip: one(ALICE), globalIp: one(GLOBAL + 1) })])
    expect(take()).toEqual(['203.0.113.8 to nobody', '203.0.113.9 to worker 1'])
    s.down(1)
    s.down(1)
    expect(take()).toEqual(['192.168.8.50 to nobody', '203.0.113.9 to nobody'])
  })

  it('that another of the same address follows leaves it to that one', () => {
    const { s, take } = steering()
    s.up(1, alice)
    s.up(1, { ...alice, worker: 2 })
    expect(take()).toEqual(['192.168.8.50 to worker 1', '192.168.8.50 to nobody', '192.168.8.50 to worker 2'])
  })
})

describe('an address that workers share', () => {
  it('is shared while rules say so', () => {
    const { rules, take } = steering()
    rules([ENHANCED])
    expect(take()).toEqual(['203.0.113.8 by ports'])
    rules([ENHANCED])
    expect(take()).toEqual([])
    rules([])
    expect(take()).toEqual(['203.0.113.8 to nobody'])
  })

  it('has forwards that follow their sessions, and their users from session to session', () => {
    const { s, rules, take } = steering()
    rules([ENHANCED], [forward(1, { ip: one(BOB) }), forward(2, { user: 'alice' })])
    take()
    s.up(2, bob)
    expect(take()).toEqual(['192.168.8.51 to worker 2', '203.0.113.8 6 8001 to worker 2'])
    s.up(1, alice)
    expect(take()).toEqual(['192.168.8.50 to worker 1', '203.0.113.8 6 8002 to worker 1'])
    s.up(5, { ...alice, address: ALICE + 5, worker: 0 })
    expect(take()).toEqual(['192.168.8.55 to worker 0', '203.0.113.8 6 8002 to worker 0'])
    s.down(5)
    expect(take()).toEqual(['192.168.8.55 to nobody', '203.0.113.8 6 8002 to worker 1'])
    s.down(1)
    expect(take()).toEqual(['192.168.8.50 to nobody', '203.0.113.8 6 8002 to nobody'])
    rules([ENHANCED], [forward(3, { ip: one(BOB) })])
    expect(take()).toEqual(['203.0.113.8 6 8001 to nobody', '203.0.113.8 6 8003 to worker 2'])
    s.down(2)
    expect(take()).toEqual(['192.168.8.51 to nobody', '203.0.113.8 6 8003 to nobody'])
  })
})
