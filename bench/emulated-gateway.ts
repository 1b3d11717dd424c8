/**
 * A gateway in an emulated machine whose executed instructions are counted: QEMU without hardware virtualisation, Debian's
 * kernel, one processor with AVX2, and a plugin that counts. Its two cards are TAP devices of a namespace.
 */

import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { createInterface, type Interface } from 'node:readline'
import { AgentLine } from '../test/interop/agent-line.ts'
import { type Kernel, packInitrd, packModules, requireKernel } from '../test/interop/qemu-kernel.ts'
import { requireHost, requireProgram, requireRootfs, Unavailable } from '../test/interop/rootfs.ts'
import { strongSwan } from '../test/interop/strongswan.ts'
import { type Daemon, must, run, until } from '../test/support/command.ts'
import { type Network, project } from '../test/support/netns.ts'
import { Instructions } from './guest-instructions.ts'

const QEMU = 'qemu-system-x86_64'
/** Those that mount the root; its own kernel loads all others by itself. */
const MODULES = ['virtio_pci', '9pnet_virtio', '9p', 'overlay']
const BOOT_MILLIS = 120_000

/** What every such machine is made of. */
export interface Parts {
  readonly kernel: Kernel
  readonly rootfs: string
  readonly qemuVersion: string
}

/** Fetches and builds what is missing. Throws `Unavailable` where it cannot be had. */
export async function requireParts(say: (line: string) => void, backports: boolean): Promise<Parts> {
  requireHost()
  await requireProgram(QEMU, 'qemu-system-x86', say)
  const kernel = await requireKernel(say, backports)
  const rootfs = await requireRootfs(strongSwan, say)
  const { output } = await run([QEMU, '--version'])
  return { kernel, rootfs, qemuVersion: /version (\S+)/.exec(output)?.[1] ?? 'unknown' }
}

/** The card of a machine: a TAP device in the namespace it runs in, and the address that it is to have. */
export interface Card {
  readonly tap: string
  readonly name: string
  readonly address: string
}

export class EmulatedGateway {
  readonly instructions: Instructions
  private readonly qemu: Daemon
  private readonly line: AgentLine
  private readonly folder: string
  private monitor: Monitor | undefined

  private constructor(qemu: Daemon, line: AgentLine, instructions: Instructions, folder: string) {
    this.qemu = qemu
    this.line = line
    this.instructions = instructions
    this.folder = folder
  }

  /** The folder that host and machine have in common, at the same place in both. */
  get work(): string {
    return `${this.folder}/work`
  }

