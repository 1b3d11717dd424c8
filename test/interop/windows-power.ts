/** Switches a Windows guest on in QEMU, with the lab's disk and a card in the segment where it is to be. */
import { readFileSync } from 'node:fs'
import type { Gateway } from './gateway.ts'
import { requireProgram, Unavailable } from './rootfs.ts'
import { type SwitchOn, WindowsClient } from './windows-client.ts'
import type { Image } from './windows-images.ts'
import { type Accelerator, boots, Machine, qemuArguments } from './windows-machine.ts'
import { plug } from './windows-network.ts'
import { type Credentials, writeLabDisk } from './windows-program.ts'
import type { World } from './world.ts'

const say = (line: string) => process.stderr.write(`interop: ${line}\n`)
let accelerator: Promise<Accelerator> | undefined

/** Which kind of machine this host can have; found out once. */
async function findAccelerator(directory: string): Promise<Accelerator> {
  await requireProgram('qemu-system-x86_64', 'qemu-system-x86', say)
  for (const kind of ['kvm', 'tcg'] as const) if (await boots(kind, directory)) return kind
  throw new Unavailable('QEMU starts no machine here')
}

/** A PKCS #12 file of the gateway's making, and the authority with it where there is none yet. */
async function makeCertificate({ command }: Gateway): Promise<Credentials> {
  if (command === undefined) throw new Unavailable('this gateway makes no certificates')
  const password = 'Packed-4-travel'
  const create = () => command('create', 'certificate', 'user=windows', `password=${password}`)
  const told = await create().catch(async () => {
    await command('create', 'ca')
    return await create()
  })
  const file = /(\/\S+\.p12)/.exec(told)?.[1]
  if (file === undefined) throw new Error(`no certificate was made: ${told}`)
  return { p12: readFileSync(file), password }
}

/** @param number distinguishes the addresses of several: from 1 on */
export function inQemu(world: World, image: Image, number: number): WindowsClient {
  const { directory, id } = world.network
  let starts = 0
  const switchOn: SwitchOn = async (place, gateway) => {
    accelerator ??= findAccelerator(directory)
    const kind = await accelerator
    const base = `${directory}/${image.name}-${++starts}`
    await writeLabDisk(`${base}.img`, image, image.login === 'certificate' ? await makeCertificate(gateway) : undefined)
    const card = await plug(world, place, number)
    const argv = qemuArguments(image, card, `${base}.img`, `${base}.com1`, kind)
    return await Machine.start(world, kind, image.name, place, argv, `${base}.com1`)
  }
  return new WindowsClient(image, `/tmp/floatgate-interop/${id}-${image.name}`, switchOn)
}
