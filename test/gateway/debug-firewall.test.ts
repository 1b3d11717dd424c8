/** ENABLE FIREWALL POLICY DEBUG over a live gateway: each packet and why, to the terminal that asked, and no more than can be read. */

import { describe, expect, it } from 'vitest'
import { carryOut } from '../../src/gateway/commands.ts'
import { emitIpv4, emitUdp, type Ipv4, ipv4 } from '../../src/packet/ip.ts'
import { windows10 } from '../support/profiles.ts'
import { commandWorld, screen } from './command-world.ts'
import { LAN_HOST, OFFICE, World } from './world.ts'

const INTERNET = ipv4('198.51.100.7')
const SCRIPT = `${OFFICE}
add fire poli=main rule=7 int=dyn-roaming action=deny prot=udp port=25
add fire poli=main rule=8 int=dyn-roaming action=allow prot=udp port=53
add fire poli=main limitrule=2 srciplimit=2
create fire poli=other
`

function udp(source: Ipv4, sourcePort: number, destination: Ipv4, destinationPort: number): Uint8Array {
  const ends = { source, destination }
  return emitIpv4({ ...ends, protocol: 17, payload: emitUdp(sourcePort, destinationPort, new Uint8Array(60), ends) })
}

function setUp() {
  const world = new World({ script: SCRIPT })
  const terminal = screen()
  const commands = commandWorld(world, { tell: terminal.tell })
  const type = (text: string, terminal?: number) =>
    carryOut(commands, text, { uid: 0, pid: 1, ...(terminal === undefined ? {} : { terminal }) })
  const carl = world.guest({ profile: windows10, user: 'carl', password: 'cherries', address: ipv4('203.0.113.50') })
  world.connect(carl)
  world.advance(3000)
  const { address } = carl.client
  const send = (from: number, to: Ipv4, port: number) =>
    world.act(carl, { kind: 'ipPacket', bytes: udp(address, from, to, port) })
  const said = () => terminal.lines.splice(0).map(line => line.replace(/^[A-Z0-9]+ \d\d:\d\d:\d\d: /, ''))
  return { world, type, send, said, screen: terminal.lines, address }
}

describe('ENABLE FIREWALL POLICY DEBUG', () => {
  it('=PROCESS tells by which way a packet went, and who decided', async () => {
    const { world, type, send, said, screen, address } = setUp()
    expect((await type('enable firewall policy=main debug=process', 7)).exit).toBe(0)
    send(1000, INTERNET, 53)
    expect(screen[0]).toMatch(
      /^FIREWALL \d\d:\d\d:\d\d: main: out udp 192\.168\.8\.50:1000 198\.51\.100\.7:53 \(user carl\)$/,
    )
    expect(said().slice(1)).toEqual(['  from dyn-roaming to eth0', '  passes, and opens a session: rule 8'])
    world.fromLan(udp(INTERNET, 53, address, 1000))
    expect(said()).toEqual([
      'main: in udp 198.51.100.7:53 192.168.8.50:1000 (user carl)',
      '  from eth0 to dyn-roaming',
      '  passes: its session is known',
    ])
    send(1000, INTERNET, 25)
    expect(said()[2]).toBe('  dropped: Policy rejected by rule 7')
    send(1001, INTERNET, 80)
    expect(said()[2]).toBe('  passes, and opens a session: the base rule')
    send(1002, INTERNET, 80)
    expect(said()[2]).toBe('  dropped: Too many sessions by limit rule 2')
    send(1002, LAN_HOST, 80)
    expect(said()[2]).toBe('  passes: both sides are private')
    world.fromLan(udp(INTERNET, 9, address, 9))
    expect(said()[2]).toBe('  dropped: Policy rejected')
  })

  it('=PKT has the headers, as they came, and nothing of what is said; LIMITRULE what limits refuse alone', async () => {
    const { type, send, said } = setUp()
    await type('enable firewall policy=main debug=pkt', 7)
    send(1000, INTERNET, 25)
    const lines = said()
    expect(lines[0]).toBe(
      'main: out udp 192.168.8.50:1000 198.51.100.7:25 (user carl), 88 bytes: dropped: Policy rejected by rule 7',
    )
    expect(lines[1]).toMatch(/^ {2}45000058 [0-9a-f]{8} [0-9a-f]{8} c0a80832 c6336407 03e80019 0044[0-9a-f]{4}$/)
    expect(lines).toHaveLength(2)
    await type('disable firewall policy=main debug=all', 7)
    await type('enable firewall policy=main debug=limitrule', 7)
    send(1000, INTERNET, 80)
    send(1001, INTERNET, 80)
    expect(said()).toEqual([])
    send(1002, INTERNET, 80)
    expect(said()).toEqual([
      'main: out udp 192.168.8.50:1002 198.51.100.7:80 (user carl): dropped: Too many sessions by limit rule 2',
    ])
  })

  it('is of its policy alone, ends when it is told to, and costs the workers nothing then', async () => {
    const { world, type, send, said } = setUp()
    const tracing = () => world.gateway.workers.map(w => w.forwarder.firewall.trace.on)
    await type('enable firewall policy=other debug', 7)
    send(1000, INTERNET, 80)
    expect(said()).toEqual([])
    expect(tracing()).toEqual([true, true])
    expect((await type('show debug active')).data).toMatchObject([
      { module: 'firewall', modes: ['process', 'packet', 'limitrule'], object: 'other' },
    ])
    await type('disable firewall policy=other debug', 7)
    expect(tracing()).toEqual([false, false])
    await type('enable firewall policy=MAIN debug=process numpkts=2', 7)
    for (const port of [1, 2, 3]) send(1000, LAN_HOST, port)
    expect(said()).toHaveLength(6)
    expect(tracing()).toEqual([false, false])
    await type('enable firewall policy=main debug timeout=5', 7)
    world.advance(6000)
    send(1000, LAN_HOST, 4)
    expect(said()).toEqual([])
    expect(tracing()).toEqual([false, false])
  })

  it('tells no more than can be read, and how much was left out', async () => {
    const { world, type, send, screen } = setUp()
    await type('enable firewall policy=main debug=process', 7)
    for (let n = 0; n < 500; n++) send(1000, LAN_HOST, n)
    world.advance(2000)
    send(1000, LAN_HOST, 1)
    expect(screen.length).toBeLessThan(450)
    expect(screen.some(l => /left out/.test(l))).toBe(true)
  })

  it('is refused for policies and proxies that are not there', async () => {
    const { type } = setUp()
    expect((await type('enable firewall policy=none debug', 7)).text).toMatch(/does not exist/)
    expect((await type('enable firewall policy=main debug=http', 7)).text).toMatch(/not to be had/)
  })
})
