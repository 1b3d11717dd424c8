/**
 * An office with a Floatgate in front of it, and clients of the project's own making around it.
 *
 *   c1 10.1.0.11 --+
 *                  +-- nat (masquerade) 203.0.113.101 --+
 *   c2 10.1.0.12 --+                                    +-- pub0 203.0.113.1 gateway 192.168.8.1 lan0 -- lan 192.168.8.10
 *   c3 203.0.113.50 (no NAT) ---------------------------+
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type Daemon, must, type Outcome, PATIENCE_MILLIS, run, until } from './command.ts'
import { Network, project } from './netns.ts'
import {
  gatewayLan,
  gatewayPublic,
  lanHost,
  natInside,
  natPublic,
  natRules,
  officeScript,
  type Place,
  places,
  preSharedKey,
} from './plan.ts'

export class Office {
  readonly network: Network
  private runs = 0

  constructor(network = new Network()) {
    this.network = network
  }

  get socket(): string {
    return `${this.network.directory}/ctl.sock`
  }

  get state(): string {
    return `${this.network.directory}/state`
  }

  /** Makes the namespaces and their wires, one for each client among them, and starts the LAN host. */
  async raise(clients: readonly Place[] = ['c1', 'c2', 'c3']): Promise<void> {
    const n = this.network
    if (!existsSync(`${project}/dist/test/support/client-main.js`)) throw new Error('not compiled: run "npm run setup"')
    await n.open()
    for (const name of ['pub', 'lan', 'gw', 'nat', ...clients]) await n.namespace(name)
    await n.bridge('pub', 'br0')
    await n.bridge('nat', 'br0')
    await n.ip('nat', `address add ${natInside}/24 dev br0`)
    await n.wire(
      { namespace: 'gw', name: 'pub0', address: `${gatewayPublic}/24` },
      { namespace: 'pub', name: 'gw', bridge: 'br0' },
    )
    await this.wireLan()
    await n.ip('lan', `route add default via ${gatewayLan}`)
    await n.wire(
      { namespace: 'nat', name: 'out0', address: `${natPublic}/24` },
      { namespace: 'pub', name: 'nat', bridge: 'br0' },
    )
    await must(n.inside('nat', 'nft', '-f', '-'), { input: natRules })
    await n.forwardIpv4('gw')
    await n.forwardIpv4('nat')
    for (const place of clients) await this.plugIn(place)
    const lan = n.start('lan', 'lan', process.execPath, `${project}/dist/test/support/lan-host.js`, lanHost)
    await until(() => !lan.alive || readFileSync(lan.logFile, 'utf8').includes('serving'))
    if (!lan.alive) throw new Error(`the LAN host did not start: ${readFileSync(lan.logFile, 'utf8')}`)
  }

  /** The cable between the gateway and the LAN's host. */
  async wireLan(): Promise<void> {
    await this.network.wire(
      { namespace: 'gw', name: 'lan0', address: `${gatewayLan}/24` },
      { namespace: 'lan', name: 'eth0', address: `${lanHost}/24` },
    )
  }

  /** Writes the configuration, the site file among it, and answers floatgated's arguments for them. */
  configure(script = officeScript(), site: object = {}): string[] {
    const { directory } = this.network
    mkdirSync(this.state, { recursive: true })
    writeFileSync(`${directory}/router.cfg`, script)
    writeFileSync(`${directory}/site.json`, JSON.stringify({ interfaces: { eth0: 'pub0', vlan1: 'lan0' }, ...site }))
    return [
      ...['--config', `${directory}/router.cfg`, '--site', `${directory}/site.json`],
      ...['--state', this.state, '--socket', this.socket],
    ]
  }

  /** Starts floatgated and returns when it is ready; throws with what it said otherwise. */
  async startGateway(script?: string, site?: object): Promise<Daemon> {
    const name = `floatgated-${++this.runs}`
    const daemon = this.network.start('gw', name, `${project}/bin/floatgated`, ...this.configure(script, site))
    const said = () => readFileSync(daemon.logFile, 'utf8')
    await until(() => !daemon.alive || said().includes('floatgate: ready'))
    if (!daemon.alive || !said().includes('floatgate: ready')) {
      const { ended } = daemon
      await daemon.stop()
      throw new Error(`floatgated did not become ready (${ended}):\n${said().slice(-1500)}`)
    }
    return daemon
  }

  /** Starts a simulated client that dials in; see `client-main.ts` for more arguments. */
  dial(place: Place, account: { user: string; password: string }, ...more: string[]): ClientProgram {
    const argv = [
      ...[process.execPath, `${project}/dist/test/support/client-main.js`, '--server', gatewayPublic],
      ...['--user', account.user, '--password', account.password],
      ...(more.includes('--psk') ? [] : ['--psk', preSharedKey]),
    ]
    return new ClientProgram(
      this.network.start(place, `${place}-${++this.runs}`, ...argv, ...more),
      this.network,
      place,
    )
  }

  /** Runs a command in one of the namespaces. */
  async inside(namespace: string, ...argv: string[]): Promise<Outcome> {
    return await run(this.network.inside(namespace, ...argv))
  }

  async vpnctl(...words: string[]): Promise<Outcome> {
    return await run([`${project}/bin/vpnctl`, '--socket', this.socket, ...words])
  }

  /** What a SHOW command lists, as data. */
  async show<T>(what: string): Promise<readonly T[]> {
    const { status, output } = await this.vpnctl('--json', 'show', ...what.split(' '))
    if (status !== 0) throw new Error(`vpnctl show ${what}: status ${status}\n${output}`)
    const answer: unknown = JSON.parse(output)
    const list = Array.isArray(answer) ? answer : Object.values(answer as object).find(Array.isArray)
    if (!list) throw new Error(`vpnctl show ${what} gave no list: ${output}`)
    return list
  }

  /** What a gateway makes in its host, as it is there now. */
  async traces(): Promise<string[]> {
    const inside = (...argv: string[]) => must(this.network.inside('gw', ...argv))
    const lines = (text: string) => text.split('\n').filter(line => line.trim() !== '')
    const devices = JSON.parse(await inside('ip', '-d', '-j', 'link')) as Link[]
    return [
      ...lines(await inside('nft', 'list', 'tables')),
      ...devices.filter(d => d.linkinfo?.info_kind === 'tun').map(d => `device ${d.ifname}`),
      ...lines(await inside('ip', 'route', 'show', 'proto', 'all')).filter(r => /^192\.168\.8\.\d+ /.test(r)),
      ...lines(await inside('ip', 'neigh', 'show', 'proxy')).map(n => `proxy ${n}`),
      ...lines(await inside('sh', '-c', otherDelays)).map(device => `proxy_delay of ${device}`),
    ]
  }

  async remove(): Promise<void> {
    await this.network.remove()
  }

  private async plugIn(place: Place): Promise<void> {
    const { address, segment } = places[place]
    await this.network.wire(
      { namespace: place, name: 'eth0', address: `${address}/24` },
      { namespace: segment, name: place, bridge: 'br0' },
    )
    if (segment === 'nat') await this.network.ip(place, `route add default via ${natInside}`)
  }
}

