/** RESET, DISABLE PPP and PING on a running gateway; and commands that are refused with a reason. */

import { describe, expect, it } from 'vitest'
import { type Command, parseCommand } from '../../src/alliedware/parse.ts'
import { carryOut } from '../../src/gateway/commands.ts'
import { ping as pingCommand } from '../../src/gateway/ping.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { windowsXp } from '../support/profiles.ts'
import { operatorWorld } from './operators.ts'
import { type GuestOptions, LAN_HOST, ping } from './world.ts'

const anna: GuestOptions = { profile: windowsXp, user: 'anna', password: 'apples', address: ipv4('203.0.113.77') }
const ben: GuestOptions = { ...anna, user: 'ben', password: 'bananas', address: ipv4('203.0.113.78') }

async function two() {
  const { commands, world } = await operatorWorld()
  const guests = [anna, ben].map(o => {
    const guest = world.guest(o)
    world.connect(guest)
    expect(guest.client.phase).toBe('up')
    return guest
  })
  const type = async (text: string) => {
    const answer = await carryOut(commands, text, { uid: 0, pid: 4711 })
    world.advance(2000)
    return answer
  }
  const up = () => guests.map(g => g.client.phase === 'up')
  return { commands, world, guests, type, up }
}

describe('RESET', () => {
  it.each([
    ['reset user=ANNA', [false, true]],
    ['reset ppp=0', [false, true]],
    ['disable ppp=0', [false, true]],
    ['reset ppp', [false, false]],
    ['reset isakmp sa=1', [false, true]],
    ['reset isakmp', [false, false]],
    ['reset isakmp policy', [false, false]],
    ['reset isakmp policy=ROAMING1', [false, false]],
    ['reset ipsec policy', [false, false]],
    ['reset ipsec policy=roaming', [false, false]],
  ])('"%s" ends what it names, and no more', async (text, expected) => {
    const g = await two()
    const answer = await g.type(text)
    expect(answer.exit, answer.text).toBe(0)
    expect(g.up()).toEqual(expected)
    expect(g.world.control.sessions.all.size).toBe(expected.filter(Boolean).length)
    if (/isakmp|ipsec/.test(text)) expect(g.world.control.peers.all.size).toBe(expected.filter(Boolean).length)
    expect(g.world.control.bugs).toBe(0)
    const again = g.world.guest({ ...anna, life: 2, address: ipv4('203.0.113.79') })
    g.world.connect(again)
    expect(again.client.phase).toBe('up')
  })

  it('of a tunnel ends its call', async () => {
    const g = await two()
    const tunnel = g.world.control.l2tp.snapshot().tunnels[0]!.localTunnelId
    expect((await g.type(`reset l2tp tunnel=${tunnel}`)).exit).toBe(0)
    expect(g.up()).toEqual([false, true])
  })

  it('of a tunnel that is over is an error', async () => {
    const g = await two()
    const { control } = g.world
    const { peer, localTunnelId } = control.l2tp.snapshot().tunnels[0]!
    control.closeTunnel(peer, localTunnelId, 'a test')
    g.world.advance(2000)
    expect(g.up()).toEqual([false, true])
    expect((await g.type(`reset l2tp tunnel=${localTunnelId}`)).exit).toBe(1)
  })

  it.each([
    'reset user=nobody',
    'reset ppp=9',
    'reset isakmp sa=99',
    'reset isakmp policy=none',
    'reset ipsec policy=none',
    'reset l2tp tunnel=1',
    'reset user=nobody counter',
  ])('"%s" is an error and ends nothing', async text => {
    const g = await two()
    expect((await g.type(text)).exit).toBe(1)
    expect(g.up()).toEqual([true, true])
  })

  it('leaves a line of PPP’s own that is not ours in the configuration, as before', async () => {
    const g = await two()
    expect((await g.type('disable ppp=7')).exit).toBe(0)
    expect(g.world.control.configuration.held.map(h => h.text)).toContain('disable ppp=7')
    expect(g.up()).toEqual([true, true])
  })
})

