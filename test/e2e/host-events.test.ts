/** What the kernel does with packets on the host's own devices, as the operator sees it. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AccountsState } from '../../src/alliedware/show/firewall-accounting.ts'
import { until } from '../support/command.ts'
import { project, whyNoNetwork } from '../support/netns.ts'
import { Office } from '../support/office.ts'
import { gatewayPublic, lanHost, officeScript, places } from '../support/plan.ts'

const lacking = await whyNoNetwork()
if (lacking !== undefined) console.warn(`events of the host are not tried: ${lacking}`)

const far = places.c3.address
const SCAN = `process.on("uncaughtException", () => {})
for (let port = 2000; port < 2100; port++) {
  const c = require('net').connect(port, process.argv[1])
  c.on('error', () => {})
}
setTimeout(() => process.exit(), 500)`
const SEND = `const [source, host, port, count] = process.argv.slice(1)
const s = require('dgram').createSocket('udp4')
s.on("error", () => {})
s.bind(0, source, () => {
  for (let i = 0; i < count; i++) s.send('x', Number(port) + i, host)
  setTimeout(() => process.exit(), 200)
})`

/** Packets that no socket sends, out of a TUN device that is forwarded from. */
const CRAFT = `import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { loadNative } from '${project}/dist/src/gateway/native.js'
import { Batch } from '${project}/dist/src/packet/batch.js'
import { ipv4 } from '${project}/dist/src/packet/ip.js'
import { fragments, icmp, TCP, tcp, udp, withSource } from '${project}/dist/test/firewall/office.js'
const native = loadNative()
const tun = native.tunOpen('craft%d', 1)
execFileSync('ip', ['link', 'set', tun.name, 'up'])
writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
for (const d of ['all', tun.name]) writeFileSync('/proc/sys/net/ipv4/conf/' + d + '/rp_filter', '0')
const gateway = ipv4('${gatewayPublic}')
const stranger = ipv4('198.51.100.7')
const cut = (packet, eighths, more = false) => {
  packet[6] = (eighths >>> 8) | (more ? 0x20 : 0)
  packet[7] = eighths & 255
  return withSource(packet, stranger)
}
const parts = fragments(udp(stranger, 5, gateway, 500, 4000), 1300, 4)
const packets = {
  land: [tcp(gateway, 80, gateway, 80, TCP.SYN)],
  smurf: [icmp(stranger, ipv4('192.168.8.255'), 8, 1)],
  death: [cut(icmp(stranger, gateway, 8, 1), 8191)],
  tiny: fragments(tcp(stranger, 5, gateway, 80, TCP.SYN), 28, 3),
  overlap: [parts[0], cut(parts[1], 100, true)],
  flood: Array.from({ length: 90 }, (_, i) => tcp(stranger + i, 5, gateway, 22, TCP.SYN)),
}
const batch = new Batch()
const handle = native.attach(batch.buffer)
for (const packet of Object.values(packets).flat()) {
  batch.clear()
  batch.push(packet)
  if (native.writeTun(tun.fds[0], handle, 1) !== 1) throw new Error('not sent')
}
setTimeout(() => process.exit(), 300)`

/** Has the kernel forget all its connections of IPv4 (IPCTNL_MSG_CT_DELETE). */
const LET_GO = `import { loadNative } from '${project}/dist/src/gateway/native.js'
const native = loadNative()
const request = [20, 0, 0, 0, 2, 1, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]
native.netlinkSend(native.netfilterSocket(0), Uint8Array.from(request))`

interface Events {
  readonly policy: string
  readonly action: string
  readonly events: readonly {
    source: number
    destinationPort: number
    rule: number
    attack?: string
    direction: string
  }[]
}

