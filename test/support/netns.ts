/** Networks made of namespaces that only this run knows: made by the program that needs them, and removed with it. */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Daemon, must, run, which } from './command.ts'

/** The project's own directory: this file runs from where it stands and, compiled, from dist. */
export const project = directoryWith('package.json')

const runs = '/run/floatgate-lab'
let count = 0

/** Why this host can have no such network, or undefined where it can. */
export async function whyNoNetwork(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'it takes root'
  if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun'
  for (const program of ['ip', 'nft', 'setpriv'])
    if (!(await which(program))) return `the program ${program} is missing`
  const name = `fgprobe${process.pid}`
  const { status, output } = await run(['ip', 'netns', 'add', name])
  if (status !== 0) return `no network namespace can be made: ${output.trim()}`
  await run(['ip', 'netns', 'delete', name])
  return undefined
}

export class Network {
  readonly id = `fgl${process.pid}x${++count}`
  /** For logs, sockets and configuration of this run; removed with it. */
  readonly directory = `${runs}/${this.id}`
  private readonly prepare: (namespace: string, name: string) => Promise<void>
  private readonly daemons: Daemon[] = []
  private readonly namespaces: string[] = []
  /** A namespace that is being made: what removes all waits for it. */
  private making: Promise<unknown> = Promise.resolve()
  private removed = false

  /** @param prepare what is done to each end of a cable before it is up */
  constructor(prepare: (namespace: string, name: string) => Promise<void> = async () => undefined) {
    this.prepare = prepare
  }

  /** Removes what killed runs left, and makes the directory. */
  async open(): Promise<void> {
    await sweep()
    mkdirSync(this.directory, { recursive: true, mode: 0o700 })
  }

  /** The argv that runs a command inside a namespace. */
  inside(name: string, ...argv: string[]): string[] {
    return ['ip', 'netns', 'exec', `${this.id}-${name}`, ...argv]
  }

  async namespace(name: string): Promise<void> {
    if (this.removed) throw new Error('the network was removed')
    this.namespaces.push(`${this.id}-${name}`)
    writeFileSync(`${this.directory}/namespaces`, this.namespaces.join('\n'))
    const made = must(['ip', 'netns', 'add', `${this.id}-${name}`])
    this.making = made.catch(() => undefined)
    await made
    await this.ip(name, 'link set lo up')
  }

  /** Removes a namespace before its time; what still runs in it keeps it alive. */
  async removeNamespace(name: string): Promise<void> {
    this.namespaces.splice(this.namespaces.indexOf(`${this.id}-${name}`), 1)
    writeFileSync(`${this.directory}/namespaces`, this.namespaces.join('\n'))
    await must(['ip', 'netns', 'delete', `${this.id}-${name}`])
  }

  /**
   * A switch. It leaves IP alone: kernels with br_netfilter would put fragments together in passing and send the whole
   * on, larger than any cable. It keeps its address, which else becomes that of whatever cable is plugged in with a lower one:
   * who knew the old one would speak to nobody.
   */
  async bridge(namespace: string, name: string): Promise<void> {
    const meddling = '/proc/sys/net/bridge/bridge-nf-call-iptables'
    await must(this.inside(namespace, 'sh', '-c', `[ ! -e ${meddling} ] || echo 0 >${meddling}`))
    await this.ip(namespace, `link add ${name} address 02:00:00:00:00:01 type bridge forward_delay 0 mcast_snooping 0`)
    await this.ip(namespace, `link set ${name} up`)
  }

  /** A cable between two namespaces; an end that names a bridge is plugged into it. */
  async wire(a: CableEnd, b: CableEnd): Promise<void> {
    await this.ip(a.namespace, `link add ${a.name} type veth peer name ${b.name} netns ${this.id}-${b.namespace}`)
    for (const end of [a, b]) {
      if (end.bridge) await this.ip(end.namespace, `link set ${end.name} master ${end.bridge}`)
      await this.prepare(end.namespace, end.name)
      if (end.address) await this.ip(end.namespace, `address add ${end.address} dev ${end.name}`)
      await this.ip(end.namespace, `link set ${end.name} up`)
    }
  }

  /** What ethtool shows of a device, as `true`, `false` or, where the kernel knows nothing of that name, `undefined`. */
  async feature(namespace: string, device: string, feature: string, ...to: ('on' | 'off')[]): Promise<string> {
    const program = `${project}/dist/test/support/device-feature.js`
    return (await must(this.inside(namespace, process.execPath, program, device, feature, ...to))).trim()
  }

  /**
   * Has one end of a cable merge what it receives, as a card does: what comes within so many microseconds is looked at together,
   * where a virtual cable would look at each packet by itself.
   */
  async mergeLikeCard(namespace: string, device: string, micros: number): Promise<void> {
    await this.feature(namespace, device, 'rx-gro', 'on')
    const settings = `echo ${micros * 1000} >gro_flush_timeout && echo 1 >napi_defer_hard_irqs`
    await must(this.inside(namespace, 'sh', '-c', `cd /sys/class/net/${device} && ${settings}`))
  }

  async ip(namespace: string, words: string): Promise<string> {
    return await must(['ip', '-n', `${this.id}-${namespace}`, ...words.split(' ')])
  }

  async forwardIpv4(namespace: string): Promise<void> {
    await must(this.inside(namespace, 'sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward'))
  }

  /** Starts a program inside a namespace, to be ended with this run at the latest. */
  start(namespace: string, name: string, ...argv: string[]): Daemon {
    if (this.removed) throw new Error('the network was removed')
    const daemon = new Daemon(name, this.inside(namespace, ...argv), `${this.directory}/${name}.log`)
    this.daemons.push(daemon)
    return daemon
  }

  /** Ends and removes everything this run made. Safe to call at any time and more than once. */
  async remove(): Promise<void> {
    this.removed = true
    await this.making
    await Promise.all(this.daemons.map(daemon => daemon.stop(3000)))
    for (const name of this.namespaces.splice(0)) await run(['ip', 'netns', 'delete', name])
    rmSync(this.directory, { recursive: true, force: true })
  }
}

export interface CableEnd {
  readonly namespace: string
  readonly name: string
  /** With its prefix length. */
  readonly address?: string
  readonly bridge?: string
}

/** Programs of a run that was killed went with it; what they had started, its namespaces and its files did not. */
async function sweep(): Promise<void> {
  if (!existsSync(runs)) return
  for (const id of readdirSync(runs)) {
    const pid = /^fgl(\d+)x\d+$/.exec(id)?.[1]
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue
    for (const left of processesNaming(`${runs}/${id}/`)) await run(['kill', '-KILL', String(left)])
    const list = `${runs}/${id}/namespaces`
    for (const name of existsSync(list) ? readFileSync(list, 'utf8').split('\n') : []) {
      await run(['ip', 'netns', 'delete', name])
    }
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

function directoryWith(file: string): string {
  let directory = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(`${directory}/${file}`)) directory = dirname(directory)
  return directory
}
