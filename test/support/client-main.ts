/**
 * The simulated client as a program: sockets, a TUN device and a clock around VpnClient, for a network namespace.
 *
 * Prints its steps with milliseconds, and `connected ADDRESS` when the tunnel is up. SIGTERM and SIGINT hang up in order.
 */

import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { loadNative, type NativeWatcher } from '../../src/gateway/native.ts'
import { Batch, NEAR_CAPACITY } from '../../src/packet/batch.ts'
import { formatIpv4, type Ipv4, ipv4, parseIpv4 } from '../../src/packet/ip.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import { profiles } from './profiles.ts'
import { VpnClient } from './vpn-client.ts'
import type { Stage, VpnClientEffect, VpnClientInput } from './vpn-contract.ts'

const USAGE = `usage: client-main --server ADDRESS --psk KEY --user NAME --password WORD
                   [--profile xp|win10] [--route CIDR]... [--name COMPUTER] [--tunnel-id N]
                   [--patience SECONDS] [--rekey SECONDS] [--quiet]

Connects, gives the tunnel a TUN device with the address and the routes (192.168.8.0/24), and stays until SIGTERM.
Exit status: 0 hung up; 2 usage; 3 this host; 10 IKE failed; 11 IPsec; 12 L2TP; 13 PPP; 14 refused user or password;
15 the connection was lost.
`

const exitStatus: Readonly<Record<Stage, number>> = {
  IKE: 10,
  IPsec: 11,
  L2TP: 12,
  PPP: 13,
  authentication: 14,
  connected: 15,
}

interface Options {
  readonly server: Ipv4
  readonly routes: readonly string[]
  readonly quiet: boolean
  readonly client: Omit<ConstructorParameters<typeof VpnClient>[0], 'address' | 'server' | 'dice'>
}

function readOptions(args: readonly string[]): Options {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      server: text,
      psk: text,
      user: text,
      password: text,
      profile: { ...text, default: 'xp' },
      route: { ...text, multiple: true, default: ['192.168.8.0/24'] },
      name: { ...text, default: 'XPCLIENT' },
      'tunnel-id': { ...text, default: '1' },
      patience: { ...text, default: '60' },
      rekey: text,
      quiet: { type: 'boolean', default: false },
    },
  })
  const server = parseIpv4(values.server ?? '')
  const { psk, user, password, profile } = values
  if (server === undefined || psk === undefined || user === undefined || password === undefined) {
    throw new Error('--server, --psk, --user and --password are needed')
  }
  if (profile !== 'xp' && profile !== 'win10') throw new Error(`no profile ${profile}: xp or win10`)
  return {
    server,
    routes: values.route,
    quiet: values.quiet,
    client: {
      profile: profiles[profile],
      presharedKey: psk,
      user,
      password,
      computerName: values.name,
      tunnelId: Number(values['tunnel-id']),
      patienceMillis: Number(values.patience) * 1000,
      narrate: !values.quiet,
      ...(values.rekey === undefined ? {} : { rekeyMillis: Number(values.rekey) * 1000 }),
    },
  }
}

