/**
 * UDP from the LAN by the many: a device of the LAN merges what it receives of one flow, and hands it on as one packet through
 * routes and nftables to the TUN device. TCP the kernel merges by itself; UDP that it forwards only where it is asked to, by
 * device (docs/adr/0028).
 */

import { readdirSync } from 'node:fs'
import type { Leavings } from './leavings.ts'
import { type Log, Severity } from './log.ts'
import { loadNative, type Native } from './native.ts'
import { ReplacedDevices } from './replaced-devices.ts'

/** As ethtool calls them: UDP that is forwarded is merged, where the device merges at all; */
const MERGES_UDP = 'rx-udp-gro-forwarding'
const MERGES = 'rx-gro'
/** or is chained instead, which no TUN device takes. */
const CHAINS = 'rx-gro-list'

export type Features = Pick<Native, 'deviceFeature' | 'setDeviceFeature'>

export class LanOffload {
  private readonly leavings: Leavings
  private readonly log: Log
  private readonly features: Features | undefined
  private readonly directory: string
  private readonly replaced: ReplacedDevices
  /** The devices that are to merge, with those that lie under them. */
  private devices: readonly string[] = []
  /** Those of them that did so already, or were asked to. */
  private readonly asked = new Set<string>()

  /** Absent `features` are the host's. */
  constructor(leavings: Leavings, log: Log, features?: Features, directory = '/sys/class/net') {
    this.leavings = leavings
    this.log = log
    this.features = features
    this.directory = directory
    this.replaced = new ReplacedDevices(directory)
  }

  /**
   * Has these devices merge, and those no more that are not among them and did not before. Once for each: what somebody turns
   * off meanwhile stays off, until the device is another.
   */
  use(devices: readonly string[]): void {
    const wanted = [...new Set(devices.flatMap(d => this.cards(d)))]
    for (const device of this.replaced.among(wanted)) this.asked.delete(device)
    for (const device of this.devices.filter(d => !wanted.includes(d))) this.leave(device)
    const added = wanted.filter(d => !this.asked.has(d) && this.turnOn(d))
    this.devices = wanted
    if (added.length === 0) return
    const text = `UDP from the LAN is merged as it is received: ${MERGES_UDP} is on for ${added.join(', ')}, until the gateway ends`
    this.log.add({ severity: Severity.Notice, module: 'IPG', text })
  }

  /** Puts back everywhere what was found. */
  end(): void {
    this.use([])
  }

  /** Off again where a run that was killed had turned it on; on a device that is gone it went with it. */
  putBack(device: string): void {
    this.turn(device, false)
  }

  /** Whether UDP of any of the devices is merged now. */
  get merges(): boolean {
    return this.devices.some(d => this.isOn(d, MERGES) && this.isOn(d, MERGES_UDP) && !this.isOn(d, CHAINS))
  }

  /** Answers whether it was we who turned it on. */
  private turnOn(device: string): boolean {
    if (!this.isOn(device, MERGES) || this.isOn(device, CHAINS)) return false
    this.asked.add(device)
    if (this.isOn(device, MERGES_UDP)) return false
    // Written down first: it outlives a kill -9.
    this.leavings.setMerging(device, true)
    if (this.turn(device, true)) return true
    this.leavings.setMerging(device, false)
    return false
  }

  private leave(device: string): void {
    this.asked.delete(device)
    if (!this.leavings.merges(device)) return
    this.turn(device, false)
    this.leavings.setMerging(device, false)
  }

  /** The devices that receive what comes to this one: a bridge, a bond or a VLAN has others under it. */
  private cards(device: string): string[] {
    let names: string[] = []
    try {
      names = readdirSync(`${this.directory}/${device}`)
    } catch {
      return []
    }
    const under = names.filter(name => name.startsWith('lower_')).map(name => name.slice('lower_'.length))
    return under.length === 0 ? [device] : under.flatMap(d => this.cards(d))
  }

  private isOn(device: string, feature: string): boolean {
    try {
      return (this.features ?? loadNative()).deviceFeature(device, feature) === true
    } catch {
      return false
    }
  }

  /** A device or a kernel that refuses does without. */
  private turn(device: string, on: boolean): boolean {
    try {
      return (this.features ?? loadNative()).setDeviceFeature(device, MERGES_UDP, on)
    } catch {
      return false
    }
  }
}
