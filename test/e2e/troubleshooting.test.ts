/** The steps by which an operator sees whether a tunnel works, and finds out why it does not, against the daemon itself. */

import { readFileSync, statSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { IpsecPolicyState } from '../../src/alliedware/show/state.ts'
import { until, which } from '../support/command.ts'
import { project, whyNoNetwork } from '../support/netns.ts'
import { type ClientProgram, Office } from '../support/office.ts'
import { accounts, lanHost } from '../support/plan.ts'

const lacking = await whyNoNetwork()
if (lacking !== undefined) console.warn(`end-to-end tests are left out: ${lacking}`)
const tshark = await which('tshark')

/** Enhanced packet blocks in a pcapng that is still being written. */
function packetsIn(file: string): number {
  const bytes = readFileSync(file)
  let packets = 0
  for (let at = 0; at + 8 <= bytes.length; ) {
    if (bytes.readUInt32LE(at) === 6) packets++
    at += Math.max(12, bytes.readUInt32LE(at + 4))
  }
  return packets
}

describe.skipIf(lacking !== undefined)('troubleshooting a tunnel', () => {
  const office = new Office()
  let client: ClientProgram

  beforeAll(async () => {
    await office.raise(['c1'])
    await office.startGateway()
    client = office.dial('c1', accounts.dialin1)
    await client.connected()
  })
  afterAll(() => office.remove())

  async function shown(...words: string[]): Promise<string> {
    const { status, output } = await office.vpnctl(...words)
    expect(status, output).toBe(0)
    return output
  }

  const ping = (count: number) => client.run('ping', '-n', '-c', String(count), '-i', '0.2', '-W', '5', lanHost)

  it('shows the negotiation in the log, both phases complete', async () => {
    const log = await shown('sh', 'log')
    expect(log).toMatch(/ISAKMP MAIN Phase 1 \(resp\) started with peer/)
    expect(log).toMatch(/ISAKMP QUICK Phase 2 \(resp\) started with peer/)
    expect(log.match(/Exch \d+: Completed/g)).toHaveLength(2)
    expect(await shown('sh', 'isakmp', 'sa')).toContain('Expiry Limits - hard/soft/used')
    expect(await shown('sh', 'ipsec', 'sa')).toContain('Valid')
    expect(await shown('sh', 'isakmp', 'exchange')).toContain('No ISAKMP exchanges.')
  })

  it('counts four pings as four packets each way, and shows the policies in their order', async () => {
    const counters = async () => {
      const text = await shown('--json', 'sh', 'ipsec', 'poli=all_roaming', 'count')
      const { outProcessDone, inProcessDone } = (JSON.parse(text) as IpsecPolicyState).counters
      return { outProcessDone, inProcessDone }
    }
    // L2TP and PPP may have their say among the pings: then it is counted once more.
    const counted = await until(async () => {
      const before = await counters()
      expect((await ping(4)).output).toContain('4 packets transmitted, 4 received')
      const { outProcessDone, inProcessDone } = await counters()
      return outProcessDone - before.outProcessDone === 4 && inProcessDone - before.inProcessDone === 4
    })
    expect(counted).toBe(true)
    const policies = await office.show<IpsecPolicyState>('ipsec policy')
    expect(policies.map(p => p.position)).toEqual(policies.map((_, i) => i + 1))
    expect(policies.at(-1)).toMatchObject({ name: 'internet', action: 'PERMIT' })
  })

  it('has the host’s routes and neighbours in SHOW IP', async () => {
    expect(await shown('sh', 'ip', 'route')).toMatch(
      new RegExp(`${accounts.dialin1.address}\\s+255\\.255\\.255\\.255\\s+-\\s+ppp0\\s+session\\s+yes`),
    )
    const arp = await shown('sh', 'ip', 'arp')
    expect(arp).toMatch(new RegExp(`${accounts.dialin1.address}\\s+-\\s+lan0\\s+proxy`))
    expect(arp).toMatch(
      new RegExp(`${lanHost.replaceAll('.', '\\.')}\\s+([0-9a-f]{2}:){5}[0-9a-f]{2}\\s+lan0\\s+dynamic`),
    )
    expect(await shown('sh', 'ip', 'int')).toMatch(/eth0\s+static\s+pub0/)
  })

  it('captures its packets while somebody stays, and Wireshark reads them', async () => {
    const file = `${office.network.directory}/one.pcapng`
    const socket = ['--socket', office.socket]
    const capture = office.network.start(
      'gw',
      'capture',
      `${project}/bin/vpnctl`,
      ...socket,
      'capture',
      'user=dialin1',
      `file=${file}`,
      'keys=yes',
    )
    await until(() => readFileSync(capture.logFile, 'utf8').includes('Capturing into'))
    await ping(4)
    // The last answer is on its way to the client before its copy is to control: the capture would end between the two.
    await until(() => packetsIn(file) >= 16)
    capture.child.kill('SIGINT')
    await until(() => !capture.alive)
    const log = await shown('sh', 'log', 'module=ch')
    expect(log).toContain('Capture ended')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    if (tshark === undefined) return
    const tables = readFileSync(`${file}.esp_sa`, 'utf8')
      .trim()
      .split('\n')
      .flatMap(row => ['-o', `uat:esp_sa:${row}`])
    const { output } = await office.inside(
      'gw',
      ...['tshark', '-n', '-r', file, '-o', 'esp.enable_encryption_decode:TRUE', ...tables],
      ...['-T', 'fields', '-e', 'frame.interface_name', '-e', 'frame.protocols', '-Y', 'icmp || esp'],
    )
    const rows = output.split('\n').filter(line => /^(inner|outer)\t/.test(line))
    expect(rows.filter(row => /^inner\t.*icmp/.test(row))).toHaveLength(8)
    expect(rows.filter(row => /^outer\t.*esp.*l2tp.*icmp/.test(row))).toHaveLength(8)
  })

  it('tells every state to who follows the debugging, and to SHOW DEBUG', async () => {
    const socket = ['--socket', office.socket]
    const debug = office.network.start(
      'gw',
      'debug',
      `${project}/bin/vpnctl`,
      ...socket,
      'ena',
      'isakmp',
      'debug=state',
    )
    const told = () => readFileSync(debug.logFile, 'utf8')
    await until(() => told().includes('Operation successful'))
    expect(await client.hangUp()).toBe('status 0')
    client = office.dial('c1', accounts.dialin1)
    await client.connected()
    await until(() => told().includes('QUICK WAIT_HASH -> DONE'))
    expect(told()).toMatch(/ISAKMP \d\d:\d\d:\d\d: Exch \d+: MAIN AUTHSENT -> UP/)
    expect(await shown('show', 'debug', 'active')).toContain('STATE')
    await shown('dis', 'isakmp', 'debug=all')
    expect(await shown('show', 'debug', 'active')).toContain('Nothing is debugged.')
    debug.child.kill('SIGINT')
    await until(() => !debug.alive)
    const dump = await shown('show', 'debug')
    expect(dump).toContain('MAIN AUTHSENT -> UP')
    expect(dump.trimEnd().endsWith('>>> SHOW DEBUG is complete.')).toBe(true)
    expect(dump).not.toContain(accounts.dialin1.password)
  })
})
