/**
 * The network the scenarios play in, made of namespaces that only this run knows.
 *
 *   c1 10.1.0.11 --+
 *                  +-- nat1 (masquerade) 203.0.113.101 --+
 *   c2 10.1.0.12 --+                                     +-- pub0 203.0.113.1 gateway 192.168.8.1 lan0 -- lan 192.168.8.10
 *   c3 203.0.113.50 (no NAT) ----------------------------+
 */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Daemon, must, run, until } from '../support/command.ts'
import { type Card, Guest } from './guest.ts'

export const gatewayPublic = '203.0.113.1'
export const gatewayLan = '192.168.8.1'
export const lanHost = '192.168.8.10'
export const natPublic = '203.0.113.101'
const natInside = '10.1.0.1'

/** The project's own directory: this file runs from dist/test/interop. */
export const project = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '')

const runs = '/run/floatgate-interop'

const natRules = `table ip nat {
  chain leaving { type nat hook postrouting priority 100; oifname "out0" masquerade; }
}
table ip filter {
  chain through { type filter hook forward priority 0; policy drop;
    iifname "br0" accept
    ct state established,related accept
  }
}
`

/** Who holds the gateway's addresses: a program in the namespace `gw`, or a guest plugged in there. */
export type Seat = 'program' | 'guest'

export class World {
  readonly id = `fg${process.pid}`
  /** Logs, sockets and configuration of this run; removed with it. */
  readonly directory = `${runs}/${this.id}`
  readonly rootfs: string
  readonly #guests: Guest[] = []
  readonly #daemons: Daemon[] = []
  readonly #namespaces: string[] = []

  constructor(rootfs: string) {
    this.rootfs = rootfs
  }

  /** The full name of a namespace. */
  namespace(name: string): string {
    return `${this.id}-${name}`
  }

  /** The argv that runs a command inside a namespace. */
  inside(name: string, ...argv: string[]): string[] {
    return ['ip', 'netns', 'exec', this.namespace(name), ...argv]
  }

  /** Makes the namespaces and their wires, and starts the LAN host. */
  async raise(seat: Seat): Promise<void> {
    await sweep()
    rmSync(this.directory, { recursive: true, force: true })
    mkdirSync(`${this.directory}/uml`, { recursive: true })
    cpSync(`${project}/test/interop/guest`, `${this.directory}/guest`, { recursive: true })
    // Written beside and renamed: guests of another run may be booting from it.
    copyFileSync(`${this.directory}/guest/init`, `${this.rootfs}/sbin/floatgate-init.${this.id}`)
    chmodSync(`${this.rootfs}/sbin/floatgate-init.${this.id}`, 0o755)
    renameSync(`${this.rootfs}/sbin/floatgate-init.${this.id}`, `${this.rootfs}/sbin/floatgate-init`)

    for (const name of ['pub', 'lan', 'gw', 'nat1']) await this.#makeNamespace(name)
    for (const name of ['pub', 'lan', 'nat1']) await this.#makeBridge(name, 'br0')
    await this.#ip('lan', `address add ${lanHost}/24 dev br0`)
    await this.#ip('lan', `route add default via ${gatewayLan}`)

    await this.#wire('gw', 'pub0', 'gw', 'pub')
    await this.#wire('gw', 'lan0', 'gw', 'lan')
    if (seat === 'program') {
      await this.#ip('gw', `address add ${gatewayPublic}/24 dev pub0`)
      await this.#ip('gw', `address add ${gatewayLan}/24 dev lan0`)
    } else {
      await this.#makeBridge('gw', 'br0')
      await this.#makeBridge('gw', 'br1')
      await this.#ip('gw', 'link set pub0 master br0')
      await this.#ip('gw', 'link set lan0 master br1')
    }

    await this.#wire('nat1', 'out0', 'nat1', 'pub')
    await this.#ip('nat1', `address add ${natInside}/24 dev br0`)
    await this.#ip('nat1', `address add ${natPublic}/24 dev out0`)
    // What an administrator does on a router's host.
    for (const name of ['gw', 'nat1'])
      await must(this.inside(name, 'sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward'))
    await must(this.inside('nat1', 'chroot', this.rootfs, 'nft', '-f', '-'), { input: natRules })

    const lan = this.keep(
      new Daemon(
        'lan',
        this.inside('lan', process.execPath, `${project}/dist/test/support/lan-host.js`, lanHost),
        `${this.directory}/lan.log`,
      ),
    )
    const serving = await until(() => !lan.alive || readFileSync(lan.logFile, 'utf8').includes('serving'), 10_000)
    if (!serving || !lan.alive) throw new Error(`the LAN host did not start: ${readFileSync(lan.logFile, 'utf8')}`)
  }

