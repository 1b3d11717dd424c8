/** One gateway on this host, from the sockets up: opens everything, runs control and the workers, and takes it all down. */

import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { Configuration } from '../alliedware/config.ts'
import type { Ruleset } from '../firewall/ruleset.ts'
import { computeBy } from '../ike/arithmetic.ts'
import { readIpv4 } from '../packet/ip.ts'
import { cryptoText, type Offloads, offloadsText } from './abilities.ts'
import { Control } from './control.ts'
import { systemClock } from './deadlines.ts'
import { systemDice } from './dice.ts'
import { hostConntrack } from './host-conntrack.ts'
import type { HostCounters } from './host-counters.ts'
import { hostEvents } from './host-events.ts'
import { HostFirewall, unprotected } from './host-firewall.ts'
import { type HostTables, readHostTables } from './host-tables.ts'
import { Leavings } from './leavings.ts'
import { type Log, Severity } from './log.ts'
import { loadNative, type Native } from './native.ts'
import { NativeArithmetic } from './native-arithmetic.ts'
import { Network } from './network.ts'
import { bind, coalesce, openHostLog, openRaw, openSteeredTun } from './openings.ts'
import type { Pki } from './pki.ts'
import { raiseThisThread, Steps } from './priority.ts'
import type { SecretStore } from './secret-store.ts'
import type { Site } from './site.ts'
import { type Devices, findDevices, proxyDevice, publicDevice, publicMtu, surroundings } from './site-devices.ts'
import { ControlSockets, IKE_NAT_PORT, IKE_PORT } from './sockets.ts'
import { Stats } from './stats.ts'
import { ipsecLists } from './translate.ts'
import { Workers } from './workers.ts'

/** The TUN device carries what the largest session takes; each session's route says how much that is. */
const TUN_MTU = 1400
/** How long good-byes may take to leave before the sockets close. */
const FAREWELL_MILLIS = 250

export interface DaemonOptions {
  readonly configuration: Configuration
  readonly site: Site
  readonly state: string
  readonly secrets: SecretStore
  readonly pki: Pki
  readonly log: Log
}

interface Parts {
  readonly control: Control
  readonly site: Site
  readonly log: Log
  readonly native: Native
  readonly network: Network
  readonly sockets: ControlSockets
  readonly workers: Workers
  /** Descriptors that outlive the sockets and the workers. */
  readonly closeLater: readonly number[]
  readonly devices: Devices
  readonly hostFirewall: HostFirewall
  readonly tun: string
  readonly offloads: Omit<Offloads, 'lan'>
  /** There is no raw socket for bare ESP. */
  readonly onlyUdp: boolean
  readonly warnings: string[]
}

export class Daemon {
  readonly control: Control
  /** What is odd about the host or the configuration, for the operator. */
  readonly warnings: string[] = []
  readonly listening: readonly string[]
  readonly tun: string
  readonly crypto: string
  private readonly parts: Parts
  private site: Site
  private devices: Devices
  private hostTrouble: string | undefined

  private constructor(parts: Parts) {
    this.parts = parts
    this.control = parts.control
    this.site = parts.site
    this.devices = parts.devices
    this.tun = parts.tun
    this.warnings = parts.warnings
    this.listening = [`UDP ${IKE_PORT}`, `UDP ${IKE_NAT_PORT}`, ...(parts.onlyUdp ? [] : ['IP protocol 50'])]
    this.crypto = cryptoText(parts.native)
    this.useDevices()
  }

  /** Brings a gateway up. Throws an Error with a plain message where the host does not allow it; nothing stays behind. */
  static async start(o: DaemonOptions): Promise<Daemon> {
    const native = loadNative()
    computeBy(new NativeArithmetic(native))
    const undo: (() => void)[] = []
    try {
      return await bringUp(native, o, undo, parts => new Daemon(parts))
    } catch (e) {
      for (const f of undo.reverse()) f()
      throw e
    }
  }

  /** Applies the rules in force to what the kernel forwards; answers what is wrong, where something is. */
  async applyFirewall(): Promise<string | undefined> {
    const { configuration, ruleset } = this.control
    return (await this.hostRules(configuration, this.site, this.devices, ruleset, true))?.text
  }

  private hostRules(c: Configuration, site: Site, devices: Devices, ruleset: Ruleset, anyway: boolean) {
    const { firewall, nat } = ruleset
    return this.parts.hostFirewall.apply(
      {
        firewall: site.hostFirewall ? firewall : { ...firewall, enabled: false },
        ipsec: site.hostFirewall ? ipsecLists(c) : [],
        interfaces: surroundings(c, devices).interfaces,
        devices: devices.byName,
        owned: Array.from({ length: nat.globals.length / 2 }, (_, i) => ({
          first: nat.globals[2 * i]!,
          last: nat.globals[2 * i + 1]!,
        })),
        ports: [IKE_PORT, IKE_NAT_PORT],
      },
      address => publicDevice(devices, address),
      anyway,
    )
  }

