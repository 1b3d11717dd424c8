/** Scenarios of renewals by the client while traffic runs. */
import type { IsakmpSaState } from '../../src/alliedware/show/state.ts'
import { download, expect, expectPings, expectSessions, type Scenario, type Stage, up } from './expectations.ts'

/** The client renews quick mode while it pings: hardly a ping is lost. */
async function rekey(stage: Stage): Promise<string> {
  const { c1, gateway } = stage
  const connection = await c1.connect({ lifeSeconds: 24, rekeySeconds: 10 })
  const { sent, received } = await c1.ping(150)
  const quickModes = await c1.logged(c1.daemon.quickModeDone)
  await expectPings(c1, 3)
  await expectSessions(gateway, 'dialin1')
  expect(await c1.disconnect(), 'the client could not leave cleanly')
  await expectSessions(gateway)
  expect(quickModes >= 3, `only ${quickModes} quick modes took place`)
  expect(sent - received <= 2, `${sent - received} of ${sent} pings were lost`)
  return `${up(connection)}, ${quickModes} quick modes, ${sent - received} of ${sent} pings lost`
}

/** The client renews main mode while it pings and deletes the old ISAKMP SA: what hung on it stays, no ping is lost. */
async function mainModeRekey(stage: Stage): Promise<string> {
  const { c1, gateway } = stage
  // libreswan keeps an old ISAKMP SA as long before its end as an old ESP SA.
  const lifeSeconds = c1.daemon.name === 'libreswan' ? 20 : 40
  const connection = await c1.connect({ reauthSeconds: 9, overSeconds: 3, rekeySeconds: 14, lifeSeconds })
  const { sent, received } = await c1.ping(150)
  const mainModes = await c1.logged(c1.daemon.mainModeDone)
  const quickModes = await c1.logged(c1.daemon.quickModeDone)
  await expectSessions(gateway, 'dialin1')
  const after = await gateway.show?.<IsakmpSaState>('isakmp sa')
  expect(await c1.disconnect(), 'the client could not leave cleanly')
  await expectSessions(gateway)
  expect(mainModes >= 3, `only ${mainModes} main modes took place`)
  expect(quickModes >= 2, `only ${quickModes} quick modes took place`)
  expect(sent === received, `${sent - received} of ${sent} pings were lost`)
  expect(after === undefined || after.length <= 2, `${after?.length} ISAKMP SAs for one client`)
  return `${up(connection)}, ${mainModes} main and ${quickModes} quick modes, no ping lost of ${sent}`
}

/** Lifetimes of minutes: both kinds of renewal under a ping and downloads, for five minutes. */
async function minutes({ c1, gateway }: Stage): Promise<string> {
  const connection = await c1.connect({ reauthSeconds: 100, overSeconds: 20, rekeySeconds: 60, lifeSeconds: 90 })
  const end = Date.now() + 300_000
  let [sent, lost, downloads] = [0, 0, 0]
  while (Date.now() < end) {
    const [pings] = await Promise.all([c1.ping(100), download(c1, 200_000)])
    sent += pings.sent
    lost += pings.sent - pings.received
    downloads++
  }
  const mainModes = await c1.logged(c1.daemon.mainModeDone)
  const quickModes = await c1.logged(c1.daemon.quickModeDone)
  await expectSessions(gateway, 'dialin1')
  expect(await c1.disconnect(), 'the client could not leave cleanly')
  await expectSessions(gateway)
  expect(mainModes >= 3 && quickModes >= 5, `only ${mainModes} main and ${quickModes} quick modes took place`)
  expect(lost === 0, `${lost} of ${sent} pings were lost`)
  return `${up(connection)}, ${mainModes} main and ${quickModes} quick modes, no ping lost of ${sent}, ${downloads} downloads whole`
}

export const renewalScenarios: readonly Scenario[] = [
  { name: 'rekey', about: 'quick mode renewed by the client under a running ping', play: rekey },
  { name: 'main-mode-rekey', about: 'main mode renewed by the client under a running ping', play: mainModeRekey },
  {
    name: 'minutes',
    about: 'five minutes of both renewals under a ping and downloads',
    play: minutes,
    apart: true,
  },
]