/** Which devices answer for their proxy ARP entries sooner or later than the kernel would. */
const otherDelays =
  'cd /proc/sys/net/ipv4/neigh; for d in lan0 pub0; do cmp -s $d/proxy_delay lo/proxy_delay || echo $d; done'

interface Link {
  readonly ifname: string
  readonly linkinfo?: { readonly info_kind?: string }
}

/** A simulated client that runs in its namespace. */
export class ClientProgram {
  readonly daemon: Daemon
  private readonly network: Network
  private readonly place: Place

  constructor(daemon: Daemon, network: Network, place: Place) {
    this.daemon = daemon
    this.network = network
    this.place = place
  }

  /** Everything that it printed. */
  get output(): string {
    return existsSync(this.daemon.logFile) ? readFileSync(this.daemon.logFile, 'utf8') : ''
  }

  /** Waits until it is connected and answers the address; throws with its last words where it ends before. */
  async connected(timeoutMillis = PATIENCE_MILLIS): Promise<string> {
    const address = () => /^connected (\S+)/m.exec(this.output)?.[1]
    await until(() => !this.daemon.alive || address() !== undefined, timeoutMillis)
    const got = address()
    if (got === undefined) throw new Error(`${this.place} did not connect (${this.daemon.ended}):\n${this.output}`)
    return got
  }

  /** Waits for its end and answers how it ended, such as `status 0`. */
  async ended(timeoutMillis = PATIENCE_MILLIS): Promise<string> {
    await until(() => !this.daemon.alive, timeoutMillis)
    return this.daemon.ended ?? 'still running'
  }

  /** Hangs up in order. */
  async hangUp(): Promise<string> {
    this.daemon.child.kill('SIGTERM')
    return await this.ended()
  }

  /** Runs a command beside it, through its tunnel. */
  async run(...argv: string[]): Promise<Outcome> {
    return await run(this.network.inside(this.place, ...argv))
  }
}
