/** UDP of the LAN that its device merges: asked for while the gateway serves, and every datagram arrives as it was sent. */

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Daemon, must, until } from '../support/command.ts'
import { whyNoNetwork } from '../support/netns.ts'
import { type ClientProgram, Office } from '../support/office.ts'
import { accounts } from '../support/plan.ts'

const FEATURE = 'rx-udp-gro-forwarding'
/** Longer than a sender needs for a few datagrams, however busy the machine is. */
const MERGING_MICROS = 3000

/** Why there is nothing to be tried here, or undefined. */
async function obstacle(): Promise<string | undefined> {
  const noNetwork = await whyNoNetwork()
  if (noNetwork !== undefined) return noNetwork
  const office = new Office()
  try {
    await office.raise([])
    if ((await office.network.feature('gw', 'lan0', FEATURE)) === 'undefined') return `the kernel has no ${FEATURE}`
    await office.startGateway()
    const { output } = await office.vpnctl('show', 'system')
    return output.includes('USO') ? undefined : 'the TUN device takes no UDP super-segments before Linux 6.2'
  } finally {
    await office.remove()
  }
}
const lacking = await obstacle()
if (lacking !== undefined) console.warn(`UDP that the LAN merges is left out: ${lacking}`)

/** `ORDERS ADDRESS`, each PORT:COUNT:BYTES:LAST:CHECKSUM:PMTU in turn with the others; prints the MTU that it is told of. */
const SEND = `
import socket, sys, time, struct
IP_MTU_DISCOVER, IP_RECVERR, SO_NO_CHECK = 10, 11, 11
to = sys.argv[2]
flows = []
for order in sys.argv[1].split(','):
    port, count, size, last, checksum, pmtu = map(int, order.split(':'))
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1 - checksum)
    s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, pmtu)
    s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    s.connect((to, port))
    flows.append((s, count, size, last))
ready = []
for i in range(max(f[1] for f in flows)):
    for s, count, size, last in flows:
        if i >= count: continue
        n = last if i == count - 1 else size
        data = bytes((i * 7 + k * 13 + (k >> 8)) & 255 for k in range(n - 2))
        ready.append((s, struct.pack('!H', i) + data))
for s, data in ready:
    for attempt in range(3):
        try:
            s.send(data)
            break
        except OSError: pass
time.sleep(0.5)
told = set()
for s, *_ in flows:
    try:
        while True:
            _, ancillary, _, _ = s.recvmsg(2048, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
            for level, kind, data in ancillary: told.add(struct.unpack('=IBBBBII', data[:16])[5])
    except OSError: pass
print(*sorted(told))
`
/** `PORTS SECONDS`: prints what came to each, its numbers in the order of their coming and the lengths, and any wrong bytes. */
const TAKE = `
import socket, sys, time, select, struct, json
seen = {}
sockets = []
for port in sys.argv[1].split(','):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)
    s.bind(('0.0.0.0', int(port)))
    sockets.append(s)
    seen[port] = {'count': 0, 'disorder': 0, 'wrong': 0, 'lengths': {}, 'last': 0}
print('ready', flush=True)
quiet = float(sys.argv[2])
while True:
    ready, _, _ = select.select(sockets, [], [], quiet)
    if not ready and any(p['count'] for p in seen.values()): break
    for s in ready:
        data = s.recv(4096)
        p = seen[str(s.getsockname()[1])]
        i = struct.unpack('!H', data[:2])[0]
        p['disorder'] += i != p['count']
        p['count'] += 1
        p['wrong'] += data[2:] != bytes((i * 7 + k * 13 + (k >> 8)) & 255 for k in range(len(data) - 2))
        p['lengths'][len(data)] = p['lengths'].get(len(data), 0) + 1
        p['last'] = len(data)
print(json.dumps(seen), flush=True)
`
interface Taken {
  readonly count: number
  readonly disorder: number
  readonly wrong: number
  readonly lengths: Readonly<Record<string, number>>
  readonly last: number
}
interface Flow {
  readonly port: number
  readonly count: number
  readonly bytes: number
  readonly last: number
  readonly checksum: boolean
  /** IP_PMTUDISC_DONT, _DO or _PROBE: DF is not set, set, or set whatever was told of the path. */
  readonly pmtu: 0 | 2 | 3
}

