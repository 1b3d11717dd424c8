/** A guest in QEMU with a disk image that stays as it is, a card in one of the lab's segments, and the agent on COM1. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { type Daemon, run, until } from '../support/command.ts'
import type { Wire } from './windows-agent.ts'
import type { Image } from './windows-images.ts'
import type { Card } from './windows-network.ts'
import type { World } from './world.ts'

const program = 'qemu-system-x86_64'
export type Accelerator = 'kvm' | 'tcg'

/** QEMU's arguments for an image. `disk` has the lab's files, `socket` becomes COM1. */
export function qemuArguments(image: Image, card: Card, disk: string, socket: string, accelerator: Accelerator) {
  const { version } = image
  // Old systems know no features that a new processor has; new ones refuse a processor without them.
  const cpu = accelerator === 'kvm' ? 'host' : version.way === 'powershell' ? 'max' : 'qemu64'
  return [
    ...['-name', image.name, '-machine', `${version.machine},accel=${accelerator}`, '-cpu', cpu],
    ...['-m', String(image.memoryMegabytes), '-smp', String(image.processors), '-rtc', 'base=localtime'],
    ...['-display', 'none', '-nodefaults', '-vga', 'std', '-snapshot'],
    ...['-drive', `file=${image.path.replaceAll(',', ',,')},if=ide,index=0,media=disk`],
    ...['-drive', `file=${disk},format=raw,${image.medium === 'floppy' ? 'if=floppy' : 'if=ide,index=1,media=disk'}`],
    ...['-netdev', `tap,id=net0,ifname=${card.tap},script=no,downscript=no`],
    ...['-device', `${version.card},netdev=net0,mac=${card.mac}`],
    ...['-chardev', `socket,id=com1,path=${socket},server=on,wait=off`, '-serial', 'chardev:com1'],
    ...image.qemu,
  ]
}

/** A boot sector (x86, 16 bits) that writes 16 to port 0xf4: QEMU then ends with status 33. */
const bootSector = Buffer.concat([
  Buffer.from([0xb0, 0x10, 0xe6, 0xf4, 0xf4]),
  Buffer.alloc(505),
  Buffer.from([0x55, 0xaa]),
])

/** Whether a guest really starts with this accelerator: a /dev/kvm that can be opened proves nothing. */
export async function boots(accelerator: Accelerator, directory: string): Promise<boolean> {
  if (accelerator === 'kvm' && !existsSync('/dev/kvm')) return false
  const sector = `${directory}/probe-${accelerator}.img`
  writeFileSync(sector, bootSector)
  const argv = [
    ...[program, '-machine', `pc,accel=${accelerator}`, '-m', '16', '-display', 'none', '-nodefaults', '-no-reboot'],
    ...[
      '-drive',
      `file=${sector},format=raw,if=floppy`,
      '-boot',
      'a',
      '-device',
      'isa-debug-exit,iobase=0xf4,iosize=1',
    ],
  ]
  return (await run(argv, { timeoutMillis: 10_000 })).status === 33
}

export class Machine {
  readonly kind: Accelerator
  private readonly daemon: Daemon
  private readonly socket: string
  private line: Socket | undefined

  private constructor(kind: Accelerator, daemon: Daemon, socket: string) {
    this.kind = kind
    this.daemon = daemon
    this.socket = socket
  }

  /** Switches the machine on; throws with QEMU's words when it ends at once. */
  static async start(
    world: World,
    kind: Accelerator,
    name: string,
    segment: string,
    argv: readonly string[],
    socket: string,
  ): Promise<Machine> {
    const machine = new Machine(kind, world.network.start(segment, name, program, ...argv), socket)
    const up = await until(() => existsSync(socket) || !machine.alive)
    if (!up || !machine.alive) {
      await machine.cutPower()
      const said = readFileSync(machine.daemon.logFile, 'utf8').trim().slice(-800)
      throw new Error(`${name} did not start (${machine.daemon.ended ?? 'no serial port'}): ${said}`)
    }
    return machine
  }

  get alive(): boolean {
    return this.daemon.alive
  }

  /** COM1. */
  get wire(): Wire {
    const line = createConnection(this.socket)
    this.line = line
    line.setEncoding('latin1')
    line.on('error', () => {}) // The machine was switched off.
    return {
      write: text => line.write(text, 'latin1'),
      listen: take => void line.on('data', take),
    }
  }

  /** Pulls the plug. */
  async cutPower(): Promise<void> {
    this.line?.destroy()
    await this.daemon.stop()
  }
}
