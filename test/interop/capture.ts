/** What crosses the public segment, recorded to be read by Wireshark. */
import { statSync } from 'node:fs'
import { type Daemon, PATIENCE_MILLIS, until } from '../support/command.ts'
import { dissect, type Keys, type Reading, summarize } from '../support/tshark.ts'
import { requireProgram } from './rootfs.ts'
import type { World } from './world.ts'

export class Capture {
  readonly file: string
  readonly #dumpcap: Daemon

  private constructor(file: string, dumpcap: Daemon) {
    this.file = file
    this.#dumpcap = dumpcap
  }

  /** Starts to record at the gateway's port of the public segment. */
  static async start(world: World): Promise<Capture> {
    await requireProgram('tshark', 'tshark', line => process.stdout.write(`interop: ${line}\n`))
    await requireProgram('dumpcap', 'wireshark-common', line => process.stdout.write(`interop: ${line}\n`))
    const file = `${world.network.directory}/public.pcapng`
    // -P keeps the classic format; the kernel buffers nothing that is not written at once.
    const dumpcap = world.network.start('pub', 'dumpcap', 'dumpcap', '-q', '-P', '-i', 'gw', '-w', file)
    const size = () => statSync(file, { throwIfNoEntry: false })?.size ?? 0
    await until(() => size() > 0 || !dumpcap.alive)
    if (!dumpcap.alive) throw new Error(`dumpcap ended: ${dumpcap.ended}`)
    return new Capture(file, dumpcap)
  }

  async stop(): Promise<void> {
    await this.#dumpcap.stop(PATIENCE_MILLIS)
  }

  async read(keys: Keys): Promise<Reading> {
    return summarize(await dissect(this.file, keys))
  }
}
