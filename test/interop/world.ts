/**
 * The office of test/support/office.ts with guests for its clients, each a Linux of its own, plugged in where that has a
 * namespace for each.
 */
import { chmodSync, copyFileSync, cpSync, mkdirSync, renameSync } from 'node:fs'
import { run } from '../support/command.ts'
import { Network, project } from '../support/netns.ts'
import { Office } from '../support/office.ts'
import { natInside, type Place, places } from '../support/plan.ts'
import { type Card, Guest } from './guest.ts'

/** A card, and the bridge of its namespace that it is plugged into. */
export type Plug = Card & { readonly bridge: string }

export class World {
  readonly office: Office
  readonly rootfs: string
  readonly #guests: Guest[] = []

  constructor(rootfs: string) {
    this.rootfs = rootfs
    this.office = new Office(new Network((namespace, name) => this.#withoutOffloads(namespace, name)))
  }

  get network(): Network {
    return this.office.network
  }

  /** Makes the network and lays out what guests boot from. */
  async raise(): Promise<void> {
    await this.office.raise([])
    const { directory, id } = this.network
    mkdirSync(`${directory}/uml`)
    cpSync(`${project}/test/interop/guest`, `${directory}/guest`, { recursive: true })
    // Written beside and renamed: guests of another run may be booting from it.
    const init = `${this.rootfs}/sbin/floatgate-init`
    copyFileSync(`${directory}/guest/init`, `${init}.${id}`)
    chmodSync(`${init}.${id}`, 0o755)
    renameSync(`${init}.${id}`, init)
  }

  /** A guest in a client's place; the caller boots it. */
  async addClient(place: Place): Promise<Guest> {
    const { address, segment } = places[place]
    return await this.#addGuest(place, segment, [{ tap: place, address: `${address}/24`, bridge: 'br0' }])
  }

  /** A guest in the gateway's place, with its public and its LAN address; the caller boots it. */
  async addGateway(publicAddress: string, lanAddress: string): Promise<Guest> {
    const plugs: Plug[] = []
    for (const [i, { card, address }] of [
      { card: 'pub0', address: publicAddress },
      { card: 'lan0', address: lanAddress },
    ].entries()) {
      const bridge = `br${i}`
      await this.network.bridge('gw', bridge)
      await this.network.ip('gw', `address flush dev ${card}`)
      await this.network.ip('gw', `link set ${card} master ${bridge}`)
      plugs.push({ tap: `tap${i}`, address: `${address}/24`, bridge })
    }
    return await this.#addGuest('gateway', 'gw', plugs)
  }

  /** Ends and removes everything this run made. Safe to call at any time and more than once. */
  async remove(): Promise<void> {
    await Promise.all(this.#guests.map(guest => guest.cutPower()))
    await this.office.remove()
  }

  async #addGuest(name: string, segment: string, plugs: readonly Plug[]): Promise<Guest> {
    for (const { tap, bridge } of plugs) {
      await this.network.ip(segment, `tuntap add dev ${tap} mode tap vnet_hdr`)
      await this.#withoutOffloads(segment, tap)
      await this.network.ip(segment, `link set ${tap} up master ${bridge}`)
    }
    const { directory } = this.network
    const guest = new Guest({
      name,
      within: this.network.inside(segment),
      cards: plugs,
      ...(segment === 'nat' ? { router: natInside } : {}),
      rootfs: this.rootfs,
      scripts: `${directory}/guest`,
      directory,
      number: this.#guests.length + 1,
    })
    this.#guests.push(guest)
    return guest
  }

  /** What crosses a cable is then what would cross a real one: whole frames with checksums, none above the MTU. */
  async #withoutOffloads(namespace: string, name: string): Promise<void> {
    for (const feature of ['tso', 'gso', 'gro', 'tx']) {
      await run(this.network.inside(namespace, 'chroot', this.rootfs, 'ethtool', '-K', name, feature, 'off'))
    }
  }
}
