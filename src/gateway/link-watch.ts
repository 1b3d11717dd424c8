/**
 * Hears when a device of the host goes down or comes up (linux/rtnetlink.h): with its going down the kernel takes its routes and its
 * proxy ARP entries away.
 */

import type { Native } from './native.ts'
import { eachMessage, LITTLE, NetlinkWatch } from './netlink-watch.ts'

/** RTM_NEWLINK and RTM_DELLINK. */
const LINK = 16
const LINK_GONE = 17
/** RTMGRP_LINK. */
const GROUP = 1
/** In struct ifinfomsg, and its size. */
const INDEX = 4
const FLAGS = 8
const INFO = 16
const IFF_UP = 1
const IFLA_IFNAME = 3

export interface LinkNews {
  readonly index: number
  readonly name: string
  readonly state: 'up' | 'down' | 'gone'
}

export interface LinkHearer {
  wentDown(device: string): void
  cameUp(device: string): void
}

export class LinkWatch {
  private readonly watch: NetlinkWatch
  private readonly hearer: LinkHearer
  /** Names, by number, of devices that were last told of as down. */
  private readonly down = new Map<number, string>()

  /** Tells of each device that goes down, and of each that comes up again, until close. Throws an Error where the kernel tells nobody. */
  constructor(native: Native, hearer: LinkHearer) {
    this.hearer = hearer
    const take = (bytes: Uint8Array) => {
      for (const news of linkNews(bytes)) this.take(news)
    }
    this.watch = new NetlinkWatch(native, native.routeSocket(GROUP), take, () => this.lost())
  }

  take({ index, name, state }: LinkNews): void {
    const wasDown = this.down.delete(index)
    if (state === 'down') this.down.set(index, name)
    if (state === 'up' && wasDown) this.hearer.cameUp(name)
    if (state !== 'up' && !wasDown) this.hearer.wentDown(name)
  }

  /** What the kernel could not keep for us may have been that any of them is up. */
  private lost(): void {
    const names = [...this.down.values()]
    this.down.clear()
    for (const name of names) this.hearer.cameUp(name)
  }

  close(): void {
    this.watch.close()
  }
}

/** What one receive gave. */
export function linkNews(bytes: Uint8Array): LinkNews[] {
  const news: LinkNews[] = []
  eachMessage(bytes, (type, body) => {
    if ((type !== LINK && type !== LINK_GONE) || body.length < INFO) return
    const view = new DataView(body.buffer, body.byteOffset, body.length)
    const state = type === LINK_GONE ? 'gone' : (view.getUint32(FLAGS, LITTLE) & IFF_UP) !== 0 ? 'up' : 'down'
    news.push({ index: view.getInt32(INDEX, LITTLE), name: nameIn(body.subarray(INFO)), state })
  })
  return news
}

/** The text of the attribute with the device's name, or none. */
function nameIn(attributes: Uint8Array): string {
  const view = new DataView(attributes.buffer, attributes.byteOffset, attributes.length)
  for (let at = 0; at + 4 <= attributes.length; ) {
    const length = view.getUint16(at, LITTLE)
    if (length < 4) return ''
    if (view.getUint16(at + 2, LITTLE) === IFLA_IFNAME)
      return Buffer.from(attributes.subarray(at + 4, at + length))
        .toString('latin1')
        .replace(/\0.*$/s, '')
    at += (length + 3) & ~3
  }
  return ''
}
