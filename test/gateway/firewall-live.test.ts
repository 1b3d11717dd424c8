/** The firewall's events, notices, sessions and hits over a live gateway: a client that scans the office, and others beside it. */

import { beforeEach, describe, expect, it } from 'vitest'
import type { EventGroup, FirewallState, PolicyState } from '../../src/alliedware/show/firewall.ts'
import type { AccountsState } from '../../src/alliedware/show/firewall-accounting.ts'
import type { PolicyLimits } from '../../src/alliedware/show/firewall-limits.ts'
import type { FlowsState } from '../../src/alliedware/show/firewall-sessions.ts'
import type { CommandWorld } from '../../src/gateway/command-world.ts'
import { carryOut } from '../../src/gateway/commands.ts'
import { HostCounters } from '../../src/gateway/host-counters.ts'
import { emitIpv4, emitUdp, IpProtocol, type Ipv4, ipv4 } from '../../src/packet/ip.ts'
import { windows10 } from '../support/profiles.ts'
import { commandWorld } from './command-world.ts'
import { anna as annaOptions, type Guest, LAN_HOST, OFFICE, World } from './world.ts'

const INTERNET = ipv4('198.51.100.7')
const SCRIPT = `${OFFICE}
add fire poli=main rule=7 int=dyn-roaming action=deny prot=tcp port=25
set fire poli=main attack=portscan outtrigger=30 detail=2
enable fire poli=main log=denydump,outaudp
`

/** What `nft -j list table` prints, as far as counters go. */
const KERNEL = JSON.stringify({
  nftables: [
    ['rule main 7', 3],
    ['denied in eth0', 4],
    ['denied in eth0', 5],
    ['limit main 5', 8],
  ].map(([comment, packets]) => ({ rule: { comment, expr: [{ counter: { packets, bytes: 0 } }] } })),
})

/** A first SYN. */
function syn(source: Ipv4, destination: Ipv4, port: number): Uint8Array {
  const payload = new Uint8Array(20)
  const view = new DataView(payload.buffer)
  view.setUint16(0, 40_000)
  view.setUint16(2, port)
  payload[12] = 0x50
  payload[13] = 2
  return emitIpv4({ source, destination, protocol: IpProtocol.Tcp, payload })
}

function udp(source: Ipv4, sourcePort: number, destination: Ipv4, destinationPort: number): Uint8Array {
  const ends = { source, destination }
  return emitIpv4({ ...ends, protocol: 17, payload: emitUdp(sourcePort, destinationPort, new Uint8Array(8), ends) })
}

