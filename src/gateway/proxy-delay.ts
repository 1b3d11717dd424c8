/**
 * How long the kernel waits before it answers ARP for a client. By default up to 0.8 s, drawn by lot, so that several
 * proxies for one address do not answer at once; here there is only one, and whoever asks waits for nothing. While a
 * device has proxy ARP entries of ours the delay is 0 there.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import type { Leavings } from './leavings.ts'
import { type Log, Severity } from './log.ts'

const DIRECTORY = '/proc/sys/net/ipv4/neigh'

export class ProxyDelay {
  private readonly entries = new Map<string, number>()
  private readonly leavings: Leavings
  private readonly log: Log
  private readonly directory: string
  private told = false

  constructor(leavings: Leavings, log: Log, directory = DIRECTORY) {
    this.leavings = leavings
    this.log = log
    this.directory = directory
  }

  /** One more entry is about to be made on `device`. */
  added(device: string): void {
    const entries = this.entries.get(device) ?? 0
    this.entries.set(device, entries + 1)
    if (entries === 0) this.turnOff(device)
  }

  /** Another device has the name now, with a delay of its own. */
  replaced(device: string): void {
    if (this.entries.has(device)) this.turnOff(device)
  }

  private turnOff(device: string): void {
    const delay = this.read(device)
    if (delay === undefined || delay === '0') return
    // Written down first: it outlives a kill -9.
    this.leavings.setDelay(device, delay)
    const refusal = this.write(device, '0')
    if (refusal === undefined) return
    this.leavings.setDelay(device, undefined)
    this.tell(device, delay, refusal)
  }

  /** One entry on `device` is gone. */
  removed(device: string): void {
    const entries = (this.entries.get(device) ?? 0) - 1
    if (entries > 0) {
      this.entries.set(device, entries)
      return
    }
    this.entries.delete(device)
    const found = this.leavings.delay(device)
    if (found === undefined) return
    this.putBack(device, found)
    this.leavings.setDelay(device, undefined)
  }

  /** Gives the device the delay that it had, unless somebody has set another one meanwhile or it is gone. */
  putBack(device: string, found: string): void {
    if (this.read(device) === '0') this.write(device, found)
  }

  /** Once is enough: the next device's file is no more ours to write than this one's. */
  private tell(device: string, delay: string, refusal: string): void {
    if (this.told) return
    this.told = true
    const path = this.path(device)
    // The file counts in hundredths of a second.
    const text = `${path} cannot be set (${refusal}): the first packet from a host of the LAN to a client waits up to ${Number(delay) / 100} s; run "echo 0 >${path}" where it can be`
    this.log.add({ severity: Severity.Notice, module: 'IPG', text })
  }

  private read(device: string): string | undefined {
    try {
      return readFileSync(this.path(device), 'utf8').trim()
    } catch {
      return undefined
    }
  }

  /** Answers why it was refused, where it was. */
  private write(device: string, delay: string): string | undefined {
    try {
      writeFileSync(this.path(device), `${delay}\n`)
      return undefined
    } catch (e) {
      return (e as NodeJS.ErrnoException).code ?? (e as Error).message
    }
  }

  private path(device: string): string {
    return `${this.directory}/${device}/proxy_delay`
  }
}
