/**
 * A router of the real kernel with our nftables table, for single packets: what is written to one of its two TUN devices
 * either leaves by the other or does not.
 *
 *   wan 203.0.113.1/24 (default route)   [namespace]   lan 192.168.8.1/24
 */

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import { nftablesDelete } from '../../src/firewall/nftables.ts'
import { addonPath } from '../native/support.ts'

const WAIT_MILLIS = 4
/** A packet that did not come is waited for again this long, where it was expected. */
const PATIENT_MILLIS = 10_000

const CHILD = `
const { readSync, writeSync } = require('fs')
const native = require(process.argv[1])
const fds = { wan: native.tunOpen('wan', 1).fds[0], lan: native.tunOpen('lan', 1).fds[0] }
const buffer = Buffer.alloc(65536)
const nap = new Int32Array(new SharedArrayBuffer(4))
const take = fd => {
  try { return buffer.subarray(0, readSync(fd, buffer)).toString('hex') } catch (e) { if (e.code === 'EAGAIN') return undefined; throw e }
}
const drain = () => { for (const fd of Object.values(fds)) while (take(fd) !== undefined); }
console.log('ready')
require('readline').createInterface({ input: process.stdin }).on('line', line => {
  const { enter, packet, wait } = JSON.parse(line)
  drain()
  writeSync(fds[enter], Buffer.from(packet, 'hex'))
  const until = Date.now() + wait
  const identification = packet.slice(8, 12)
  do {
    for (const [name, fd] of Object.entries(fds)) {
      let seen
      // The kernel's own packets (ICMP errors) bear another identification.
      while ((seen = take(fd)) !== undefined) if (seen[0] === '4' && seen.slice(8, 12) === identification) {
        console.log(JSON.stringify({ left: name, packet: seen }))
        return
      }
    }
    Atomics.wait(nap, 0, 0, 0.2)
  } while (Date.now() < until)
  console.log('{}')
})`

export interface Passage {
  /** The device that it left by; undefined where it was dropped. */
  readonly left?: 'wan' | 'lan'
  readonly packet?: Uint8Array
}

/** Why this host can have no such router, or undefined where it can. */
export function whyNoKernelRouter(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root'
  const name = `fgk${process.pid}x`
  const made = sh(['ip', 'netns', 'add', name])
  if (made.status !== 0) return `no network namespaces: ${made.stderr.trim()}`
  const nft = sh(['ip', 'netns', 'exec', name, 'nft', '-f', '-'], nftablesDelete('probe'))
  const tun = sh(['ip', '-n', name, 'tuntap', 'add', 'dev', 'probe', 'mode', 'tun'])
  sh(['ip', 'netns', 'del', name])
  if (nft.status !== 0) return `nft: ${nft.stderr.trim()}`
  return tun.status === 0 ? undefined : `no TUN device: ${tun.stderr.trim()}`
}

let count = 0

export class KernelRouter {
  readonly namespace = `fgk${process.pid}x${++count}`
  private readonly child: ChildProcessWithoutNullStreams
  private readonly lines: Interface
  private readonly waiting: ((line: string) => void)[] = []

  private constructor() {
    must(['ip', 'netns', 'add', this.namespace])
    const inside = ['netns', 'exec', this.namespace, process.execPath, '-e', CHILD, addonPath]
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'ip', ...inside])
    this.child.stderr.pipe(process.stderr)
    this.lines = createInterface({ input: this.child.stdout })
    this.lines.on('line', line => this.waiting.shift()?.(line))
  }

  static async open(): Promise<KernelRouter> {
    const router = new KernelRouter()
    const ready = await router.line()
    if (ready !== 'ready') throw new Error(`the router's child said ${ready}`)
    router.ip('link set lo up')
    router.ip('addr add 203.0.113.1/24 dev wan')
    router.ip('addr add 192.168.8.1/24 dev lan')
    for (const device of ['wan', 'lan']) router.ip(`link set ${device} up`)
    router.ip('route add default via 203.0.113.254 dev wan')
    const settings = ['ip_forward=1', 'conf.all.rp_filter=0', 'conf.wan.rp_filter=0', 'conf.lan.rp_filter=0']
    for (const s of settings) must(['ip', 'netns', 'exec', router.namespace, 'sysctl', '-qw', `net.ipv4.${s}`])
    return router
  }

  ip(command: string): void {
    must(['ip', '-n', this.namespace, ...command.split(' ')])
  }

  nft(text: string): void {
    must(['ip', 'netns', 'exec', this.namespace, 'nft', '-f', '-'], text)
  }

  /** Output of a command in the router. */
  ask(...command: string[]): string {
    return must(['ip', 'netns', 'exec', this.namespace, ...command])
  }

  /** Sends one packet in by a device. `expected`: whether it is to come through; if so, it is waited for with patience. */
  async send(enter: 'wan' | 'lan', packet: Uint8Array, expected = false): Promise<Passage> {
    const order = {
      enter,
      packet: Buffer.from(packet).toString('hex'),
      wait: expected ? PATIENT_MILLIS : WAIT_MILLIS,
    }
    this.child.stdin.write(`${JSON.stringify(order)}\n`)
    const seen = JSON.parse(await this.line()) as { left?: 'wan' | 'lan'; packet?: string }
    return seen.left === undefined ? {} : { left: seen.left, packet: Buffer.from(seen.packet!, 'hex') }
  }

  async close(): Promise<void> {
    const ended = new Promise(resolve => this.child.once('exit', resolve))
    this.child.kill('SIGKILL')
    await ended
    must(['ip', 'netns', 'del', this.namespace])
  }

  private line(): Promise<string> {
    return new Promise((resolve, reject) => {
      const gone = (code: number | null) => reject(new Error(`the router's child ended with ${code}`))
      this.child.once('exit', gone)
      this.waiting.push(line => {
        this.child.off('exit', gone)
        resolve(line)
      })
    })
  }
}

function sh(command: string[], input?: string) {
  const [program, ...args] = command
  return spawnSync(program!, args, { encoding: 'utf8', input, timeout: 60_000 })
}

function must(command: string[], input?: string): string {
  const result = sh(command, input)
  if (result.status !== 0) throw new Error(`${command.join(' ')}: ${result.stderr || result.error?.message}`)
  return result.stdout
}
