/** What the gateway makes in the host's network: the TUN device, a route and a proxy ARP entry a session, one nftables table. */

import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { nftablesDelete } from '../firewall/nftables.ts'
import { formatIpv4, type Ipv4 } from '../packet/ip.ts'
import { CommandQueue } from './command-queue.ts'
import { HostCounters } from './host-counters.ts'
import { IpCommands } from './ip-commands.ts'
import { LanOffload } from './lan-offload.ts'
import type { Leavings } from './leavings.ts'
import { LinkWatch } from './link-watch.ts'
import { type Log, Severity } from './log.ts'
import { loadNative } from './native.ts'
import { ProxyDelay } from './proxy-delay.ts'
import { ReplacedDevices } from './replaced-devices.ts'
import { type RunResult, run } from './run.ts'
import type { Stats } from './stats.ts'
import type { TunMerging } from './tun-merging.ts'

/** Between two bunches of changes: to start nft stops control for as long as copying its page tables takes. */
const BREATH_MILLIS = 100
/** Between two looks at the LAN's devices. */
const LOOK_MILLIS = 5000
/** Any other route to the same place comes before those to where nobody is. */
const LAST_METRIC = 65_000

export class Network {
  private readonly queue = new CommandQueue()
  private readonly commands: IpCommands
  private readonly leavings: Leavings
  private readonly proxyDelay: ProxyDelay
  private readonly log: Log
  /** By address: the MTU of its route, and the device on which it is answered for. */
  private readonly routes = new Map<Ipv4, number>()
  private readonly proxies = new Map<Ipv4, string>()
  private links: LinkWatch | undefined
  private blocks: readonly string[] = []
  readonly counters = new HostCounters()
  readonly lan: LanOffload
  private readonly replaced = new ReplacedDevices()
  /** Looks at the LAN's devices. */
  private look: NodeJS.Timeout | undefined
  private merging: TunMerging | undefined
  private tun = ''
  private isTunDown = false
  private table: string | undefined
  /** Changes that wait for nft, which takes them together. */
  private waiting: string[] | undefined
  private changed = Number.NEGATIVE_INFINITY
  private readonly run: typeof run

  constructor(leavings: Leavings, log: Log, runProgram = run) {
    this.run = runProgram
    this.leavings = leavings
    this.proxyDelay = new ProxyDelay(leavings, log)
    this.lan = new LanOffload(leavings, log)
    this.log = log
    this.commands = new IpCommands((command, said) =>
      log.add({ severity: Severity.Important, module: 'IPG', text: `ip ${command} failed: ${said}` }),
    )
  }

  /** Removes what a run that was killed left behind. */
  async cleanUp(): Promise<void> {
    const earlier = this.leavings.earlier()
    if (!earlier) return
    // What is gone already is refused, and that is well.
    const commands = new IpCommands(() => undefined)
    for (const p of earlier.proxies) commands.give(`neigh del proxy ${p.address} dev ${p.device}`)
    await commands.end()
    for (const [device, found] of earlier.delays) this.proxyDelay.putBack(device, found)
    for (const device of earlier.merging) this.lan.putBack(device)
    if (earlier.table !== undefined) await run('nft', ['-f', '-'], nftablesDelete(earlier.table))
    this.leavings.clear()
    this.log.add({
      severity: Severity.Notice,
      module: 'SYS',
      text: `Removed what an earlier run left: ${earlier.proxies.length} proxy ARP entries${earlier.table ? `, table ${earlier.table}` : ''}`,
    })
  }

  /** Takes the TUN device into use. Throws where `ip` cannot do it: without it nothing works. */
  async setUp(tun: string, mtu: number): Promise<void> {
    this.tun = tun
    for (const args of [
      ['link', 'set', 'dev', tun, 'addrgenmode', 'none'],
      ['link', 'set', 'dev', tun, 'mtu', String(mtu), 'txqueuelen', '1000'],
      ['link', 'set', 'dev', tun, 'up'],
    ]) {
      const result = await run('ip', args)
      // A kernel without IPv6 knows no addrgenmode: the device serves as well.
      if (result.status !== 0 && !args.includes('addrgenmode'))
        throw new Error(`ip ${args.join(' ')}: ${result.output}`)
      if (args.includes('addrgenmode')) withoutIpv6(tun)
    }
  }