  /** Plugs a guest's cards in; the caller boots it. */
  async addGuest(name: string, segment: 'pub' | 'nat1' | 'gw', cards: readonly (Card & { bridge: string })[]) {
    for (const { tap, bridge } of cards) {
      await this.#ip(segment, `tuntap add dev ${tap} mode tap vnet_hdr`)
      await this.#withoutOffloads(segment, tap)
      await this.#ip(segment, `link set ${tap} up master ${bridge}`)
    }
    const guest = new Guest({
      name,
      namespace: this.namespace(segment),
      cards,
      ...(segment === 'nat1' ? { router: natInside } : {}),
      rootfs: this.rootfs,
      scripts: `${this.directory}/guest`,
      directory: this.directory,
      number: this.#guests.length + 1,
    })
    this.#guests.push(guest)
    return guest
  }

  /** Remembers a program of this run, to be ended with it. */
  keep(daemon: Daemon): Daemon {
    this.#daemons.push(daemon)
    return daemon
  }

  /** Ends and removes everything this run made. Safe to call at any time and more than once. */
  async remove(): Promise<void> {
    await Promise.all(this.#guests.map(guest => guest.cutPower()))
    await Promise.all(this.#daemons.map(daemon => daemon.stop(3000)))
    for (const name of this.#namespaces.splice(0)) await run(['ip', 'netns', 'delete', name])
    rmSync(this.directory, { recursive: true, force: true })
  }

  async #makeNamespace(name: string): Promise<void> {
    await must(['ip', 'netns', 'add', this.namespace(name)])
    this.#namespaces.push(this.namespace(name))
    await this.#ip(name, 'link set lo up')
  }

  async #makeBridge(namespace: string, bridge: string): Promise<void> {
    await this.#ip(namespace, `link add ${bridge} type bridge forward_delay 0 mcast_snooping 0`)
    await this.#ip(namespace, `link set ${bridge} up`)
  }

  /** A cable from an interface of one namespace to a port of another one's bridge. */
  async #wire(namespace: string, name: string, port: string, bridged: string): Promise<void> {
    await this.#ip(namespace, `link add ${name} type veth peer name ${port} netns ${this.namespace(bridged)}`)
    await this.#withoutOffloads(namespace, name)
    await this.#withoutOffloads(bridged, port)
    await this.#ip(namespace, `link set ${name} up`)
    await this.#ip(bridged, `link set ${port} up master br0`)
  }

  /** What crosses a cable is then what would cross a real one: whole frames with checksums, none above the MTU. */
  async #withoutOffloads(namespace: string, name: string): Promise<void> {
    for (const feature of ['tso', 'gso', 'gro', 'tx']) {
      await run(this.inside(namespace, 'chroot', this.rootfs, 'ethtool', '-K', name, feature, 'off'))
    }
  }

  async #ip(namespace: string, words: string): Promise<string> {
    return await must(['ip', '-n', this.namespace(namespace), ...words.split(' ')])
  }
}

/** Removes what runs left that were killed before they could: processes, namespaces, files. */
async function sweep(): Promise<void> {
  if (!existsSync(runs)) return
  for (const id of readdirSync(runs)) {
    const pid = Number(id.slice(2))
    if (!Number.isInteger(pid) || existsSync(`/proc/${pid}`)) continue
    for (const left of processesNaming(`${runs}/${id}/`)) await run(['kill', '-KILL', String(left)])
    for (const name of ['pub', 'lan', 'gw', 'nat1']) await run(['ip', 'netns', 'delete', `${id}-${name}`])
    rmSync(`${runs}/${id}`, { recursive: true, force: true })
  }
}

/** The processes that were given a path within `directory` on their command line: guests keep such helpers. */
function processesNaming(directory: string): number[] {
  return readdirSync('/proc').flatMap(name => {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid) return []
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`=${directory}`) ? [pid] : []
    } catch {
      return [] // It ended meanwhile.
    }
  })
}