describe('RESET ... COUNTER', () => {
  it('sets what it names to zero, and goes on counting', async () => {
    const g = await two()
    const [first] = g.guests
    const { control } = g.world
    const pings = (n: number) => {
      for (let i = 0; i < n; i++)
        g.world.act(first!, { kind: 'ipPacket', bytes: ping(first!.client.address, LAN_HOST) })
    }
    pings(4)
    const ppp = () => Object.values(control.sessions.pppCounters()).reduce((a, b) => a + b, 0)
    expect(control.peers.policyTraffic('roaming').packetsIn).toBeGreaterThanOrEqual(4)
    expect(ppp()).toBeGreaterThan(0)
    expect(control.ike.snapshot().counters['phase1-completed']).toBe(2)
    expect(control.l2tp.snapshot().counters['callsConnected']).toBe(2)
    expect(control.world.stats.totals()['toTunPackets']).toBe(4)
    for (const text of ['ipsec counter', 'isakmp counter', 'l2tp counter', 'ppp counter'])
      expect((await carryOut(g.commands, `reset ${text}`, { uid: 0, pid: 1 })).exit, text).toBe(0)
    expect(control.peers.policyTraffic('roaming')).toMatchObject({
      packetsIn: 0,
      bytesIn: 0,
      packetsOut: 0,
      bytesOut: 0,
    })
    expect(ppp()).toBe(0)
    expect(control.ike.snapshot().counters['phase1-completed']).toBeUndefined()
    expect(control.l2tp.snapshot().counters['callsConnected']).toBe(0)
    expect(control.world.stats.totals()['toTunPackets']).toBe(4)
    await carryOut(g.commands, 'reset counter', { uid: 0, pid: 1 })
    expect(control.world.stats.totals()['toTunPackets']).toBe(0)
    pings(3)
    expect(control.peers.policyTraffic('roaming').packetsIn).toBe(3)
    expect(control.world.stats.totals()['toTunPackets']).toBe(3)
    expect(g.up()).toEqual([true, true])
    // A peer that goes takes with it what was taken off.
    await g.type('reset user=anna')
    g.world.advance(5000)
    expect(control.peers.policyTraffic('roaming').packetsIn).toBeGreaterThanOrEqual(3)
  })

  it('forgets who logged in how often', async () => {
    const g = await two()
    expect(g.world.control.admissions.counts.get('anna')).toEqual({ good: 1, bad: 0 })
    expect((await g.type('reset user=anna counter')).exit).toBe(0)
    expect([...g.world.control.admissions.counts.keys()]).toEqual(['ben'])
    expect((await g.type('reset user')).exit).toBe(0)
    expect(g.world.control.admissions.counts.size).toBe(0)
    expect(g.up()).toEqual([true, true])
  })
})

describe('a command that cannot be carried out', () => {
  it.each([
    ['set time=12:00', /timedatectl/],
    ['set password', /SET USER/],
    ['activate l2tp call=office', /makes no calls/],
    ['deactivate l2tp call=office', /RESET SESSION/],
    ['add l2tp call=office type=virtual ip=1.2.3.4', /makes no calls/],
    ['add l2tp user=any action=database', /makes no calls/],
    ['telnet 192.168.8.1', /not here/],
    ['trace 192.168.8.1', /not here/],
  ])('"%s" says why', async (text, why) => {
    const { commands } = await operatorWorld()
    const answer = await carryOut(commands, text, { uid: 0, pid: 1 })
    expect(answer.exit).not.toBe(0)
    expect(answer.text).toMatch(why)
  })
})

describe('PING', () => {
  const parsed = (text: string): Command => {
    const result = parseCommand(text)
    if (result.kind !== 'command') throw new Error(result.faults.join())
    return result.command
  }
  const asked: string[][] = []
  const runner = async (program: string, args: readonly string[]) => {
    asked.push([program, ...args])
    return { status: 0, output: '5 received' }
  }

  it('is the host’s own, with bounds', async () => {
    expect(await pingCommand(parsed('ping 192.168.8.2'), runner)).toEqual({ exit: 0, text: '5 received' })
    await pingCommand(parsed('pin ip=192.168.8.2 number=100 timeo=60 le=1000'), runner)
    expect(asked.map(a => a.join(' '))).toEqual([
      'ping -n -c 5 -W 1 -s 24 -w 6 192.168.8.2',
      'ping -n -c 100 -W 60 -s 1000 -w 60 192.168.8.2',
    ])
  })

  it.each(['ping', 'ping host.example', 'ping -f', 'ping 192.168.8.2 flood=yes', 'ping 192.168.8.2 192.168.8.3'])(
    'refuses "%s"',
    async text => {
      const before = asked.length
      expect((await pingCommand(parsed(text), runner)).exit).toBe(1)
      expect(asked).toHaveLength(before)
    },
  )

  it.each(['number=0', 'number=101', 'length=99999', 'timeout=61'])('is not understood with %s', word => {
    expect(parseCommand(`ping 192.168.8.2 ${word}`).kind).toBe('faults')
  })

  it('lets no more than a few run at a time', async () => {
    let release = () => undefined as undefined
    const slow = () =>
      new Promise<{ status: number; output: string }>(resolve => {
        const before = release
        release = () => {
          before()
          resolve({ status: 0, output: '' })
          return undefined
        }
      })
    const many = Array.from({ length: 5 }, () => pingCommand(parsed('ping 192.168.8.2'), slow))
    expect((await many[4]!).text).toContain('enough pings')
    release()
    expect((await Promise.all(many)).filter(a => a.exit === 0)).toHaveLength(4)
  })
})
