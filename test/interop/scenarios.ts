/** The scenarios. Each starts with every client disconnected; what it returns is printed beside its name. */
import { sleep } from '../support/command.ts'
import { accounts, gatewayPublic, lanHost, preSharedKey } from '../support/plan.ts'
import type { Reading } from '../support/tshark.ts'
import { Capture } from './capture.ts'
import { certificateScenarios } from './certificates.ts'
import {
  download,
  expect,
  expectNoFurtherIsakmpSas,
  expectPings,
  expectRefusal,
  expectSessions,
  expectVerdict,
  isakmpSas,
  newestAttempt,
  type Scenario,
  type Stage,
  up,
  upload,
  visit,
} from './expectations.ts'
import { libreswan } from './libreswan.ts'
import { livenessScenarios } from './liveness.ts'
import { manyScenarios } from './many.ts'
import { natInFrontScenarios } from './nat-in-front.ts'
import { oldKernelScenarios } from './old-kernel.ts'
import { passwordScenarios } from './passwords.ts'
import { pathScenarios } from './paths.ts'
import { renewalScenarios } from './renewals.ts'
import { aes128, aesGcm128, type Settings, tripleDes } from './settings.ts'
import { charonKeys } from './strongswan.ts'
import { windowsDriverScenarios } from './windows-linux.ts'

/** One client behind NAT with Windows XP's usual proposal: ESP in UDP 4500. */
async function natTripleDes(stage: Stage): Promise<string> {
  return await visit(stage, stage.c1, tripleDes, '3des', true)
}

/** The same with AES. */
async function natAes(stage: Stage): Promise<string> {
  return await visit(stage, stage.c1, aes128, 'aes128', true)
}

/** AES-GCM (RFC 4106) in IKEv1, by a client that offers nothing else. */
async function natGcm(stage: Stage): Promise<string> {
  return await visit(stage, stage.c1, aesGcm128, 'aesgcm128', true)
}

/** A client that no NAT hides: ESP is an IP protocol of its own. */
async function bareTripleDes(stage: Stage): Promise<string> {
  return await visit(stage, stage.c3, tripleDes, '3des', false)
}

/** Two clients share one public address; both connect and work at the same time; one leaves, the other stays. */
async function twoBehindOneNat(stage: Stage): Promise<string> {
  const { c1, c2, gateway } = stage
  const [one, two] = await Promise.all([c1.connect(), c2.connect(aes128)])
  expect(one.address === accounts.dialin1.address, `dialin1 got ${one.address}`)
  expect(/^192\.168\.8\.1\d\d$/.test(two.address), `dialin2 got ${two.address}, which is not of the pool`)
  await expectSessions(gateway, 'dialin1', 'dialin2')
  await Promise.all([expectPings(c1, 10), expectPings(c2, 10)])
  const rates = await Promise.all([download(c1, 1_500_000), download(c2, 1_500_000)])
  const [left] = await Promise.all([c1.disconnect(), expectPings(c2, 10)])
  expect(left, 'c1 could not leave cleanly')
  await expectSessions(gateway, 'dialin2')
  const again = await c1.connect()
  await Promise.all([expectPings(c1), expectPings(c2)])
  await Promise.all([c1.disconnect(), c2.disconnect()])
  await expectSessions(gateway)
  return `up ${one.seconds} and ${two.seconds} s, ${rates.map(rate => rate.toFixed(0)).join(' + ')} Mbit/s, again ${again.seconds} s`
}

/** The key is wrong: the client gets nothing, the operator gets a line, and the right key works at once. */
async function wrongKey(stage: Stage): Promise<string> {
  const { c1, gateway } = stage
  const seen = await newestAttempt(gateway)
  const refusal = await expectRefusal(c1, 'ike', { preSharedKey: `${preSharedKey}4`, ikePatienceSeconds: 6 })
  const verdict = await expectVerdict(gateway, seen, /pre-?shared|PSK|wrong key|key (is|does|differ)|secret/i)
  const connection = await c1.connect()
  await expectPings(c1)
  await c1.disconnect()
  return `gave up after ${refusal.seconds} s, then ${up(connection)}; verdict: ${verdict}`
}

/** The password is wrong: CHAP says so, PPP is taken down, the operator gets a line, and the right one works at once. */
async function wrongPassword(stage: Stage): Promise<string> {
  const { c1, gateway } = stage
  const seen = await newestAttempt(gateway)
  const account = { ...accounts.dialin1, password: 'enemy1' }
  const refusal = await expectRefusal(c1, 'authentication', { account })
  expect(refusal.terminated, 'PPP stayed up although the user was refused')
  await c1.disconnect()
  const verdict = await expectVerdict(gateway, seen, /password|CHAP|authentication/i)
  await expectSessions(gateway)
  const connection = await c1.connect()
  await expectPings(c1)
  await c1.disconnect()
  return `refused after ${refusal.seconds} s, then ${up(connection)}; verdict: ${verdict}`
}

