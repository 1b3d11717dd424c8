/** A scenario of dead peer detection (RFC 3706): the client asks, the gateway answers until it is cut off. */
import { sleep, until } from '../support/command.ts'
import { expect, expectPings, expectSessions, type Scenario, type Stage, up } from './expectations.ts'

/** How many questions the gateway has heard. */
async function questions({ gateway }: Stage): Promise<number> {
  const counters = (await gateway.command?.('show', 'counter')) ?? ''
  return Number(/\bdpd +(\d+)/.exec(counters)?.[1] ?? 0)
}

/** The idle client asks, is answered and stays; the gateway dies without a word, and the client finds out. */
async function deadPeer(stage: Stage): Promise<string> {
  const { c1, gateway } = stage
  const before = await questions(stage)
  const connection = await c1.connect({ dpdSeconds: 2 })
  await sleep(12_000)
  const asked = (await questions(stage)) - before
  expect(asked >= 2, `the client asked ${asked} times in 12 s`)
  await expectPings(c1)
  await expectSessions(gateway, 'dialin1')
  const found = () => c1.logged(c1.daemon.peerDead)
  expect((await found()) === 0, 'the client took a gateway that answers for dead')

  await gateway.cutPower()
  const begin = Date.now()
  expect(
    await until(async () => (await found()) > 0, 40_000, 500),
    'the client did not notice that the gateway is gone',
  )
  const seconds = ((Date.now() - begin) / 1000).toFixed(0)
  await gateway.start()
  await c1.disconnect() // Not cleanly: who should answer?
  const again = await c1.connect()
  await expectPings(c1)
  expect(await c1.disconnect(), 'the client could not leave cleanly')
  return `${up(connection)}, ${asked} questions answered; the gateway's end noticed after ${seconds} s, then ${up(again)}`
}

export const livenessScenarios: readonly Scenario[] = [
  {
    name: 'dead-peer',
    about: 'dead peer detection: the gateway answers, dies, is missed, comes back',
    play: deadPeer,
    beyondReference: 'it cannot be asked what it heard',
  },
]