describe.skipIf(lacking !== undefined)('UDP that the LAN’s device merges', () => {
  const office = new Office()
  const { network } = office
  let gateway: Daemon
  let client: ClientProgram
  let inner = ''

  beforeAll(async () => {
    await office.raise(['c3'])
    await network.mergeLikeCard('gw', 'lan0', MERGING_MICROS)
    gateway = await office.startGateway()
    client = office.dial('c3', accounts.dialin3, '--profile', 'win10')
    inner = await client.connected()
    // Nothing has to wait for ARP, behind which the sender's kernel keeps few.
    await must(network.inside('lan', 'ping', '-n', '-c', '1', '-W', '10', inner))
    const rules = `table inet trains {
      chain f { type filter hook forward priority 0; oifname "fg0" udp dport 7000-7999 counter; }
    }`
    await must(network.inside('gw', 'nft', '-f', '-'), { input: rules })
  })
  afterAll(() => office.remove())

  /** Sends flows at once, and answers what came of each, what the sender was told, and the packets that nftables saw. */
  async function play(flows: readonly Flow[]) {
    const ports = flows.map(f => f.port).join(',')
    const taker = network.start('c3', `take-${ports}`, 'python3', '-c', TAKE, ports, '3')
    const said = () => readFileSync(taker.logFile, 'utf8')
    await until(() => said().includes('ready'), 10_000)
    const before = await trains()
    const orders = flows.map(f => [f.port, f.count, f.bytes, f.last, Number(f.checksum), f.pmtu].join(':'))
    const told = await must(network.inside('lan', 'python3', '-c', SEND, orders.join(','), inner))
    await until(() => !taker.alive, 15_000)
    await taker.stop()
    const [, line = '{}'] = said().split('\n')
    return { taken: JSON.parse(line) as Record<string, Taken>, told: told.trim(), trains: (await trains()) - before }
  }

  async function trains(): Promise<number> {
    const listed = await must(network.inside('gw', 'nft', 'list', 'table', 'inet', 'trains'))
    return Number(/counter packets (\d+)/.exec(listed)![1])
  }

  const whole = (f: Flow): Taken => ({
    ...{ count: f.count, disorder: 0, wrong: 0, last: f.last },
    lengths: { [f.bytes]: f.count - 1, [f.last]: 1 },
  })

  it('is asked for, and shown', async () => {
    expect(await network.feature('gw', 'lan0', FEATURE)).toBe('true')
    expect((await office.vpnctl('show', 'system')).output).toContain('LAN UDP-GRO')
    expect(readFileSync(gateway.logFile, 'utf8')).toContain(`${FEATURE} is on for lan0`)
  })

  it('arrives byte for byte and in order: odd sizes, a short last one, two flows in turn', async () => {
    const flows: Flow[] = [
      { port: 7001, count: 150, bytes: 1301, last: 77, checksum: true, pmtu: 2 },
      { port: 7002, count: 150, bytes: 499, last: 3, checksum: true, pmtu: 2 },
    ]
    const { taken, trains } = await play(flows)
    expect(taken).toEqual(Object.fromEntries(flows.map(f => [f.port, whole(f)])))
    // Or it was not merged at all, and this shows nothing.
    expect(trains).toBeLessThan(150)
  })

  it('arrives without a checksum beside some with one', async () => {
    const flows: Flow[] = [
      { port: 7003, count: 60, bytes: 700, last: 701, checksum: false, pmtu: 2 },
      { port: 7004, count: 60, bytes: 700, last: 20, checksum: true, pmtu: 2 },
    ]
    const { taken } = await play(flows)
    expect(taken).toEqual(Object.fromEntries(flows.map(f => [f.port, whole(f)])))
  })

  it('arrives in fragments where it is larger than the link and may be cut', async () => {
    const flow: Flow = { port: 7005, count: 40, bytes: 1450, last: 9, checksum: true, pmtu: 0 }
    const { taken } = await play([flow])
    expect(taken).toEqual({ 7005: whole(flow) })
  })

  it('is refused with the link’s MTU where it may not', async () => {
    const large: Flow = { port: 7006, count: 40, bytes: 1450, last: 1450, checksum: true, pmtu: 3 }
    const small: Flow = { port: 7007, count: 40, bytes: 900, last: 9, checksum: true, pmtu: 3 }
    const { taken, told } = await play([large, small])
    const [route] = JSON.parse(await network.ip('gw', `-j route get ${inner}`)) as { metrics: { mtu: number }[] }[]
    expect(told).toBe(String(route!.metrics[0]!.mtu))
    expect(Number(told)).toBeLessThan(1478)
    expect(taken['7006']).toMatchObject({ count: 0 })
    expect(taken['7007']).toEqual(whole(small))
  })

  it('is told of a port where nobody listens', async () => {
    const program = `const s = require('dgram').createSocket('udp4')
      s.on('error', e => { console.log(e.code); process.exit() })
      setTimeout(() => { console.log('silence'); process.exit() }, 5000)
      s.connect(7999, '${inner}', () => { for (let i = 0; i < 20; i++) s.send('x'.repeat(900)) })`
    const { output } = await office.inside('lan', process.execPath, '-e', program)
    expect(output.trim()).toBe('ECONNREFUSED')
  })

  it('is asked of a device that comes in the place of another, which answers for the clients, too', async () => {
    await network.ip('gw', 'link del lan0')
    await office.wireLan()
    await network.mergeLikeCard('gw', 'lan0', MERGING_MICROS)
    expect(await until(async () => (await network.feature('gw', 'lan0', FEATURE)) === 'true', 15_000)).toBe(true)
    expect(
      await until(
        async () => (await office.inside('lan', 'ping', '-n', '-c', '1', '-W', '1', inner)).status === 0,
        10_000,
      ),
    ).toBe(true)
  })

  it('is as it was found after the end, also where that was a kill -9', async () => {
    gateway.child.kill('SIGKILL')
    await until(() => !gateway.alive, 5000)
    await gateway.stop()
    expect(await network.feature('gw', 'lan0', FEATURE)).toBe('true')
    gateway = await office.startGateway()
    expect(await network.feature('gw', 'lan0', FEATURE)).toBe('true')
    await gateway.stop(10_000)
    expect(await network.feature('gw', 'lan0', FEATURE)).toBe('false')
    gateway = await office.startGateway(undefined, { lanOffloads: false })
    expect(await network.feature('gw', 'lan0', FEATURE)).toBe('false')
    expect((await office.vpnctl('show', 'system')).output).toContain('LAN none')
  })
})