  /** Rules came into force or ceased to be with time. */
  async rulesChanged(): Promise<void> {
    const refusal = await this.control.changes.add(() => this.applyFirewall())
    if (refusal !== undefined) this.parts.log.add({ severity: Severity.Critical, module: 'FIRE', text: refusal })
  }

  /**
   * Makes the host's part of another configuration. Answers why the host refused it: then nothing has changed. What the host
   * refused before, whatever it is, does not stand in the way of what has nothing to do with it.
   */
  async prepare(configuration: Configuration, site: Site = this.site): Promise<string | undefined> {
    const devices = findDevices(configuration, site)
    const ruleset = this.control.rulesUnder(configuration, surroundings(configuration, devices))
    const refusal = await this.hostRules(configuration, site, devices, ruleset, false)
    if (refusal?.another) return refusal.text
    this.hostTrouble = refusal?.text
    return undefined
  }

  /** Takes a configuration into use while serving, for which the host is prepared. */
  async configure(configuration: Configuration, site: Site = this.site): Promise<string[]> {
    const restart = site.workers === this.site.workers ? [] : ['"workers" counts from the next start on']
    this.site = site
    this.devices = findDevices(configuration, this.site)
    this.control.configure(configuration)
    this.useDevices()
    return [...restart, ...this.devices.warnings, ...(this.hostTrouble === undefined ? [] : [this.hostTrouble])]
  }

  /** Trains of UDP from the LAN are less work also where the kernel cuts them before the TUN device (before Linux 6.2). */
  private useDevices(): void {
    this.parts.network.useBlocks(this.devices.sessionBlocks)
    this.parts.network.useLan(this.devices.privateDevices, this.site.lanOffloads && this.parts.offloads.tso)
  }

  get offloads(): string {
    return offloadsText({ ...this.parts.offloads, lan: this.parts.network.lan.merges })
  }

  /** What the kernel counted in our table up to now. */
  async hostCounters(): Promise<HostCounters> {
    await this.parts.network.readCounters()
    return this.parts.network.counters
  }

  /** Whether what the kernel refuses and lets in on the host's own devices becomes events. */
  get tellsOfHost(): boolean {
    return this.parts.hostFirewall.tells
  }

  /** The kernel's routes, neighbours and devices now. */
  hostTables(): HostTables {
    return readHostTables(this.devices, proxyDevice)
  }

  counters(): Record<string, Record<string, number>> {
    return { sockets: { ...this.parts.sockets.counters } }
  }

  /** Says good-bye to every client and removes everything that was made. */
  async stop(): Promise<void> {
    this.control.shutdown()
    await new Promise(resolve => setTimeout(resolve, FAREWELL_MILLIS))
    await this.takeDown()
    this.parts.log.add({ severity: Severity.Notice, module: 'SYS', text: 'Gateway stopped' })
  }

  /** Removes everything that was made. */
  async takeDown(): Promise<void> {
    await this.parts.workers.stop()
    this.parts.sockets.close()
    await this.parts.network.tearDown()
    this.parts.hostFirewall.close()
    for (const fd of this.parts.closeLater) this.parts.native.close(fd)
  }

  /** Resolves with what happened when the gateway cannot go on. */
  get broken(): Promise<string> {
    return this.parts.workers.died.then(worker => `data worker ${worker} ended by itself`)
  }

  /** The devices and the site as control's callbacks see them: the latest. */
  get current(): { readonly devices: Devices; readonly site: Site } {
    return { devices: this.devices, site: this.site }
  }
}

