/** UDP of a LAN host to a client in flows that may be merged on the way, and what comes of each datagram. */

import { readFileSync } from 'node:fs'
import { must, until } from './command.ts'
import type { Network } from './netns.ts'

/** `ORDERS ADDRESS SECONDS`, each PORT:COUNT:BYTES:LAST:CHECKSUM:PMTU in turn with the others; prints the MTU that it is told of. */
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
time.sleep(float(sys.argv[3]))
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
export interface Taken {
  readonly count: number
  readonly disorder: number
  readonly wrong: number
  readonly lengths: Readonly<Record<string, number>>
  readonly last: number
}
export interface Flow {
  readonly port: number
  readonly count: number
  readonly bytes: number
  readonly last: number
  readonly checksum: boolean
  /** IP_PMTUDISC_DONT, _DO or _PROBE: DF is not set, set, or set whatever was told of the path. */
  readonly pmtu: 0 | 2 | 3
}

/** What is to come of a flow. */
export function whole(f: Flow): Taken {
  return {
    ...{ count: f.count, disorder: 0, wrong: 0, last: f.last },
    lengths: { [f.bytes]: f.count - 1, [f.last]: 1 },
  }
}

/**
 * Sends flows at once, and answers what came of each, by port, and what MTU the sender was told. `patience`: how many seconds an
 * ICMP error may take.
 */
export async function playTrains(
  network: Network,
  flows: readonly Flow[],
  to: { readonly namespace: string; readonly address: string },
  patience = 0.5,
): Promise<{ taken: Record<string, Taken>; told: string }> {
  const ports = flows.map(f => f.port).join(',')
  const quiet = String(2.5 + patience)
  const taker = network.start(to.namespace, `take-${ports}`, 'python3', '-c', TAKE, ports, quiet)
  const said = () => readFileSync(taker.logFile, 'utf8')
  await until(() => said().includes('ready'))
  const orders = flows.map(f => [f.port, f.count, f.bytes, f.last, Number(f.checksum), f.pmtu].join(':')).join(',')
  const told = await must(network.inside('lan', 'python3', '-c', SEND, orders, to.address, String(patience)))
  await until(() => !taker.alive)
  await taker.stop()
  const [, line = '{}'] = said().split('\n')
  return { taken: JSON.parse(line) as Record<string, Taken>, told: told.trim() }
}