  /** Has the kernel merge what the workers write to the TUN device, where it can and much comes at a time. */
  mergeTun(merging: TunMerging | undefined, stats: Stats): void {
    this.merging = merging
    merging?.watch(() => stats.written)
  }

  /**
   * The networks in which sessions have their addresses: what is for somebody who is away comes to the workers as well, who
   * drop it, since the host's default route would take it out in clear. They go with the TUN device.
   */
  useBlocks(blocks: readonly string[]): void {
    for (const b of this.blocks) if (!blocks.includes(b)) this.routeBlock('del', b)
    for (const b of blocks) if (!this.blocks.includes(b)) this.routeBlock('append', b)
    this.blocks = blocks
  }

  /** The LAN's devices, and whether they are to merge UDP: those that are here, and others that come in their place. */
  useLan(devices: readonly string[], merging: boolean): void {
    clearInterval(this.look)
    this.links ??= this.watchLinks()
    this.lookAt(devices, merging)
    this.look = setInterval(() => this.lookAt(devices, merging), LOOK_MILLIS).unref()
  }

  /** With a device that is deleted its proxy ARP entries go: one that comes in its place is given them. */
  private lookAt(devices: readonly string[], merging: boolean): void {
    this.lan.use(merging ? devices : [])
    for (const device of this.replaced.among(devices)) {
      this.proxyDelay.replaced(device)
      this.answerOn(device)
    }
  }

  private watchLinks(): LinkWatch | undefined {
    try {
      return new LinkWatch(loadNative(), this)
    } catch {
      // What somebody sets down and up again has lost what was there then.
      return undefined
    }
  }

  /** With the TUN device's routes: until it is up nothing more can be said of them. */
  wentDown(device: string): void {
    if (device === this.tun) this.isTunDown = true
  }

  /** A device was down, and with that its routes and proxy ARP entries went: it gets them anew. */
  cameUp(device: string): void {
    if (device !== this.tun) return this.answerOn(device)
    this.isTunDown = false
    for (const b of this.blocks) this.routeBlock('append', b)
    for (const [address, mtu] of this.routes) this.route(address, mtu)
    this.log.add({
      severity: Severity.Notice,
      module: 'IPG',
      text: `${device} was down, and nothing of any session was carried; it is up again, with its routes`,
    })
  }

  private answerOn(device: string): void {
    for (const [address, on] of this.proxies) if (on === device) this.answerFor(address, device)
  }

  private routeBlock(verb: 'append' | 'del', block: string): void {
    this.giveRoute(`${verb} ${block} dev ${this.tun} metric ${LAST_METRIC}`)
  }

  private route(address: Ipv4, mtu: number): void {
    this.giveRoute(`replace ${formatIpv4(address)}/32 dev ${this.tun} mtu ${mtu}`)
  }

  private giveRoute(command: string): void {
    if (!this.isTunDown) this.commands.give(`route ${command}`)
  }

  private answerFor(address: Ipv4, device: string): void {
    this.commands.give(`neigh replace proxy ${formatIpv4(address)} dev ${device}`)
  }

  /** The way to a session: a route of its own (with its MTU, so that the kernel fragments or says "too big") and, where
   * the LAN asks for the address by ARP, an answer on `proxyDevice`. */
  addSession(address: Ipv4, mtu: number, proxyDevice: string | undefined): void {
    const text = formatIpv4(address)
    this.routes.set(address, mtu)
    this.route(address, mtu)
    if (proxyDevice === undefined) return
    const before = this.proxies.get(address)
    this.proxyDelay.added(proxyDevice)
    if (before !== undefined) this.proxyDelay.removed(before)
    this.proxies.set(address, proxyDevice)
    this.leavings.addProxy({ device: proxyDevice, address: text })
    this.answerFor(address, proxyDevice)
  }

