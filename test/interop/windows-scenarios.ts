/** The scenarios of a Windows image: the same for each, and in the same table as those of the Linux guests. */
import type { IpsecSaState } from '../../src/alliedware/show/state.ts'
import { accounts, officeScript, preSharedKey } from '../support/plan.ts'
import { expect, expectSessions, expectVerdict, newestAttempt, type Scenario, type Stage } from './expectations.ts'
import type { Gateway, Variant } from './gateway.ts'
import { RasFailure, type WindowsClient } from './windows-client.ts'
import { explainRasError } from './windows-errors.ts'
import type { Image } from './windows-images.ts'
import type { Segment } from './windows-network.ts'
import { inQemu } from './windows-power.ts'
import type { World } from './world.ts'

type Play = (client: WindowsClient, stage: Stage) => Promise<string>

const account = accounts.dialin1
/** Quick mode's lifetime in Windows' own offer is 250000 KB; more than that has to pass. */
const rekeyBytes = { piece: 8_000_000, most: 320_000_000 } as const

/** Connect, ping small and whole and in fragments, fetch, hang up. */
async function visit(client: WindowsClient, { gateway }: Stage): Promise<string> {
  const { address, seconds } = await connect(client, gateway)
  expect(address === account.address, `the address is ${address}, not ${account.address}`)
  await expectSessions(gateway, account.user)
  const millis = await expectPings(client, 5)
  await expectPings(client, 3, 1372, true)
  await expectPings(client, 3, 4000)
  const rate = await client.download(2_000_000)
  await client.hangUp()
  await expectSessions(gateway)
  return `${client.description}; up ${seconds.toFixed(1)} s, ${address}, ping ${millis} ms, ${rate.toFixed(0)} Mbit/s down`
}

async function wrongPassword(client: WindowsClient, { gateway }: Stage): Promise<string> {
  const seen = await newestAttempt(gateway)
  const { error, seconds } = await client.dial({ ...account, password: 'enemy1' })
  expect(error === 691, `a wrong password was to be RAS 691, but is ${explainRasError(error)}`)
  const verdict = await expectVerdict(gateway, seen, /password/i)
  await expectSessions(gateway)
  const again = await connect(client, gateway)
  await expectPings(client, 3)
  await client.hangUp()
  return `${explainRasError(error)}, after ${seconds.toFixed(1)} s; then up ${again.seconds.toFixed(1)} s; verdict: ${verdict}`
}

async function wrongKey(client: WindowsClient, { gateway }: Stage): Promise<string> {
  const seen = await newestAttempt(gateway)
  await client.configure(`${preSharedKey}4`)
  const { error, seconds } = await client.dial(account)
  await client.configure(preSharedKey)
  expect(error !== 0, 'it connected with a wrong key')
  const verdict = await expectVerdict(gateway, seen, /pre-shared key/i)
  const again = await connect(client, gateway)
  await expectPings(client, 3)
  await client.hangUp()
  return `${explainRasError(error)}, after ${seconds.toFixed(1)} s; then up ${again.seconds.toFixed(1)} s; verdict: ${verdict}`
}

/** Quick mode is renewed by the client, because of the bytes that passed or because of the time, and nothing is lost. */
async function rekey(client: WindowsClient, { gateway }: Stage): Promise<string> {
  const show = gateway.show
  if (show === undefined) throw new Error('this gateway cannot be asked for its SAs')
  const newestSa = async () => Math.max(0, ...(await show<IpsecSaState>('ipsec sa')).map(sa => sa.id))
  const { bytes, seconds, what } =
    client.image.rekey === 'bytes'
      ? { bytes: rekeyBytes.most, seconds: 3600, what: 'bytes' }
      : { bytes: 0, seconds: client.image.rekey, what: 'time' }
  await connect(client, gateway)
  const first = await newestSa()
  const begin = performance.now()
  const elapsed = () => (performance.now() - begin) / 1000
  let lost = 0
  let fetched = 0
  let renewed = false
  for (let left = true; left && !renewed; ) {
    const pings = await client.ping(25)
    lost += pings.sent - pings.received
    if (bytes > 0) {
      await client.download(rekeyBytes.piece)
      fetched += rekeyBytes.piece
    }
    renewed = (await newestSa()) > first
    left = elapsed() < seconds && (bytes === 0 || fetched < bytes)
  }
  const after = await client.ping(10)
  await expectSessions(gateway, account.user)
  await client.hangUp()
  await expectSessions(gateway)
  const past = `after ${elapsed().toFixed(0)} s${fetched > 0 ? ` and ${(fetched / 1e6).toFixed(0)} MB` : ''}`
  expect(renewed, `quick mode was not renewed ${past} (by ${what})`)
  expect(lost <= 2 && after.received === after.sent, `${lost} pings were lost, ${after.received} of 10 afterwards`)
  return `quick mode renewed ${past}, ${lost} pings lost`
}