async function bringUp(
  native: Native,
  o: DaemonOptions,
  undo: (() => void)[],
  make: (parts: Parts) => Daemon,
): Promise<Daemon> {
  const devices = findDevices(o.configuration, o.site)
  const warnings = [...devices.warnings]
  const opened = (fd: number) => {
    undo.push(() => native.close(fd))
    return fd
  }
  const fd500 = opened(bind(native, IKE_PORT, false))
  const leavings = new Leavings(o.state)
  const network = new Network(leavings, o.log)
  await network.cleanUp()

  let workerCount = o.site.workers ?? Math.max(1, availableParallelism() - 1)
  const control4500 = opened(bind(native, IKE_NAT_PORT, true))
  const udpFds = Array.from({ length: workerCount }, () => opened(bind(native, IKE_NAT_PORT, true)))
  let steered = true
  try {
    native.steerUdp(control4500, workerCount)
  } catch (e) {
    steered = false
    warnings.push(`this host refuses socket steering (${(e as Error).message}): one data worker serves`)
  }

  const { tun, steering } = openSteeredTun(native, steered ? workerCount : 1, warnings)
  for (const fd of [...tun.fds, ...Object.values(steering ?? {})]) opened(fd)
  steered &&= tun.fds.length === workerCount
  if (!steered) workerCount = 1
  // Without steering one socket must be alone on its port: then the worker hands IKE up, and control only writes there.
  const sharedFd = steered ? control4500 : udpFds[0]!
  if (!steered) for (const fd of [control4500, ...udpFds.slice(1)]) native.close(fd)

  await network.setUp(tun.name, TUN_MTU)
  const hostLog = openHostLog(native, warnings)
  if (hostLog) undo.push(() => hostLog.close())
  const hostFirewall = new HostFirewall(network, o.log, tun, TUN_MTU, hostLog)
  const rawFds = Array.from({ length: workerCount }, (_, w) => openRaw(native, w, workerCount, warnings))
  for (const fd of rawFds) if (fd >= 0) opened(fd)
  const onlyUdp = rawFds.some(fd => fd < 0)
  const stats = Stats.forWorkers(workerCount)
  network.mergeTun(tun.merging, stats)
  const workers = new Workers(native, steering)
  const sockets = new ControlSockets(native, fd500, sharedFd)
  const late: { daemon?: Daemon } = {}
  const current = () => late.daemon?.current ?? { devices, site: o.site }
  const control = new Control(
    {
      clock: systemClock,
      wall: () => new Date(),
      dice: systemDice(),
      log: o.log,
      sockets,
      data: workers,
      stats,
      secrets: o.secrets,
      credentials: () => o.pki.credentials,
      publicAddress: () => current().site.publicAddress,
      forceEncapsulation: () => onlyUdp || current().site.forceEncapsulation,
      office: () => current().site,
      surroundings: c => surroundings(c, current().devices),
      rulesChanged: () => void late.daemon?.rulesChanged(),
      network: {
        addSession: (address, mtu, device, user) => {
          network.addSession(address, mtu, device)
          hostFirewall.sessionUp(address, user)
        },
        removeSession: address => {
          network.removeSession(address)
          hostFirewall.sessionDown(address)
        },
        proxyDevice: address => proxyDevice(current().devices, address),
        get publicMtu() {
          return publicMtu(current().devices)
        },
        get localAddress() {
          return current().devices.localAddress
        },
      },
    },
    o.configuration,
  )
  const udp = coalesce(native, [sharedFd, ...udpFds.slice(0, workerCount)])
  for (let w = 0; w < workerCount; w++) {
    workers.start(
      {
        worker: w,
        udpFd: udpFds[w]!,
        rawFd: rawFds[w]!,
        tunFd: tun.fds[w]!,
        tunOffloads: tun.uso ? 'all' : tun.tso ? 'tcp' : 'none',
        coalesced: udp.gro,
        stats: stats.memory,
        seed: randomBytes(4).readUInt32BE(0),
      },
      (worker, m) => control.fromWorker(worker, m),
    )
  }
  raiseThisThread(Steps.control)
  control.firewall.hosts = hostConntrack(native, o.log, control)
  control.publishRules()
  hostLog?.listen(hostEvents(control, randomBytes(4).readUInt32BE(0)))
  const closeLater = [...udpFds.slice(steered ? 0 : 1, workerCount), ...tun.fds, ...Object.values(steering ?? {})]
  late.daemon = make({
    control,
    site: o.site,
    log: o.log,
    native,
    network,
    sockets,
    workers,
    closeLater,
    devices,
    hostFirewall,
    tun: tun.name,
    offloads: { ...tun, ...udp },
    onlyUdp,
    warnings,
  })
  const refusal = await late.daemon.applyFirewall()
  if (refusal !== undefined) {
    undo.length = 0
    await late.daemon.takeDown()
    throw new Error(unprotected(refusal))
  }
  warnings.push(...hostFirewall.guard(native, control.changes))
  // Nobody comes in before the rules do.
  // What a flood may hold is no SA's: a worker's mailbox has no end.
  sockets.esp = (...d) => control.peers.spis.has(readIpv4(d[2], 0)) && workers.arrived(...d)
  sockets.listen((local, remote, bytes) => control.datagram(local, remote, bytes), steered)
  return late.daemon
}
