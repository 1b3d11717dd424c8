/** Who plays: the clients, by their IKE daemon, booted when the first scenario wants them. */
import { accounts } from '../support/plan.ts'
import { Client } from './client.ts'
import type { Stage } from './expectations.ts'
import type { Gateway } from './gateway.ts'
import { libreswan } from './libreswan.ts'
import { requireRootfs, Unavailable } from './rootfs.ts'
import type { IkeDaemon } from './settings.ts'
import { strongSwan } from './strongswan.ts'
import type { World } from './world.ts'

export class Cast {
  readonly #world: World
  readonly #gateway: Gateway
  readonly #say: (line: string) => void
  readonly #stages = new Map<IkeDaemon, Promise<Stage>>()

  constructor(world: World, gateway: Gateway, say: (line: string) => void) {
    this.#world = world
    this.#gateway = gateway
    this.#say = say
  }

  /** The stage with clients of this kind as c1 and c3. Throws `Unavailable` where they do not boot. */
  stage(daemon: IkeDaemon = strongSwan): Promise<Stage> {
    let stage = this.#stages.get(daemon)
    if (stage === undefined) {
      stage = daemon === strongSwan ? this.#first() : this.#others()
      this.#stages.set(daemon, stage)
    }
    return stage
  }

  async #first(): Promise<Stage> {
    const world = this.#world
    const [c1, c2, c3] = [await world.addClient('c1'), await world.addClient('c2'), await world.addClient('c3')]
    const stage: Stage = {
      world,
      gateway: this.#gateway,
      c1: new Client(c1, accounts.dialin1, strongSwan),
      c2: new Client(c2, accounts.dialin2, strongSwan),
      c3: new Client(c3, accounts.dialin1, strongSwan),
      crowd: [],
    }
    await this.#boot([stage.c1, stage.c2, stage.c3])
    const { status, output } = await c1.run('ping -n -c 2 -i 0.2 -W 3 203.0.113.50')
    if (status !== 0) throw new Error(`the lab's own wires do not work: ${output}`)
    return stage
  }

  /** libreswan beside them: c2 stays who it was. */
  async #others(): Promise<Stage> {
    const world = this.#world
    const stage = await this.stage()
    const rootfs = await requireRootfs(libreswan, this.#say)
    const [l1, l3] = [
      await world.addGuest('l1', 'nat', '10.1.0.21', rootfs),
      await world.addGuest('l3', 'pub', '203.0.113.51', rootfs),
    ]
    const others = {
      ...stage,
      c1: new Client(l1, accounts.dialin1, libreswan),
      c3: new Client(l3, accounts.dialin1, libreswan),
    }
    await this.#boot([others.c1, others.c3])
    return others
  }

  async #boot(clients: readonly Client[]): Promise<void> {
    const begin = Date.now()
    try {
      await Promise.all(clients.map(client => client.guest.boot()))
    } catch (error) {
      throw new Unavailable((error as Error).message)
    }
    const names = clients.map(client => client.name).join(', ')
    this.#say(`${names} booted in ${((Date.now() - begin) / 1000).toFixed(1)} s: ${await programs(clients[0]!)}`)
  }

  /** What the clients that played are made of. */
  async programs(): Promise<readonly string[]> {
    const stages = await Promise.all(this.#stages.values())
    return await Promise.all(stages.map(stage => programs(stage.c1)))
  }
}

/** What a client is made of, such as "Linux 6.1, strongSwan 5.9.8-5". */
async function programs({ guest, daemon }: Client): Promise<string> {
  const packages = `${daemon.packages[0]} xl2tpd ppp`
  const { output } = await guest.run(`dpkg-query -W -f '\${Package} \${Version}\\n' ${packages}; uname -sr`)
  return output.trim().split('\n').join(', ')
}