/** The plug is pulled in mid-session: the gateway lets it in again at the first try. */
async function powerCut(client: WindowsClient, { gateway }: Stage): Promise<string> {
  const first = await connect(client, gateway)
  await expectPings(client, 3)
  await client.cutPower()
  await client.start('nat', gateway)
  const second = await connect(client, gateway)
  await expectPings(client, 3)
  await expectSessions(gateway, account.user)
  expect(second.address === first.address, `the client got ${second.address} after ${first.address}`)
  await client.hangUp()
  await expectSessions(gateway)
  return `${client.description}; up ${first.seconds.toFixed(1)} s, after the cut ${second.seconds.toFixed(1)} s`
}

/** Connects, or throws with both sides' word for it. */
async function connect(client: WindowsClient, gateway: Gateway) {
  const seen = await newestAttempt(gateway)
  try {
    return await client.connect(account)
  } catch (error) {
    if (!(error instanceof RasFailure)) throw error
    const verdict = await expectVerdict(gateway, seen, /./).catch(() => 'nothing: show attempt has no failed row')
    throw new Error(`${error.message}; the gateway says: ${verdict}`)
  }
}

async function expectPings(client: WindowsClient, count: number, bytes = 32, whole = false): Promise<number> {
  const { sent, received, millis } = await client.ping(count, bytes, whole)
  expect(sent === count && received === count, `${received} of ${count} pings of ${bytes} bytes came back`)
  return millis
}

interface Part {
  readonly name: string
  readonly about: string
  readonly play: Play
  readonly place: Segment
  readonly behindNat?: boolean
}

const parts: readonly Part[] = [
  { name: 'visit', about: 'behind NAT: connect, ping, fetch, hang up', play: visit, place: 'nat' },
  { name: 'wrong-password', about: 'a wrong password, then the right one', play: wrongPassword, place: 'nat' },
  { name: 'wrong-key', about: 'a wrong pre-shared key, then the right one', play: wrongKey, place: 'nat' },
  { name: 'rekey', about: 'quick mode renewed by the client', play: rekey, place: 'nat' },
  { name: 'power-cut', about: 'vanish without a word and come back', play: powerCut, place: 'nat' },
  { name: 'nat-in-front', about: 'both sides behind NAT', play: visit, place: 'nat', behindNat: true },
  { name: 'bare', about: 'without NAT, ESP on IP protocol 50', play: visit, place: 'pub' },
]

/**
 * The scenarios of an image. `make` is called when the first of them is played.
 *
 * @param guest who it is, for the report
 */
export function windowsScenarios(
  name: string,
  login: Image['login'],
  guest: string,
  make: (world: World) => Promise<WindowsClient>,
): Scenario[] {
  let client: Promise<WindowsClient> | undefined
  const script = login === 'certificate' ? officeScript().replace('localid=local', 'authtype=rsasig') : undefined
  const usual: Variant | undefined = script === undefined ? undefined : { script }
  const behindNat: Variant = { ...usual, behindNat: true }

  const play = async (part: Part, stage: Stage): Promise<string> => {
    client ??= make(stage.world)
    const windows = await client
    try {
      await windows.start(part.place, stage.gateway)
      return await part.play(windows, stage)
    } catch (error) {
      const kept = await windows.saveLogs().catch(() => 'none could be had')
      await windows.cutPower()
      throw new Error(`${error instanceof Error ? error.message : error}\nthe guest's logs: ${kept}`)
    }
  }
  return parts
    .filter(part => login === 'psk' || part.play !== wrongKey)
    .map(part => {
      const variant = part.behindNat ? behindNat : usual
      return {
        name: `${name}-${part.name}`,
        about: part.about,
        groups: [name],
        guest,
        play: stage => play(part, stage),
        ...(variant === undefined ? {} : { variant }),
        beyondReference: 'it plays against this gateway only',
      }
    })
}

/** Those of the images that a run was given. */
export const imageScenarios = (images: readonly Image[]): Scenario[] =>
  images.flatMap((image, index) => {
    const guest = `Windows ${image.version.name}`
    const list = windowsScenarios(image.name, image.login, guest, async world => inQemu(world, image, index + 2))
    return list.map(scenario => ({ ...scenario, groups: [image.name, 'windows'] }))
  })
