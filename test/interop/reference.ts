/**
 * A gateway of known good parts in place of ours: strongSwan, xl2tpd and pppd in a guest. What fails against it is the
 * lab's fault, or one it is known for: two clients behind one NAT look the same to a Linux kernel.
 */
import { gatewayLan, gatewayPublic, preSharedKey } from '../support/plan.ts'
import type { Gateway } from './gateway.ts'
import type { Guest } from './guest.ts'
import type { World } from './world.ts'

export class Reference implements Gateway {
  readonly name = 'strongSwan, xl2tpd and pppd'
  readonly #world: World
  #guest: Guest | undefined

  constructor(world: World) {
    this.#world = world
  }

  get alive(): boolean {
    return this.#guest?.alive ?? false
  }

  async start(): Promise<void> {
    this.#guest ??= await this.#world.addGateway(gatewayPublic, gatewayLan)
    await this.#guest.boot()
    const { status, output } = await this.#guest.run(
      `exec bash /floatgate/responder ${gatewayPublic} ${gatewayLan} '${preSharedKey}'`,
    )
    if (status !== 0) throw new Error(`the reference gateway did not start: ${output}`)
  }

  async stop(): Promise<void> {
    await this.cutPower()
  }

  async cutPower(): Promise<void> {
    await this.#guest?.cutPower()
  }

  async log(): Promise<string> {
    return (await this.#guest?.run('cat /run/vpn/charon.log /run/vpn/xl2tpd.log /run/vpn/pppd.log'))?.output ?? ''
  }
}