function ip(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr.trim()}`)
  return stdout
}

/** The address of ours from which the host reaches the server. */
function sourceAddress(server: Ipv4): Ipv4 {
  const [route] = JSON.parse(ip('-j', 'route', 'get', formatIpv4(server))) as { prefsrc?: string }[]
  if (route?.prefsrc === undefined) throw new Error(`there is no way to ${formatIpv4(server)}`)
  return ipv4(route.prefsrc)
}

/** Everything the machine asks for, done; everything that happens, told to it. */
class Program {
  private readonly o: Options
  private readonly native = loadNative()
  private readonly address: Ipv4
  private readonly client: VpnClient
  private readonly udp: Readonly<Record<500 | 4500, number>>
  private readonly batch = new Batch()
  private readonly attached = this.native.attach(this.batch.buffer)
  private readonly out = new Batch()
  private readonly outAttached = this.native.attach(this.out.buffer)
  private readonly watchers: NativeWatcher[] = []
  private readonly started = performance.now()
  private raw = -1
  private tun = -1
  private timer: NodeJS.Timeout | undefined
  private readonly over: (status: number) => void

  constructor(o: Options, over: (status: number) => void) {
    this.o = o
    this.over = over
    this.address = sourceAddress(o.server)
    this.udp = { 500: this.native.udpSocket(0, 500, false), 4500: this.native.udpSocket(0, 4500, false) }
    const dice = (length: number) => new Uint8Array(randomBytes(length))
    this.client = new VpnClient({ ...o.client, address: this.address, server: o.server, dice })
    for (const port of [500, 4500] as const) {
      const fd = this.udp[port]
      this.watch(fd, () => {
        this.batch.count = this.native.receiveUdp(fd, this.attached, 0)
        this.takeRows(bytes => ({ kind: 'datagram', port, bytes }))
      })
    }
  }

  handle(input: VpnClientInput | { readonly kind: 'deadline' }): void {
    const effects: VpnClientEffect[] = []
    this.client.handle(input, performance.now(), effects)
    for (const effect of effects) this.carryOut(effect)
    clearTimeout(this.timer)
    const { deadline } = this.client
    if (deadline === undefined) return
    this.timer = setTimeout(() => this.handle({ kind: 'deadline' }), Math.max(0, deadline - performance.now()) + 1)
  }

  private carryOut(effect: VpnClientEffect): void {
    const { native, o } = this
    switch (effect.kind) {
      case 'send':
        native.sendTo(this.udp[effect.port], this.address, o.server, effect.port, effect.bytes)
        return
      case 'sendEsp':
        return this.sendEsp(effect.bytes)
      case 'step':
        return this.print(effect.text)
      case 'ipPacket': {
        this.out.clear()
        this.out.push(effect.bytes)
        native.writeTun(this.tun, this.outAttached, 1)
        return
      }
      case 'networkUp':
        return this.networkUp(effect)
      case 'down':
        this.print(`down: ${effect.failed === undefined ? '' : `${effect.failed}: `}${effect.reason}`)
        if (effect.failed !== undefined) process.stdout.write(`failed ${effect.failed}: ${effect.reason}\n`)
        return this.end(effect.failed === undefined ? 0 : exitStatus[effect.failed])
    }
  }

  /** IP protocol 50 is received from the first packet on that is sent. */
  private sendEsp(bytes: Uint8Array): void {
    const { native } = this
    if (this.raw < 0) {
      this.raw = native.rawEspSocket(0, 1)
      this.watch(this.raw, () => {
        this.batch.count = native.receiveRaw(this.raw, this.attached, 0)
        this.takeRows(packet => ({ kind: 'esp', bytes: packet }))
      })
    }
    const { out } = this
    out.clear()
    const row = out.push(bytes)
    out.address[row] = this.o.server
    out.local[row] = this.address
    native.sendEsp(this.udp[4500], this.raw, this.outAttached, 1)
  }

  private networkUp(effect: Extract<VpnClientEffect, { kind: 'networkUp' }>): void {
    const { name, fds } = this.native.tunOpen('vpn%d', 1)
    this.tun = fds[0]!
    const address = formatIpv4(effect.address)
    ip('address', 'add', address, 'peer', formatIpv4(effect.serverAddress), 'dev', name)
    ip('link', 'set', name, 'mtu', String(effect.mtu), 'up')
    for (const route of this.o.routes) ip('route', 'add', route, 'dev', name)
    this.watch(this.tun, () => {
      this.batch.count = this.native.readTun(this.tun, this.attached, 0, NEAR_CAPACITY)
      // The kernel looks for IPv6 routers on every device; PPP has agreed on IPv4 alone.
      for (const bytes of this.rows()) if (bytes[0]! >>> 4 === 4) this.handle({ kind: 'ipPacket', bytes })
    })
    const took = Math.round(performance.now() - this.started)
    this.print(`device ${name}, MTU ${effect.mtu}, DNS ${effect.dns.map(formatIpv4).join(' ') || 'none'}`)
    process.stdout.write(`connected ${address} after ${took} ms\n`)
  }

  /** What the server sent, out of the batch: others are none of our business. */
  private takeRows(input: (bytes: Uint8Array) => VpnClientInput): void {
    for (const bytes of this.rows(this.o.server)) this.handle(input(bytes))
  }

  private rows(from?: Ipv4): Uint8Array[] {
    const { batch } = this
    const rows: Uint8Array[] = []
    for (let i = 0; i < batch.count; i++) {
      if (batch.verdict[i] === Verdict.Forward && (from === undefined || batch.address[i] === from)) {
        rows.push(batch.packet(i).slice())
      }
    }
    return rows
  }

  private watch(fd: number, readable: () => void): void {
    this.watchers.push(this.native.watch(fd, readable))
  }

  private print(text: string): void {
    if (this.o.quiet) return
    const millis = (performance.now() - this.started).toFixed(0).padStart(6)
    process.stdout.write(`${millis} ms  ${text}\n`)
  }

  private end(status: number): void {
    clearTimeout(this.timer)
    for (const watcher of this.watchers.splice(0)) this.native.unwatch(watcher)
    for (const fd of [this.udp[500], this.udp[4500], this.raw, this.tun]) if (fd >= 0) this.native.close(fd)
    this.over(status)
  }
}

async function main(): Promise<number> {
  let options: Options
  try {
    options = readOptions(process.argv.slice(2))
  } catch (e) {
    process.stderr.write(`client: ${(e as Error).message}\n${USAGE}`)
    return 2
  }
  return await new Promise(resolve => {
    try {
      const program = new Program(options, resolve)
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
        process.on(signal, () => program.handle({ kind: 'disconnect' }))
      }
      // SIGUSR2 asks for new SAs, as a lifetime that runs out would.
      process.on('SIGUSR2', () => program.handle({ kind: 'rekey' }))
      program.handle({ kind: 'start' })
    } catch (e) {
      process.stderr.write(`client: ${(e as Error).message}\n`)
      resolve(3)
    }
  })
}

process.exitCode = await main()