/** Leave and come back, three times: nothing is left behind, and nothing gets slower. */
async function reconnect(stage: Stage): Promise<string> {
  const { c1, gateway } = stage
  const seconds: number[] = []
  const before = await isakmpSas(gateway)
  for (let round = 0; round < 3; round++) {
    const connection = await c1.connect()
    seconds.push(connection.seconds)
    await expectPings(c1, 3)
    expect(await c1.disconnect(), `the client could not leave cleanly in round ${round + 1}`)
    await expectSessions(gateway)
  }
  await expectNoFurtherIsakmpSas(gateway, before)
  return `up ${seconds.join(', ')} s`
}

/** The client loses its power in mid-session and comes back: the gateway lets it in at the first try. */
async function powerCut(stage: Stage): Promise<string> {
  const { c1, gateway } = stage
  const first = await c1.connect()
  await expectPings(c1, 3)
  await c1.guest.cutPower()
  await c1.guest.boot()
  const second = await c1.connect()
  await expectPings(c1)
  await expectSessions(gateway, 'dialin1')
  expect(second.address === first.address, `the client got ${second.address} after ${first.address}`)
  expect(await c1.disconnect(), 'the client could not leave cleanly')
  await expectSessions(gateway)
  return `first ${first.seconds} s, after the cut ${second.seconds} s`
}

/** The largest packet that fits unfragmented, and one that has to be fragmented on its way in and out. */
async function largePings(stage: Stage): Promise<string> {
  const { c1 } = stage
  const connection = await c1.connect()
  await expectPings(c1, 5, '-M do -s 1372')
  await expectPings(c1, 5, '-M dont -s 4000')
  await c1.disconnect()
  return `${up(connection)}, 1372 bytes unfragmented, 4000 in fragments`
}

/** A few megabytes in each direction and with each way of carrying ESP, compared by SHA-256. */
async function transfer(stage: Stage): Promise<string> {
  const figures: string[] = []
  const ways = [
    { client: stage.c1, settings: aes128, way: 'AES in UDP' },
    { client: stage.c3, settings: tripleDes, way: '3DES bare' },
  ]
  for (const { client, settings, way } of ways) {
    await client.connect(settings)
    const down = await download(client, 5_000_000)
    const upward = await upload(client, 5_000_000)
    await client.disconnect()
    figures.push(`${way} ${down.toFixed(0)} down, ${upward.toFixed(0)} up`)
  }
  return `Mbit/s: ${figures.join('; ')}`
}

/** Wireshark, given the client's keys, reads every message of a session and finds nothing malformed. */
async function wireshark(stage: Stage): Promise<string> {
  const readings: string[] = []
  for (const [settings, label] of [
    [tripleDes, '3DES'],
    [aes128, 'AES'],
  ] as const) {
    readings.push(`${label}: ${describe(await captured(stage, settings))}`)
  }
  return readings.join('; ')
}

async function captured({ world, c1 }: Stage, settings: Partial<Settings>): Promise<Reading> {
  const capture = await Capture.start(world)
  try {
    const connection = await c1.connect({ ...settings, revealKeys: true })
    await expectPings(c1)
    await c1.must(`curl -sS -m 60 http://${lanHost}/20000 -o /dev/null`, 70_000)
    const keys = { ike: await charonKeys(c1), esp: connection.espKeys }
    await c1.disconnect()
    await sleep(500)
    await capture.stop()
    const reading = await capture.read(keys)
    expect(reading.malformed.length === 0, `malformed: ${reading.malformed.slice(0, 3).join(', ')}`)
    expect(reading.errors.length === 0, `errors: ${reading.errors.slice(0, 3).join(', ')}`)
    expect(reading.ikeEncrypted > 0 && reading.ikeRead === reading.ikeEncrypted, `IKE: ${describe(reading)}`)
    expect(
      reading.esp > 0 && reading.espGood === reading.esp && reading.l2tp === reading.esp,
      `ESP: ${describe(reading)}`,
    )
    for (const name of ['icmp', 'tcp']) expect(reading.inside.includes(name), `no ${name} in ${reading.inside}`)
    return reading
  } finally {
    await capture.stop()
  }
}

const describe = (reading: Reading) =>
  `IKE ${reading.ikeRead}/${reading.ikeEncrypted} read, ESP ${reading.espGood}/${reading.esp} good, ${reading.l2tp} with L2TP`