  removeSession(address: Ipv4): void {
    const text = formatIpv4(address)
    this.routes.delete(address)
    this.giveRoute(`del ${text}/32 dev ${this.tun}`)
    const device = this.proxies.get(address)
    if (device === undefined) return
    this.proxies.delete(address)
    this.commands.give(`neigh del proxy ${text} dev ${device}`)
    this.leavings.removeProxy({ device, address: text })
    this.proxyDelay.removed(device)
  }

  /** Loads our table, in one transaction; the one before goes with it. Answers what nft said where it refused. */
  async applyTable(name: string, text: string): Promise<string | undefined> {
    this.leavings.setTable(name)
    // What changes from now on is not in `text`: it goes behind it.
    this.waiting = undefined
    const result = await this.queue.add(async () => {
      await this.readNow()
      return this.run('nft', ['-f', '-'], text)
    })
    if (result.status === 0) {
      this.counters.replaced()
      this.table = name
      return undefined
    }
    return result.status === 127 ? 'nft is not installed: run "apt-get install nftables"' : result.output
  }

  /** Whether the table that we loaded is still in the kernel; or there is none to be. */
  isTableThere(): Promise<boolean> {
    return this.queue.add(async () => {
      const { table } = this
      return table === undefined || (await this.run('nft', ['-t', 'list', 'table', 'inet', table])).status === 0
    })
  }

  /** Brings `counters` up to date. */
  readCounters(): Promise<void> {
    return this.queue.add(() => this.readNow())
  }

  private async readNow(): Promise<void> {
    const { table } = this
    if (table === undefined) return
    const result = await this.run('nft', ['-j', 'list', 'table', 'inet', table])
    if (result.status === 0) this.counters.read(result.output)
  }

  /** Changes elements of our table, behind whatever waits; together with changes that wait already. */
  changeTable(text: string): void {
    if (this.waiting) {
      this.waiting.push(text)
      return
    }
    const bunch = [text]
    this.waiting = bunch
    void this.queue.add(() => this.change(bunch))
  }

  private async change(bunch: string[]): Promise<void> {
    const rest = this.changed + BREATH_MILLIS - performance.now()
    if (rest > 0) await sleep(rest)
    if (this.waiting === bunch) this.waiting = undefined
    const result = await this.run('nft', ['-f', '-'], bunch.join(''))
    if (result.status !== 0 && bunch.length > 1) {
      // One that is refused takes the others with it: each by itself, then.
      for (const text of bunch) this.tellRefused(await this.run('nft', ['-f', '-'], text))
    } else this.tellRefused(result)
    this.changed = performance.now()
  }

  private tellRefused(result: RunResult): void {
    if (result.status === 0 || this.table === undefined) return
    this.log.add({ severity: Severity.Important, module: 'FIRE', text: `nft refused: ${result.output}` })
  }

  async removeTable(): Promise<void> {
    if (this.table === undefined) return
    const table = this.table
    this.waiting = undefined
    await this.readCounters()
    this.counters.replaced()
    this.table = undefined
    await this.queue.add(() => this.run('nft', ['-f', '-'], nftablesDelete(table)))
  }

  /** Undoes everything that is left; the TUN device goes when its descriptors are closed. */
  async tearDown(): Promise<void> {
    for (const address of [...this.proxies.keys()]) this.removeSession(address)
    clearInterval(this.look)
    this.links?.close()
    this.links = undefined
    this.lan.end()
    this.merging?.end()
    await this.removeTable()
    await this.queue.idle()
    await this.commands.end()
    this.leavings.clear()
  }
}

/** Sessions are IPv4: what programs of the host say to every device's IPv6 neighbours need not come to the workers. */
function withoutIpv6(tun: string): void {
  try {
    writeFileSync(`/proc/sys/net/ipv6/conf/${tun}/disable_ipv6`, '1\n')
  } catch {
    // A kernel without IPv6, or a container's /proc/sys: what comes all the same is dropped.
  }
}
