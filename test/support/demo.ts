/** The story that `npm run demo` tells: see scripts/demo.mjs. */

import { createHash } from 'node:crypto'
import { PATIENCE_MILLIS, until } from './command.ts'
import { whyNoNetwork } from './netns.ts'
import { type ClientProgram, Office } from './office.ts'
import { pattern } from './pattern.ts'
import { accounts, gatewayPublic, lanHost, natPublic } from './plan.ts'
import { type ProfileName, profiles } from './profiles.ts'

const DOWNLOAD = 4_000_000
const bold = process.stdout.isTTY ? (text: string) => `\x1b[1m${text}\x1b[0m` : (text: string) => text
const print = (text: string): void => void process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
const head = (text: string) => print(`\n${bold(`## ${text}`)}\n\n`)

async function main(profile: ProfileName): Promise<number> {
  const lacking = await whyNoNetwork()
  if (lacking !== undefined) {
    process.stderr.write(`demo: this host cannot show it: ${lacking}\n`)
    return 1
  }
  const office = new Office()
  let leaving = false
  const leave = (): void => {
    leaving = true
    void office.remove().finally(() => process.exit(130))
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      print(`\n${signal}: removing what was made`)
      leave()
    })
  }
  // Whoever read along has gone, as `head` does.
  process.stdout.once('error', leave)
  process.stdout.on('error', () => {})
  try {
    await tell(office, profile)
    return 0
  } catch (error) {
    if (leaving) return await new Promise(() => {}) // What it needs was taken away; the signal's handler ends the program.
    process.stderr.write(`demo: ${(error as Error).message}\n`)
    return 1
  } finally {
    await office.remove()
  }
}

async function tell(office: Office, profile: ProfileName): Promise<void> {
  const { name } = profiles[profile]
  head('The network')
  await office.raise(['c1'])
  print(`  ${name} 10.1.0.11 --- NAT ${natPublic} --- Internet --- ${gatewayPublic} Floatgate 192.168.8.1 --- LAN host ${lanHost}

Network namespaces ${office.network.id}-*; the configuration is a router's command script.`)

  head('The gateway starts')
  const gateway = await office.startGateway()
  print('floatgate: ready')

  head(`${name} dials in as ${accounts.dialin1.user}`)
  const client = office.dial('c1', accounts.dialin1, '--profile', profile, '--patience', '60')
  const follow = follower(client)
  const address = await until(() => {
    follow()
    return /^connected (\S+)/m.exec(client.output)?.[1] ?? (client.daemon.alive ? undefined : 'nothing')
  })
  follow()
  if (address === undefined || address === 'nothing') throw new Error(`the client did not connect`)

  head(`Through the tunnel: ping and ${DOWNLOAD / 1e6} MB from ${lanHost}`)
  await ping(client)
  await download(client)

  head('What the gateway says (bin/vpnctl)')
  for (const command of [
    'show session',
    'show isakmp sa',
    'show ipsec sa',
    'show l2tp tunnel',
    'show ppp',
    'show attempt',
    'show ipsec policy=all_roaming count',
  ]) {
    print(`${bold(`> ${command}`)}\n`)
    print(`${await vpnctl(office, command)}\n`)
  }

  head('The client hangs up')
  const end = client.hangUp()
  await until(() => {
    follow()
    return !client.daemon.alive
  })
  follow()
  if ((await end) !== 'status 0') throw new Error(`the client ended with ${await end}`)
  const empty = await until(async () => (await office.show('session')).length === 0)
  print(`\n${bold('> show session')}\n`)
  print(await vpnctl(office, 'show session'))
  if (!empty) throw new Error('a session is left')

  await gateway.stop(PATIENCE_MILLIS)
  if (gateway.ended !== 'status 0') throw new Error(`the gateway ended with ${gateway.ended}`)
  const traces = await office.traces()
  if (traces.length > 0) throw new Error(`the gateway left ${traces.join(', ')}`)
  print('\nThe gateway has ended, and took its routes, its device and its nftables table with it.')
}

/** Prints what the client has said since the last time, whole lines only. */
function follower(client: ClientProgram): () => void {
  let shown = 0
  return () => {
    const text = client.output
    const end = text.lastIndexOf('\n') + 1
    if (end > shown) print(text.slice(shown, end))
    shown = Math.max(shown, end)
  }
}

async function ping(client: ClientProgram): Promise<void> {
  // The first one waits for ARP on the LAN.
  const { status, output } = await client.run('ping', '-n', '-c', '4', '-i', '0.3', '-W', '3', lanHost)
  if (status !== 0 && /ping.*(No such file|not found)/.test(output)) print('There is no ping on this host.')
  else print(output)
  if (status !== 0 && output.includes('statistics')) throw new Error('the ping did not come back')
}

/** With node's own HTTP client, which is there for certain. */
async function download(client: ClientProgram): Promise<void> {
  const program = `
    const begin = performance.now()
    const body = new Uint8Array(await (await fetch('http://${lanHost}/${DOWNLOAD}')).arrayBuffer())
    const { createHash } = await import('node:crypto')
    console.log(JSON.stringify({ millis: performance.now() - begin, bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') }))`
  const { status, output } = await client.run(process.execPath, '--input-type=module', '-e', program)
  if (status !== 0) throw new Error(`the download failed: ${output}`)
  const got = JSON.parse(output) as { millis: number; bytes: number; sha256: string }
  const wanted = createHash('sha256').update(pattern(DOWNLOAD)).digest('hex')
  if (got.sha256 !== wanted) throw new Error(`${got.bytes} bytes came damaged`)
  const rate = ((got.bytes * 8) / got.millis / 1000).toFixed(0)
  print(
    `\n${got.bytes} bytes in ${got.millis.toFixed(0)} ms (${rate} Mbit/s, the simulated client being the slow part)`,
  )
  print(`sha256 ${got.sha256}, as it was sent`)
}

async function vpnctl(office: Office, command: string): Promise<string> {
  const { status, output } = await office.vpnctl(...command.split(' '))
  if (status !== 0) throw new Error(`vpnctl ${command}: status ${status}: ${output}`)
  return output
}

const wanted = process.argv[2] ?? 'xp'
if (wanted === 'xp' || wanted === 'win10') process.exitCode = await main(wanted)
else {
  process.stderr.write(`demo: no profile ${wanted}: xp or win10\n`)
  process.exitCode = 2
}
