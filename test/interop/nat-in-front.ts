/** Scenarios with the gateway behind a NAT of its own that forwards UDP 500 and 4500. */

import { expectPings, type Scenario, type Stage, visit } from './expectations.ts'
import { aes128, tripleDes } from './settings.ts'

/** A client behind its NAT, then one that has none, which the gateway has to make use UDP all the same. */
async function natInFront(stage: Stage): Promise<string> {
  const behind = await visit(stage, stage.c1, tripleDes, '3des', true)
  const bare = await visit(stage, stage.c3, aes128, 'aes128', true)
  return `behind NAT: ${behind}; without: ${bare}`
}

/** The client renews main mode and quick mode while it pings, through both NATs. */
async function natInFrontRenewals(stage: Stage): Promise<string> {
  const { c1 } = stage
  await c1.connect({ lifeSeconds: 20, rekeySeconds: 6, reauthSeconds: 9, overSeconds: 3 })
  const millis = await expectPings(c1, 70)
  await c1.disconnect()
  return `70 pings, none lost, ${millis} ms`
}

const variant = { behindNat: true }

export const natInFrontScenarios: readonly Scenario[] = [
  {
    name: 'nat-in-front',
    about: 'the gateway behind a NAT too, with publicAddress',
    play: natInFront,
    variant,
    beyondReference: 'it knows no public address',
  },
  {
    name: 'nat-in-front-rekey',
    about: 'renewals of both kinds through two NATs',
    play: natInFrontRenewals,
    variant,
    beyondReference: 'it knows no public address',
  },
]