describe('a client that scans', () => {
  let world: World
  let anna: Guest
  let carl: Guest
  let told: string[]
  let commands: CommandWorld
  const type = (text: string) => carryOut(commands, text, { uid: 0, pid: 4711 })
  const send = (guest: Guest, bytes: Uint8Array) => world.act(guest, { kind: 'ipPacket', bytes })
  const scan = (guest: Guest, from: number, to: number) => {
    for (let port = from; port <= to; port++) send(guest, syn(guest.client.address, LAN_HOST, port))
  }
  const attacks = () => world.gateway.log.entries().filter(e => e.type === 'ATTK')

  beforeEach(() => {
    world = new World({ script: SCRIPT })
    commands = commandWorld(world, {
      hostCounters: async () => {
        const counters = new HostCounters()
        counters.read(KERNEL)
        return counters
      },
    })
    told = []
    world.control.firewall.announce = text => told.push(text)
    anna = world.guest(annaOptions)
    carl = world.guest({ profile: windows10, user: 'carl', password: 'cherries', address: ipv4('203.0.113.50') })
    world.connect(anna)
    world.connect(carl)
    world.advance(3000)
  })

  it('is told to managers, logged and kept as a notice; nobody else is', async () => {
    scan(carl, 1, 20)
    scan(anna, 1, 20)
    expect(told).toEqual([])
    scan(anna, 21, 45)
    expect(told).toHaveLength(1)
    expect(told[0]).toMatch(
      /^Firewall: Port scan out, tcp 192\.168\.8\.100:40000 to 192\.168\.8\.10:\d+ \(user anna\), policy main$/,
    )
    expect(attacks()).toMatchObject([{ module: 'FIRE', subtype: 'PORTSCAN', text: told[0]!.slice(10) }])

    const shown = await type('show firewall event=notify')
    const [group] = shown.data as EventGroup[]
    // The one that began it, and two in detail.
    expect(group!.events.map(e => [e.attack, e.started, e.user])).toEqual([
      ['portscan', true, 'anna'],
      ['portscan', false, 'anna'],
      ['portscan', false, 'anna'],
    ])
    expect(shown.text).toMatch(/^Policy : main - Notify Events:\nDate\/Time {3}Dir Prot {2}Number IP:Port/)
    expect(shown.text).toMatch(
      /\n\d\d \d\d:\d\d:\d\d OUT TCP {8}1 192\.168\.8\.100:40000 192\.168\.8\.10:\d+\n {4}Port scan \(user anna\)\n {4}45000028 /,
    )
  })

  it('is not told where that is disabled, but still logged', async () => {
    await type('disable firewall notify=manager')
    scan(anna, 1, 45)
    expect(told).toEqual([])
    expect(attacks()).toHaveLength(1)
    expect(((await type('show firewall')).data as FirewallState).notify).toEqual([])
    await type('enable firewall notify=manager')
    world.advance(121_000)
    scan(anna, 1, 45)
    expect(told).toHaveLength(1)
  })

  it('has what was refused and let in as events: three groups, repeats counted, the latest on request', async () => {
    for (let n = 0; n < 3; n++) send(anna, syn(anna.client.address, INTERNET, 25))
    send(anna, udp(anna.client.address, 5000, INTERNET, 53))
    world.fromLan(udp(INTERNET, 9, anna.client.address, 9))
    const { data, text } = await type('show firewall event')
    const groups = data as EventGroup[]
    expect(groups.map(g => [g.action, g.events.length])).toEqual([
      ['notify', 0],
      ['deny', 2],
      ['allow', 1],
    ])
    expect(groups[1]!.events[0]).toMatchObject({ rule: 7, direction: 'out', repeats: 3, user: 'anna', policy: 'main' })
    expect(text).toContain(
      'OUT TCP        3 192.168.8.100:40000 198.51.100.7:25\n    Policy rejected by rule 7 (user anna)',
    )
    expect(text).toContain('IN  UDP        1 198.51.100.7:9 192.168.8.100:9\n    Policy rejected (user anna)')
    const latest = (await type('show firewall event=deny tail=1')).data as EventGroup[]
    expect(latest[0]!.events.map(e => e.destinationPort)).toEqual([9])
    const reversed = (await type('show firewall event=deny policy=MAIN reverse')).data as EventGroup[]
    expect(reversed[0]!.events.map(e => e.destinationPort)).toEqual([9, 25])
    expect((await type('show firewall event policy=other')).data).toEqual([])

    const logged = world.gateway.log.entries().filter(e => e.module === 'FIRE')
    expect(logged.map(e => [e.type, e.subtype])).toEqual([
      ['OUT', 'DENY'],
      ['OUT', 'DENY'],
      ['OUT', 'DENY'],
      ['OUT', 'ALLOW'],
      ['IN', 'DENY'],
    ])
    expect(logged[0]!.text).toMatch(/^Policy rejected by rule 7, tcp .* \(user anna\): 45000028 [0-9a-f ]+$/)
  })

  it('keeps others’ events while one makes many', async () => {
    send(carl, syn(carl.client.address, INTERNET, 25))
    for (let n = 0; n < 300; n++) {
      send(anna, syn(anna.client.address, (INTERNET + n) >>> 0, 25))
      world.advance(600)
    }
    const [deny] = (await type('show firewall event=deny')).data as EventGroup[]
    expect(deny!.events).toHaveLength(200)
    expect(deny!.events[0]).toMatchObject({ user: 'carl' })
  })

  it('counts hits by rule and sessions by policy, over all workers', async () => {
    for (const guest of [anna, carl]) {
      send(guest, syn(guest.client.address, INTERNET, 25))
      send(guest, udp(guest.client.address, 5000, INTERNET, 53))
    }
    const shown = await type('show firewall policy=main counter')
    const [main] = shown.data as PolicyState[]
    expect(main!.hits).toEqual([{ rule: 7, sessions: 2, host: 3 }])
    expect(main!.hostDenied).toEqual([{ interface: 'eth0', packets: 9 }])
    expect(shown.text).toMatch(/Packets denied in eth0 \.+ 9\nRule 7 \.+ 5 \(sessions 2, host 3\)$/)
    expect(main!.counts).toMatchObject({ outAllowed: 2, outDenied: 2, inAllowed: 0, inDenied: 0 })
    expect(shown.text).toMatch(/Sessions allowed out \.+ 2\n/)
    const whole = (await type('show firewall policy')).text
    expect(whole).toMatch(/Private Interface : dyn-roaming\n {2}Rule \.+ 7\n {4}Action \.+ deny\n/)
    expect(whole).toMatch(/Number of hits \.+ 5 \(sessions 2, host 3\)/)
    expect(whole).toMatch(/Attack portscan \.+ in 64 \(64\), out 30 \(200\), detail 2, 2 min\n/)
    expect((await type('show firewall policy=main rule=7')).text).toMatch(/^Policy : main\n {2}Rule \.+ 7\n/)
    expect((await type('show firewall policy=main summary')).text).toMatch(/Number of hits \.+ 5/)
    expect((await type('show firewall policy=none')).exit).toBe(1)
  })

  it('accounts for what is over, where it was asked to', async () => {
    send(carl, udp(carl.client.address, 4000, INTERNET, 53))
    const accounts = async (what = '') => (await type(`show firewall accounting ${what}`)).data as AccountsState
    expect(await accounts()).toEqual({ policies: [{ policy: 'main', flows: [] }], unrecorded: 0 })
    await type('enable firewall policy=main accounting')
    send(anna, udp(anna.client.address, 5000, INTERNET, 53))
    world.fromLan(udp(INTERNET, 53, anna.client.address, 5000))
    world.advance(10_000)
    send(anna, udp(anna.client.address, 5000, INTERNET, 53))
    world.advance(301_000)
    const shown = await type('show firewall accounting policy=MAIN')
    const { flows } = (shown.data as AccountsState).policies[0]!
    expect(flows.map(f => [f.user, f.sourcePort, f.packetsForward, f.packetsReverse, f.bytesForward])).toEqual([
      ['carl', 4000, 1, 0, 36],
      ['anna', 5000, 2, 1, 72],
    ])
    expect(shown.text).toMatch(
      /^Policy : main\nDate\/Time {3}Dir Prot IP:Port <-> Dest IP:Port \/Traffic statistics\n-+\n/,
    )
    expect(shown.text).toMatch(
      /\n\d\d \d\d:\d\d:\d\d OUT UDP {2}192\.168\.8\.100:5000 198\.51\.100\.7:53 \(user anna\)\n {4}Started \d\d \d\d:\d\d:\d\d, 00:00:10: out 2 packets 72 bytes, in 1 packets 36 bytes$/,
    )
    expect((await accounts('tail=1')).policies[0]!.flows).toMatchObject([{ user: 'anna' }])
    expect((await accounts('reverse')).policies[0]!.flows.map(f => f.user)).toEqual(['anna', 'carl'])
    expect((await accounts('policy=other')).policies).toEqual([])
    const logged = world.gateway.log.entries().filter(e => e.type === 'ACCO')
    expect(logged.map(e => e.text)).toContain(
      'udp 192.168.8.100:5000 198.51.100.7:53 (user anna), 00:00:10: out 2 packets 72 bytes, in 1 packets 36 bytes, policy main',
    )
    // What a session that is hung up had open is over with it.
    send(carl, syn(carl.client.address, INTERNET, 80))
    await type('reset user=carl')
    expect((await accounts()).policies[0]!.flows.at(-1)).toMatchObject({ user: 'carl', protocol: 6 })
  })

  it('tells which addresses it answers for, and what it has not', async () => {
    expect((await type('show firewall arp')).data).toEqual([])
    await type('add firewall policy=main nat=enhanced interface=dyn-roaming gblinterface=eth0 gblip=203.0.113.77')
    await type(
      'add firewall policy=main rule=9 interface=eth0 action=allow protocol=tcp gblip=203.0.113.77 gblport=80 user=anna port=80',
    )
    const shown = await type('show firewall arp')
    expect(shown.data).toEqual([{ policy: 'main', interface: 'eth0', ip: { first: 0xcb00714d, last: 0xcb00714d } }])
    expect(shown.text).toMatch(/\n203\.0\.113\.77 +eth0 +main$/)
    expect((await type('show firewall monitor')).text).toMatch(/CAPTURE/)
    expect((await type('show firewall sessionreport')).text).toMatch(/LIMITRULE DETAIL/)
  })

  it('limits sessions by device, and shows who has how many', async () => {
    await type('add firewall policy=main limitrule=5 srciplimit=3 interface=dyn-roaming')
    await type('add firewall policy=main limitrule=9 srciplimit=10')
    for (let port = 1; port <= 5; port++) send(anna, udp(anna.client.address, 5000, INTERNET, port))
    send(carl, udp(carl.client.address, 5000, INTERNET, 1))
    const shown = await type('show firewall policy=main limitrule detail')
    const [main] = shown.data as PolicyLimits[]
    expect(main!.limits).toMatchObject([
      { number: 5, refused: 2, hostRefused: 8, devices: [{ sessions: 3 }, { sessions: 1 }] },
      { number: 9, refused: 0, hostRefused: 0, devices: [{ sessions: 3 }, { sessions: 1 }] },
    ])
    expect(shown.text).toMatch(
      /^Policy : main\nLimit Rule \.+ 5\n {2}Source IP Limit \.+ 3\n {2}Interface \.+ dyn-roaming\n/,
    )
    expect(shown.text).toMatch(/\n {2}Device +Sessions\n {2}-+\n {2}192\.168\.8\.100 +3\n {2}192\.168\.8\.50 +1\n/)
    const some = async (what: string) =>
      ((await type(`show firewall policy limitrule${what}`)).data as PolicyLimits[])[0]!.limits.map(l => l.number)
    expect(await some('=5')).toEqual([5])
    expect(await some('=6-9')).toEqual([9])
    expect((await type('show firewall policy limitrule=5')).text).not.toMatch(/Device/)
    expect((await type('show firewall event=deny')).text).toContain('Too many sessions by limit rule 5 (user anna)')
    expect((await type('show firewall policy')).text).toMatch(/\nLimit Rules \.+ 2\n/)
    await type('set firewall policy=main limitrule=5 srciplimit=4')
    send(anna, udp(anna.client.address, 5000, INTERNET, 5))
    send(anna, udp(anna.client.address, 5000, INTERNET, 6))
    await type('delete firewall policy=main limitrule=5')
    send(anna, udp(anna.client.address, 5000, INTERNET, 7))
    expect(((await type('show firewall')).data as FirewallState).sessions.active).toBe(6)
  })

  it('shows sessions by what they are, and ends one of them', async () => {
    for (const guest of [anna, carl]) send(guest, udp(guest.client.address, 5000, INTERNET, 53))
    send(anna, syn(anna.client.address, INTERNET, 80))
    const all = await type('show firewall session')
    expect((all.data as FlowsState).flows.map(f => [f.user, f.protocol]).sort()).toEqual([
      ['anna', 17],
      ['anna', 6],
      ['carl', 17],
    ])
    expect(all.text).toMatch(/^Policy : main\nCurrent Sessions : 3\n[0-9a-f]{8} {2}/)
    const chosen = async (what: string) => ((await type(`show firewall session ${what}`)).data as FlowsState).flows
    expect(await chosen('protocol=tcp')).toHaveLength(1)
    expect(await chosen('port=53')).toHaveLength(2)
    expect(await chosen('ip=192.168.8.100-192.168.8.110 port=53')).toMatchObject([{ user: 'anna' }])
    expect(await chosen('policy=other')).toEqual([])
    expect((await type('show firewall session protocol=nonsense')).exit).toBe(1)

    const [one] = await chosen('protocol=udp ip=192.168.8.50')
    expect(one).toMatchObject({ user: 'carl', policy: 'main' })
    const shown = await type(`show firewall session=${one!.id} counter`)
    expect(shown.text).toMatch(/Packets forward \.+ 1\n/)
    expect(((await type('show firewall')).data as FirewallState).sessions).toMatchObject({ active: 3, peak: 3 })
    expect((await type(`delete firewall session=${one!.id}`)).exit).toBe(0)
    expect((await type(`delete firewall session=${one!.id}`)).text).toMatch(/does not exist/)
    expect((await type(`show firewall session=${one!.id}`)).exit).toBe(1)
    expect((await type('delete firewall session=ff000001')).exit).toBe(1)
    expect(((await type('show firewall')).data as FirewallState).sessions.active).toBe(2)
  })
})