/** A whole Start-Control-Connection-Request (RFC 2661 section 6.1), for printf: any LNS that hears it answers. */
const startRequest = [
  'c8020036 00000000 00000000', // flags and version 2, length 54, tunnel and session 0, Ns and Nr 0
  '8008 0000 0000 0001', // Message Type
  '8008 0000 0002 0100', // Protocol Version
  '800a 0000 0003 00000003', // Framing Capabilities
  '8008 0000 0007 6333', // Host Name
  '8008 0000 0009 0007', // Assigned Tunnel ID
]
  .join('')
  .replaceAll(' ', '')
  .replace(/../g, '\\x$&')

/** Without a tunnel there is no way in: not to the LAN, and not to L2TP. */
async function closedDoor(stage: Stage): Promise<string> {
  const { c3 } = stage
  const { output } = await c3.guest.run(
    `ip route replace ${lanHost} via ${gatewayPublic}
     curl -s -m 3 http://${lanHost}/ && echo LAN reached
     ip route delete ${lanHost}
     exec 5<>/dev/udp/${gatewayPublic}/1701
     printf '${startRequest}' >/run/vpn/request # bash would send a datagram a line
     cat /run/vpn/request >&5
     timeout 3 head -c 1 <&5 | wc -c | grep -q 1 && echo L2TP answered
     true`,
    60_000,
  )
  const open = ['LAN reached', 'L2TP answered'].filter(text => output.includes(text))
  expect(open.length === 0, `without IPsec: ${open.join(', ')}`)
  return 'LAN and L2TP unreachable without IPsec'
}

const basicScenarios: readonly Scenario[] = [
  { name: 'nat-3des', about: '3DES-SHA1 behind NAT, ESP in UDP 4500', play: natTripleDes },
  { name: 'nat-aes', about: 'AES128-SHA1 behind NAT', play: natAes },
  { name: 'nat-gcm', about: 'AES128-GCM behind NAT', play: natGcm },
  { name: 'bare-3des', about: '3DES-SHA1 without NAT, ESP on IP protocol 50', play: bareTripleDes },
  {
    name: 'two-behind-one-nat',
    about: 'two clients behind one NAT at the same time',
    play: twoBehindOneNat,
    beyondReference: 'a Linux kernel cannot tell the two clients apart',
  },
  { name: 'wrong-key', about: 'a wrong pre-shared key, then the right one', play: wrongKey },
  { name: 'wrong-password', about: 'a wrong password, then the right one', play: wrongPassword },
  { name: 'reconnect', about: 'leave and come back, nothing is left', play: reconnect },
  {
    name: 'power-cut',
    about: 'vanish without a word and come back at the first try',
    play: powerCut,
    beyondReference: 'it waits for the lost session to time out',
  },
  { name: 'large-pings', about: '1372 bytes unfragmented, 4000 bytes in fragments', play: largePings },
  { name: 'transfer', about: 'megabytes both ways, compared by SHA-256', play: transfer },
  { name: 'wireshark', about: 'tshark decrypts the whole session, nothing malformed', play: wireshark },
  {
    name: 'closed-door',
    about: 'no way into the LAN or to L2TP without IPsec',
    play: closedDoor,
    beyondReference: 'it has no firewall',
  },
]

/** What libreswan plays as well: in every run, when it is named or `libreswan` is, and only when named. */
const forLibreswan = new Set(['nat-aes', 'nat-gcm', 'bare-3des', 'wrong-key', 'rekey', 'certificate'])
const forLibreswanApart = new Set([
  ...['nat-3des', 'two-behind-one-nat', 'reconnect', 'power-cut', 'main-mode-rekey', 'dead-peer', 'mschap-v2'],
  ...['long-messages', 'nat-in-front'],
])
const forLibreswanLong = new Set(['minutes', 'connect-fifty'])

const byLibreswan = (name: string) => [forLibreswan, forLibreswanApart, forLibreswanLong].some(set => set.has(name))

const asLibreswan = (scenario: Scenario): Scenario => ({
  ...scenario,
  name: `libreswan-${scenario.name}`,
  daemon: libreswan,
  apart: !forLibreswan.has(scenario.name),
  groups: forLibreswanLong.has(scenario.name) ? [] : ['libreswan'],
})

/** In an order in which the gateway is seldom started anew. */
export const scenarios: readonly Scenario[] = [
  ...basicScenarios,
  ...renewalScenarios,
  ...livenessScenarios,
  ...pathScenarios,
  ...manyScenarios,
  ...passwordScenarios,
  ...certificateScenarios,
  ...natInFrontScenarios,
  ...oldKernelScenarios,
  ...windowsDriverScenarios.map(scenario => ({ ...scenario, apart: true })),
].flatMap(scenario => (byLibreswan(scenario.name) ? [scenario, asLibreswan(scenario)] : [scenario]))
