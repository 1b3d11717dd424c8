/** What scenarios are made of: the stage they play on, and what they expect of it. */
import { createHash } from 'node:crypto'
import type { AttemptState, IsakmpSaState, SessionState } from '../../src/alliedware/show/state.ts'
import type { Cipher } from '../../src/esp/sa.ts'
import { until } from '../support/command.ts'
import { pattern } from '../support/pattern.ts'
import { lanHost } from '../support/plan.ts'
import { type Client, type Connection, NoConnection } from './client.ts'
import type { Gateway, Variant } from './gateway.ts'
import type { IkeDaemon, Settings } from './settings.ts'
import type { World } from './world.ts'

export interface Stage {
  readonly world: World
  readonly gateway: Gateway
  /** Behind the NAT; dialin1 and dialin2. */
  readonly c1: Client
  readonly c2: Client
  /** On the public segment itself; dialin1. */
  readonly c3: Client
  /** More behind the NAT: empty until a scenario boots some; switched off when it is over. */
  readonly crowd: Client[]
}

export interface Scenario {
  readonly name: string
  readonly about: string
  readonly play: (stage: Stage) => Promise<string>
  /** Names that choose it together with others. */
  readonly groups?: readonly string[]
  /** Who dials, where it is none of the stage's clients, such as "Windows xp". */
  readonly guest?: string
  /** The daemon of c1 and c3, where that is not strongSwan. */
  readonly daemon?: IkeDaemon
  /** Only played when named, or with --all: it takes minutes, or shows little that others do not. */
  readonly apart?: boolean
  /** The gateway it takes, where that is not the usual one. */
  readonly variant?: Variant
  /** Why the reference gateway cannot pass it, where that is known. */
  readonly beyondReference?: string
}

export function expect(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise)
}

export async function expectPings(client: Client, count = 5, options = ''): Promise<number> {
  const { sent, received, averageMillis } = await client.ping(count, options)
  expect(sent === count && received === count, `${client.name}: ${received} of ${count} pings ${options} came back`)
  return averageMillis
}

/** Fetches `bytes` from the LAN host and compares; Mbit/s as the client's curl saw it. */
export async function download(client: Client, bytes: number): Promise<number> {
  const url = `http://${lanHost}/${bytes}`
  const command = `curl -sS -m 180 -o /run/vpn/got -w '%{speed_download}\\n' ${url} && sha256sum </run/vpn/got`
  const [speed, digest] = (await client.must(command, 200_000)).split(/\s+/)
  const wanted = createHash('sha256').update(pattern(bytes)).digest('hex')
  expect(digest === wanted, `${client.name}: ${bytes} bytes arrived damaged`)
  return (Number(speed) * 8) / 1e6
}

/** Sends what `download` fetched back to the LAN host and compares; Mbit/s. */
export async function upload(client: Client, bytes: number): Promise<number> {
  const command = `curl -sS -m 180 -T /run/vpn/got -H Expect: -w ' %{speed_upload}' http://${lanHost}/`
  const [digest, speed] = (await client.must(command, 200_000)).split(' ')
  const wanted = createHash('sha256').update(pattern(bytes)).digest('hex')
  expect(digest === wanted, `${client.name}: ${bytes} bytes reached the LAN host damaged`)
  return (Number(speed) * 8) / 1e6
}

/** Undefined from a gateway that cannot be asked. */
const sessionsOf = async (gateway: Gateway) => gateway.show?.<SessionState>('session')

export async function expectSessions(gateway: Gateway, ...users: string[]): Promise<void> {
  const seen = async () => (await sessionsOf(gateway))?.map(session => session.user).sort()
  const wanted = users.sort().join()
  // A client is connected a moment before the gateway has taken notice of it.
  const asWanted = await until(async () => [undefined, wanted].includes((await seen())?.join()))
  expect(asWanted, `show session lists [${await seen()}], not [${wanted}]`)
}

/** What the gateway has of ISAKMP SAs; a client whose power was cut earlier left one that lives until its time is over. */
export async function isakmpSas(gateway: Gateway): Promise<ReadonlySet<number>> {
  return new Set(((await gateway.show?.<IsakmpSaState>('isakmp sa')) ?? []).map(sa => sa.id))
}

/** None has come to those of `before`. */
export async function expectNoFurtherIsakmpSas(gateway: Gateway, before: ReadonlySet<number>): Promise<void> {
  const further = async () => [...(await isakmpSas(gateway))].filter(id => !before.has(id))
  const none = await until(async () => (await further()).length === 0)
  expect(none, `these ISAKMP SAs were left: ${await further()}`)
}

/** Waits for the gateway's word on the newest failed attempt; it has to match. */
export async function expectVerdict(gateway: Gateway, seen: number, pattern: RegExp): Promise<string> {
  if (!gateway.show) return 'not asked'
  const failed = async () => {
    const attempts = (await gateway.show?.<AttemptState>('attempt')) ?? []
    return attempts.filter(attempt => attempt.id > seen && attempt.outcome === 'failed')
  }
  await until(async () => (await failed()).some(attempt => pattern.test(attempt.text)))
  const texts = (await failed()).map(attempt => `${attempt.text} [${attempt.remedy}]`)
  const text = texts.find(text => pattern.test(text))
  expect(text !== undefined, `show attempt has no failure like ${pattern}, but ${JSON.stringify(texts)}`)
  return text
}

/** The newest attempt the gateway knows of. */
export async function newestAttempt(gateway: Gateway): Promise<number> {
  const attempts = await gateway.show?.<AttemptState>('attempt')
  return Math.max(0, ...(attempts ?? []).map(attempt => attempt.id))
}

export async function expectRefusal(client: Client, stage: string, settings: Partial<Settings>): Promise<NoConnection> {
  try {
    await client.connect(settings)
  } catch (error) {
    if (!(error instanceof NoConnection)) throw error
    expect(error.stage === stage, `was to be refused in ${stage}, but: ${error.message}`)
    return error
  }
  throw new Error(`${client.name} connected although it should have been refused`)
}

export const up = (connection: Connection) => `up ${connection.seconds} s (IKE ${connection.ikeSeconds})`

/** Connect, ping, fetch, leave. */
export async function visit(
  stage: Stage,
  client: Client,
  settings: Partial<Settings>,
  cipher: Cipher,
  natted: boolean,
) {
  const connection = await client.connect(settings)
  expect(connection.ciphers.join() === cipher, `the cipher is ${connection.ciphers}, not ${cipher}`)
  expect(connection.udpEncapsulated === natted, `UDP encapsulation is ${connection.udpEncapsulated}`)
  const millis = await expectPings(client)
  const greeting = await client.must(`curl -sS -m 60 http://${lanHost}/`, 70_000)
  expect(greeting.includes(connection.address), `the LAN host saw "${greeting.trim()}", not ${connection.address}`)
  await expectSessions(stage.gateway, client.account.user)
  const clean = await client.disconnect()
  expect(clean, 'the client could not leave cleanly')
  await expectSessions(stage.gateway)
  return `${up(connection)}, ${connection.address}, ping ${millis} ms`
}