describe.skipIf(lacking !== undefined)('on the host’s own devices', () => {
  const office = new Office()
  const script = (...more: string[]) => office.inside('c3', process.execPath, '-e', ...more)
  /** Its lines are broken to the terminal's width. */
  const log = async () => (await office.vpnctl('show', 'log')).output.replace(/\s+/g, ' ')
  const accounts = async () =>
    (await office.show<AccountsState['policies'][number]>('firewall accounting')).flatMap(p => p.flows)
  const events = async (action: string) =>
    (await office.show<Events>('firewall event')).filter(g => g.action === action).flatMap(g => g.events)

  beforeAll(async () => {
    await office.raise(['c3'])
    const rules = `
add firewall policy=main rule=30 int=eth0 action=deny protocol=udp port=3000
add firewall policy=main rule=31 int=eth0 action=allow protocol=udp port=3001
enable firewall policy=main log=inddump,inallow
set firewall policy=main attack=synattack intrigger=80`
    await office.startGateway(`${officeScript()}${rules}`)
    await office.network.ip('c3', 'addr add 192.168.8.77/32 dev lo')
    await office.network.ip('c3', `route add 192.168.8.0/24 via ${gatewayPublic}`)
  })
  afterAll(() => office.remove())

  it('what rules and the base rule decide are events, and logged where that is asked for', async () => {
    expect((await office.vpnctl('show', 'firewall')).output).toMatch(/Events Seen \.+ sessions, host interfaces/)
    await script(SEND, far, lanHost, '5000', '1')
    await script(SEND, far, lanHost, '3000', '1')
    const denied = await until(async () => {
      const found = await events('deny')
      return found.some(e => e.destinationPort === 3000) && found
    })
    expect(denied).toContainEqual(expect.objectContaining({ destinationPort: 3000, rule: 30, direction: 'in' }))
    expect(denied).toContainEqual(expect.objectContaining({ destinationPort: 5000, rule: 0, direction: 'in' }))
    await script(SEND, far, lanHost, '3001', '1')
    const allowed = await until(async () => {
      const found = await events('allow')
      return found.length > 0 && found
    })
    expect(allowed).toContainEqual(expect.objectContaining({ destinationPort: 3001, rule: 31, direction: 'in' }))
    const logged = await log()
    expect(logged).toMatch(new RegExp(`Policy rejected by rule 30, udp ${far}:\\d+ to ${lanHost}:3000`))
    expect(logged).toMatch(/Policy allowed by rule 31, udp/)
  })

  it('what connections carried is on the accounts when the kernel lets them go', async () => {
    expect((await office.vpnctl('enable', 'firewall', 'policy=main', 'accounting')).status).toBe(0)
    expect(await log()).toMatch(/this host counts no connections: run "sysctl -w net\.netfilter\.nf_conntrack_acct=1/)
    for (const name of ['nf_conntrack_acct', 'nf_conntrack_timestamp'])
      await office.inside('gw', 'sysctl', '-qw', `net.netfilter.${name}=1`)
    await script(SEND, far, lanHost, '3001', '1')
    expect((await office.inside('gw', process.execPath, '--input-type=module', '-e', LET_GO)).output).toBe('')
    const found = await until(async () => {
      const flows = (await accounts()).filter(f => f.destinationPort === 3001)
      return flows.length > 0 && flows
    })
    expect(found).toMatchObject([{ direction: 'in', user: '', packetsForward: 1, bytesForward: 29 }])
    expect(await log()).toMatch(
      new RegExp(`udp ${far}:\\d+ ${lanHost}:3001, 00:00:\\d\\d: out 0 packets 0 bytes, in 1 packets 29 bytes`),
    )
    await office.vpnctl('disable', 'firewall', 'policy=main', 'accounting')
  })

  it('a port scan and false sources are told, once', async () => {
    await script(SCAN, lanHost)
    await script(SEND, '192.168.8.77', lanHost, '6000', '30')
    const noticed = await until(async () => {
      const found = new Set((await events('notify')).map(e => e.attack))
      return found.has('portscan') && found.has('ipspoof') && found
    })
    expect(noticed).toBeTruthy()
    const logged = await log()
    expect(logged.match(/Port scan in, tcp/g)).toHaveLength(1)
    expect(logged.match(/IP spoofing in, udp/g)).toHaveLength(1)
    expect(await log()).toMatch(new RegExp(`Port scan in, tcp ${far}:`))
  })

  it('so are land, smurf, a ping of death, tiny and overlapping fragments, and a SYN flood', async () => {
    const crafted = await office.inside('c3', process.execPath, '--input-type=module', '-e', CRAFT)
    expect(crafted.output).toBe('')
    const wanted = ['fragment', 'land', 'pingofdeath', 'smurf', 'synattack', 'tcptiny']
    let seen: string[] = []
    await until(async () => {
      seen = [...new Set((await events('notify')).map(e => e.attack ?? ''))].sort()
      return wanted.every(attack => seen.includes(attack))
    })
    expect(seen).toEqual(expect.arrayContaining(wanted))
    expect(await log()).toMatch(/Land attack in, tcp 203\.0\.113\.1:80 to 203\.0\.113\.1:80/)
  })
})
