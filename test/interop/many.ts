/** Scenarios of numbers: many clients behind one NAT, many connections in a row. */
import type { SessionState } from '../../src/alliedware/show/state.ts'
import { accounts, officeScript } from '../support/plan.ts'
import { Client } from './client.ts'
import {
  download,
  expect,
  expectNoFurtherIsakmpSas,
  expectPings,
  expectSessions,
  isakmpSas,
  type Scenario,
  type Stage,
} from './expectations.ts'
import { aes128, tripleDes } from './settings.ts'
import { strongSwan } from './strongswan.ts'

const more = [
  { number: 4, account: accounts.dialin3 },
  { number: 5, account: { user: 'dialin4', password: 'friend4' } },
  { number: 6, account: { user: 'dialin5', password: 'friend5' } },
]
/** The office knows the first of them. */
const addUsers = more
  .slice(1)
  .map(({ account: { user, password } }) => `add user=${user} password=${password} login=no\n`)

/** Five clients share one public address and all work at once; one leaves and returns, the others notice nothing. */
async function fiveBehindOneNat({ world, gateway, c1, c2, crowd }: Stage): Promise<string> {
  for (const { number, account } of more) {
    crowd.push(new Client(await world.addGuest(`c${number}`, 'nat', `10.1.0.${10 + number}`), account, strongSwan))
  }
  await Promise.all(crowd.map(client => client.guest.boot()))
  const five = [c1, c2, ...crowd]
  const users = five.map(client => client.account.user)
  const connections = await Promise.all(five.map((client, i) => client.connect(i % 2 === 0 ? tripleDes : aes128)))
  const addresses = connections.map(connection => connection.address)
  expect(new Set(addresses).size === five.length, `two have the same address: ${addresses}`)
  await expectSessions(gateway, ...users)
  await Promise.all(five.map(client => expectPings(client, 10)))
  const rates = await Promise.all(five.map(client => download(client, 300_000)))

  const [one, ...others] = five as [Client, ...Client[]]
  const [left] = await Promise.all([one.disconnect(), ...others.map(client => expectPings(client, 15))])
  expect(left, `${one.name} could not leave cleanly`)
  await expectSessions(gateway, ...users.slice(1))
  const [back] = await Promise.all([one.connect(), ...others.map(client => expectPings(client, 15))])
  await Promise.all(five.map(client => expectPings(client)))
  const rows = (await gateway.show?.<SessionState>('session')) ?? []
  expect(rows.length === five.length, `${rows.length} sessions for five clients`)

  const clean = await Promise.all(five.map(client => client.disconnect()))
  expect(
    clean.every(yes => yes),
    `these could not leave cleanly: ${five.filter((_, i) => !clean[i]).map(client => client.name)}`,
  )
  await expectSessions(gateway)
  await Promise.all(crowd.map(client => client.guest.cutPower()))
  const seconds = connections.map(connection => connection.seconds)
  return `up ${seconds.join(', ')} s; ${rates.reduce((sum, rate) => sum + rate).toFixed(0)} Mbit/s in all; again ${back.seconds} s`
}

/** Connects in a row: each comes up, carries pings and leaves nothing. */
async function connectLoop({ c1, gateway }: Stage, loops: number): Promise<string> {
  const seconds: number[] = []
  const before = await isakmpSas(gateway)
  for (let round = 1; round <= loops; round++) {
    const connection = await c1.connect(round % 2 === 0 ? tripleDes : aes128)
    seconds.push(connection.seconds)
    await expectPings(c1, 2)
    expect(await c1.disconnect(), `the client could not leave cleanly in round ${round}`)
    await expectSessions(gateway)
  }
  await expectNoFurtherIsakmpSas(gateway, before)
  seconds.sort((a, b) => a - b)
  return `${loops} of ${loops} up, in ${seconds[0]} to ${seconds.at(-1)} s, half of them in ${seconds[loops >> 1]} s`
}

export const manyScenarios: readonly Scenario[] = [
  { name: 'connect-loop', about: 'five connections in a row', play: stage => connectLoop(stage, 5) },
  { name: 'connect-fifty', about: 'fifty connections in a row', play: stage => connectLoop(stage, 50), apart: true },
  {
    name: 'five-behind-one-nat',
    about: 'five clients behind one NAT at once; one leaves and returns',
    play: fiveBehindOneNat,
    variant: { script: officeScript().replace('create ppp template', `${addUsers.join('')}create ppp template`) },
    beyondReference: 'a Linux kernel cannot tell the clients apart',
  },
]
