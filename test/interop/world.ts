/**
 * The office of test/support/office.ts with guests for its clients, each a Linux of its own, plugged in where that has a
 * namespace for each.
 */
import { chmodSync, copyFileSync, cpSync, mkdirSync, renameSync } from 'node:fs'
import { must, run } from '../support/command.ts'
import { Network, project } from '../support/netns.ts'
import { Office } from '../support/office.ts'
import { gatewayPublic, natInside, type Place, places } from '../support/plan.ts'
import { type Card, Guest } from './guest.ts'

/** A card, and the bridge of its namespace that it is plugged into. */
export type Plug = Card & { readonly bridge: string }

/** What the router in front of the gateway does, where there is one. */
const frontRules = `table ip nat {
  chain arriving { type nat hook prerouting priority -100; iifname "out0" udp dport { 500, 4500 } dnat to 172.16.0.2; }
  chain leaving { type nat hook postrouting priority 100; oifname "out0" masquerade; }
}
table ip filter {
  chain through { type filter hook forward priority 0; policy drop;
    iifname "in0" accept
    ct status dnat accept
    ct state established,related accept
  }
}
`

export class World {
  readonly office: Office
  /** The root file system of most guests. */
  readonly rootfs: string
  readonly #guests: Guest[] = []
  #natInFront = false

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
    // Else the bridge takes another address when a port is added, and guests keep the one they know.
    await this.network.ip('nat', 'link set br0 address 02:00:00:00:00:01')
    const { directory } = this.network
    mkdirSync(`${directory}/uml`)
    cpSync(`${project}/test/interop/guest`, `${directory}/guest`, { recursive: true })
  }

  /** A guest in a client's place; the caller boots it. */
  async addClient(place: Place): Promise<Guest> {
    const { address, segment } = places[place]
    return await this.addGuest(place, segment, address)
  }

  /** Another guest behind the NAT or on the public segment; the caller boots it. */
  async addGuest(name: string, segment: 'nat' | 'pub', address: string, rootfs = this.rootfs): Promise<Guest> {
    return await this.#addGuest(name, segment, [{ tap: name, address: `${address}/24`, bridge: 'br0' }], rootfs)
  }

  /**
   * Moves the gateway behind a NAT that has its public address and forwards UDP 500 and 4500, or back to the public
   * segment. Answers the gateway's outward device.
   */
  async setNatInFront(wanted: boolean): Promise<string> {
    if (wanted === this.#natInFront) return wanted ? 'pub1' : 'pub0'
    const n = this.network
    if (wanted) {
      await n.ip('gw', 'address flush dev pub0')
      await n.namespace('front')
      await n.wire(
        { namespace: 'front', name: 'out0', address: `${gatewayPublic}/24` },
        { namespace: 'pub', name: 'front', bridge: 'br0' },
      )
      await n.wire(
        { namespace: 'gw', name: 'pub1', address: '172.16.0.2/24' },
        { namespace: 'front', name: 'in0', address: '172.16.0.1/24' },
      )
      await n.ip('gw', 'route add default via 172.16.0.1')
      await n.forwardIpv4('front')
      await must(n.inside('front', 'nft', '-f', '-'), { input: frontRules })
    } else {
      await n.ip('front', 'link delete out0')
      await n.ip('front', 'link delete in0')
      await n.removeNamespace('front')
      await n.ip('gw', `address add ${gatewayPublic}/24 dev pub0`)
    }
    this.#natInFront = wanted
    // The public address has another MAC address now.
    await n.ip('nat', 'neigh flush all')
    for (const guest of this.#guests.filter(guest => guest.alive)) await guest.run('ip neigh flush all')
    return wanted ? 'pub1' : 'pub0'
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

  async #addGuest(name: string, segment: string, plugs: readonly Plug[], rootfs = this.rootfs): Promise<Guest> {
    this.#putInit(rootfs)
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
      rootfs,
      scripts: `${directory}/guest`,
      directory,
      number: this.#guests.length + 1,
    })
    this.#guests.push(guest)
    return guest
  }

  /** Written beside and renamed: guests of another run may be booting from it. */
  #putInit(rootfs: string): void {
    const { directory, id } = this.network
    const init = `${rootfs}/sbin/floatgate-init`
    copyFileSync(`${directory}/guest/init`, `${init}.${id}`)
    chmodSync(`${init}.${id}`, 0o755)
    renameSync(`${init}.${id}`, init)
  }

  /** What crosses a cable is then what would cross a real one: whole frames with checksums, none above the MTU. */
  async #withoutOffloads(namespace: string, name: string): Promise<void> {
    for (const feature of ['tso', 'gso', 'gro', 'tx']) {
      await run(this.network.inside(namespace, 'chroot', this.rootfs, 'ethtool', '-K', name, feature, 'off'))
    }
  }
}