  /** Switches it on and returns when it takes commands and its cards have their addresses. */
  static async start(o: {
    readonly parts: Parts
    readonly network: Network
    readonly namespace: string
    readonly name: string
    readonly cards: readonly Card[]
  }): Promise<EmulatedGateway> {
    const { parts, network } = o
    const { kernel } = parts
    const folder = `${network.directory}/${o.name}`
    mkdirSync(`${folder}/work`, { recursive: true })
    mkdirSync(`${folder}/initrd.files`)
    await packModules(kernel, MODULES, `${folder}/initrd.files`)
    for (const name of ['lower', 'upper', 'new']) mkdirSync(`${folder}/initrd.files/${name}`, { recursive: true })
    copyFileSync(`${project}/bench/guest/init`, `${folder}/initrd.files/init`)
    await must([
      'sh',
      '-c',
      'echo "$1" >"$0/early-modules" && chmod +x "$0/init"',
      `${folder}/initrd.files`,
      MODULES.join(' '),
    ])
    await packInitrd(`${folder}/initrd.files`, `${folder}/initrd`)
    const plugin = await Instructions.plugin(folder)
    const counted = `${folder}/instructions`
    const socket = `${folder}/serial`
    const share = (tag: string, path: string, way: 'on' | 'off') => [
      '-virtfs',
      `local,path=${path},mount_tag=${tag},security_model=none,readonly=${way}`,
    ]
    const words = { BENCH_PROJECT: project, BENCH_WORK: `${folder}/work` }
    const argv = [
      // REP MOVSB counts an instruction a byte here, which no processor takes for it: copies go by other instructions.
      ...['-machine', 'pc,accel=tcg', '-cpu', 'max,erms=off', '-icount', 'shift=0', '-smp', '1', '-m', '2048'],
      ...['-display', 'none', '-nodefaults', '-no-reboot', '-plugin', `${plugin},to=${counted}`],
      ...['-kernel', `${kernel.directory}/boot/vmlinuz-${kernel.release}`, '-initrd', `${folder}/initrd`],
      ...[
        '-append',
        `quiet panic=-1 nokaslr norandmaps ${Object.entries(words)
          .map(w => w.join('='))
          .join(' ')}`,
      ],
      ...['-chardev', `socket,id=com1,path=${socket},server=on,wait=off`, '-serial', 'chardev:com1'],
      ...['-qmp', `unix:${folder}/monitor,server=on,wait=off`],
      ...share('root', parts.rootfs, 'on'),
      ...share('modules', `${kernel.directory}/lib/modules/${kernel.release}`, 'on'),
      ...share('project', project, 'on'),
      ...share('work', `${folder}/work`, 'off'),
      ...o.cards.flatMap(({ tap }, i) => [
        ...['-netdev', `tap,id=net${i},ifname=${tap},script=no,downscript=no,vhost=off`],
        ...['-device', `virtio-net-pci,netdev=net${i},mac=52:54:00:fb:00:0${i},romfile=`],
      ]),
    ]
    const qemu = network.start(o.namespace, o.name, QEMU, ...argv)
    const said = () => readFileSync(qemu.logFile, 'latin1').trim().slice(-800)
    await until(() => existsSync(socket) || !qemu.alive, 15_000)
    if (!qemu.alive) throw new Unavailable(`${QEMU} ${parts.qemuVersion} did not start: ${said()}`)
    const line = new AgentLine(o.name, createConnection(socket))
    qemu.child.on('exit', () => line.hangUp())
    await until(() => line.ready || !qemu.alive, BOOT_MILLIS)
    const machine = new EmulatedGateway(qemu, line, new Instructions(counted), folder)
    if (!line.ready) {
      await machine.cutPower()
      throw new Error(`${o.name} did not boot (${qemu.ended ?? 'no answer'}): ${said()}`)
    }
    // What the kernel does now and then for processes' memory is no packet's: it came to 3 instructions a byte where it fell into a load.
    await machine.must('echo 3600000 >/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs')
    // Nothing there loads modules for devices that come.
    await machine.must('modprobe -a virtio_net tun; ip link set lo up; echo 1 >/proc/sys/net/ipv4/ip_forward')
    for (const [i, card] of o.cards.entries()) {
      const named = `ip link set dev "$(basename $(dirname $(grep -l fb:00:0${i} /sys/class/net/*/address)))" name ${card.name}`
      await machine.must(`${named}; ip address add ${card.address} dev ${card.name}; ip link set ${card.name} up`)
    }
    return machine
  }

  get alive(): boolean {
    return this.qemu.alive
  }

  /** Stops its clock and its processor while something is done: what is sent to it meanwhile finds it at once. */
  async whilePaused<T>(work: () => Promise<T>): Promise<T> {
    await this.command('stop')
    try {
      return await work()
    } finally {
      await this.command('cont')
    }
  }

  private async command(word: 'stop' | 'cont'): Promise<void> {
    this.monitor ??= await Monitor.open(`${this.folder}/monitor`)
    await this.monitor.execute(word)
  }

  /** Runs a bash script in it, and answers what it printed; throws where it fails. */
  async must(script: string, timeoutMillis = 60_000): Promise<string> {
    const { status, output } = await this.line.run(`set -e\n${script}`, timeoutMillis)
    if (status !== 0) throw new Error(`${script}: status ${status}\n${output.slice(-2000)}`)
    return output
  }

  async cutPower(): Promise<void> {
    this.monitor?.close()
    await this.qemu.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** QEMU's own control line (QMP): a line of JSON for each command, and for each answer among what else it tells. */
class Monitor {
  private readonly socket: Socket
  private readonly lines: Interface

  private constructor(socket: Socket) {
    this.socket = socket
    this.lines = createInterface({ input: socket })
  }

  static async open(path: string): Promise<Monitor> {
    const monitor = new Monitor(createConnection(path))
    await monitor.execute('qmp_capabilities')
    return monitor
  }

  async execute(command: string): Promise<void> {
    const answered = new Promise<void>((resolve, reject) => {
      const take = (line: string) => {
        if (!/^{"(return|error)"/.test(line)) return
        this.lines.off('line', take)
        if (line.startsWith('{"return"')) resolve()
        else reject(new Error(`QEMU, ${command}: ${line}`))
      }
      this.lines.on('line', take)
    })
    this.socket.write(`${JSON.stringify({ execute: command })}\n`)
    await answered
  }

  close(): void {
    this.socket.destroy()
  }
}
