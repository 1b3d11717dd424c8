/**
 * Runs the gateway against real clients: strongSwan or libreswan, xl2tpd and pppd on Linux kernels of their own.
 *
 *   npm run interop                      every scenario but those apart
 *   npm run interop -- NAME...           some of them
 *   npm run interop -- libreswan         all that libreswan plays, but for the longest
 *   npm run interop -- windows-driver    Linux as Windows in QEMU
 *   npm run interop -- --all             those apart too: they take minutes, or show little that others do not
 *   npm run interop -- --list            what there is
 *   npm run interop -- --reference ...   against strongSwan and xl2tpd in the gateway's place, to test the lab itself
 *   npm run interop -- --report [FILE.md] ...   the results as a Markdown table, in a file or on standard output
 *   npm run interop -- windows --image NAME=PATH ...   a Windows of yours, see docs/windows-vms.md
 *   npm run interop -- --windows-disk PATH,VERSION     the disk to prepare its image with
 *   npm run interop -- --hold            no scenarios: the lab by hand, see hold.ts
 *
 * Ends with "N passed, N failed"; the exit status is 1 when a scenario failed, and 0 with a reason when this host
 * cannot have guests.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Cast } from './cast.ts'
import type { Scenario, Stage } from './expectations.ts'
import { Floatgate, type Gateway, type Variant } from './gateway.ts'
import { hold } from './hold.ts'
import { Reference } from './reference.ts'
import { markdown, type Result } from './report.ts'
import { requireHost, requireProgram, requireRootfs, Unavailable } from './rootfs.ts'
import { scenarios } from './scenarios.ts'
import { strongSwan } from './strongswan.ts'
import { BadImage, readImages } from './windows-images.ts'
import { writePreparationDisk } from './windows-program.ts'
import { imageScenarios } from './windows-scenarios.ts'
import { World } from './world.ts'

let progress: NodeJS.WritableStream = process.stdout
const say = (line: string): void => {
  progress.write(`interop: ${line}\n`)
}

async function main(): Promise<number> {
  const { values, positionals: words } = parseArgs({
    allowPositionals: true,
    options: {
      all: { type: 'boolean' },
      list: { type: 'boolean' },
      reference: { type: 'boolean' },
      report: { type: 'boolean' },
      hold: { type: 'boolean' },
      image: { type: 'string', multiple: true },
      'windows-disk': { type: 'string' },
    },
  })
  if (values['windows-disk'] !== undefined) {
    say(await writePreparationDisk(values['windows-disk']))
    return 0
  }
  const offered = [...scenarios, ...imageScenarios(readImages(values.image ?? []))]
  const reportFile = values.report ? words.find(word => word.endsWith('.md')) : undefined
  const positionals = words.filter(word => word !== reportFile)
  if (values.list) {
    for (const { name, about, apart } of offered) {
      process.stdout.write(`${name.padEnd(30)} ${about}${apart ? ' (when named, or with --all)' : ''}\n`)
    }
    return 0
  }
  const named = ({ name, groups = [] }: Scenario, word: string) => name === word || groups.includes(word)
  const unknown = positionals.filter(word => !offered.some(scenario => named(scenario, word)))
  if (unknown.length > 0) {
    process.stderr.write(
      `interop: no such scenario: ${unknown.join(', ')} (see --list${unknown.includes('windows') ? ', and give an --image' : ''})\n`,
    )
    return 2
  }
  const chosen = offered.filter(scenario =>
    positionals.length === 0 ? values.all || !scenario.apart : positionals.some(word => named(scenario, word)),
  )

  let world: World | undefined
  let leaving = false
  const leave = (signal: NodeJS.Signals) => {
    leaving = true
    say(`${signal}: removing what was made`)
    void (world?.remove() ?? Promise.resolve()).finally(() => process.exit(130))
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, leave)

  // Standard output is the report's alone then.
  if (values.report && reportFile === undefined) progress = process.stderr
  let results: Result[]
  let report = ''
  try {
    requireHost()
    await requireProgram('ip', 'iproute2', say)
    await requireProgram('nft', 'nftables', say)
    world = new World(await requireRootfs(strongSwan, say))
    const played = await playAll(world, values.hold ? [] : chosen, values.reference === true, values.hold === true)
    results = played.results
    report = played.report
  } catch (error) {
    if (leaving) return await new Promise(() => {}) // Its guests were taken away; `leave` ends the program.
    if (!(error instanceof Unavailable)) throw error
    say(`no guest can be had here: ${error.message}`)
    process.stdout.write(`0 passed, 0 failed, ${chosen.length} skipped\n`)
    return 0
  } finally {
    await world?.remove()
  }
  if (values.hold) return 0
  const status = summarize(results)
  if (reportFile !== undefined) writeFileSync(reportFile, report)
  else if (values.report) process.stdout.write(report)
  return status
}

async function playAll(
  world: World,
  chosen: readonly Scenario[],
  reference: boolean,
  byHand: boolean,
): Promise<{ results: Result[]; report: string }> {
  const gateway: Gateway = reference ? new Reference(world) : new Floatgate(world)
  await world.raise()
  const cast = new Cast(world, gateway, say)
  await cast.stage()
  say(`against ${gateway.name}`)

  if (byHand) await hold(cast)
  const results: Result[] = []
  let variant: Variant | undefined
  for (const scenario of chosen) {
    if (reference && scenario.beyondReference !== undefined) {
      results.push({ scenario, outcome: 'skipped', seconds: 0, text: scenario.beyondReference })
    } else {
      if (variant !== scenario.variant) await gateway.stop()
      variant = scenario.variant
      results.push(await play(scenario, await cast.stage(scenario.daemon)))
    }
    const { outcome, seconds, text } = results.at(-1)!
    say(`${outcome} ${scenario.name} (${seconds.toFixed(1)} s) ${text.split('\n')[0]}`)
  }
  await gateway.stop()
  return { results, report: markdown(results, gateway.name, await cast.programs(), new Date()) }
}

async function play(scenario: Scenario, stage: Stage): Promise<Result> {
  const { gateway } = stage
  const begin = Date.now()
  const elapsed = () => (Date.now() - begin) / 1000
  let mark = 0
  try {
    if (!gateway.alive) await gateway.start(scenario.variant)
    mark = (await gateway.log()).length
    const text = await scenario.play(stage)
    if (!gateway.alive) throw new Error('the gateway ended')
    return { scenario, outcome: 'passed', seconds: elapsed(), text }
  } catch (error) {
    const seconds = elapsed()
    if (error instanceof Unavailable) return { scenario, outcome: 'skipped', seconds, text: error.message }
    const kept = await keepLogs(scenario, stage, mark)
    await tidyUp(stage)
    const text = error instanceof Error ? error.message : String(error)
    return { scenario, outcome: 'failed', seconds, text: `${text}\nlogs: ${kept}` }
  }
}

/** Saves what everybody wrote, for whoever looks into a failure. */
async function keepLogs(scenario: Scenario, stage: Stage, mark: number): Promise<string> {
  const directory = `/tmp/floatgate-interop/${stage.world.network.id}-${scenario.name}`
  mkdirSync(directory, { recursive: true })
  writeFileSync(`${directory}/gateway.log`, (await stage.gateway.log()).slice(mark))
  for (const client of [stage.c1, stage.c2, stage.c3, ...stage.crowd]) {
    if (client.guest.alive) writeFileSync(`${directory}/${client.name}.log`, await client.logs())
  }
  if (stage.gateway.command && stage.gateway.alive) {
    for (const what of ['session', 'attempt', 'isakmp sa', 'ipsec sa', 'l2tp tunnel', 'counter', 'log']) {
      const text = await stage.gateway.command('show', ...what.split(' ')).catch(error => String(error))
      writeFileSync(`${directory}/show-${what.replace(' ', '-')}.txt`, text)
    }
  }
  return directory
}

/** After a failure: whatever state the clients are in, the next scenario finds them disconnected. */
async function tidyUp({ c1, c2, c3, crowd }: Stage): Promise<void> {
  await Promise.all(crowd.map(client => client.guest.cutPower()))
  await Promise.all(
    [c1, c2, c3].map(async ({ guest }) => {
      const left = guest.alive && (await guest.run('exec bash /floatgate/client down')).output.includes('clean')
      if (left) return
      await guest.cutPower()
      await guest.boot()
    }),
  )
}

function summarize(results: readonly Result[]): number {
  progress.write('\n')
  for (const { scenario, outcome, seconds, text } of results) {
    const [first, ...more] = text.split('\n')
    progress.write(`${outcome.padEnd(8)}${scenario.name.padEnd(30)}${seconds.toFixed(1).padStart(6)} s  ${first}\n`)
    for (const line of more) progress.write(`${' '.repeat(48)}${line}\n`)
  }
  const count = (outcome: Result['outcome']) => results.filter(result => result.outcome === outcome).length
  const skipped = count('skipped') > 0 ? `, ${count('skipped')} skipped` : ''
  progress.write(`\n${count('passed')} passed, ${count('failed')} failed${skipped}\n`)
  return count('failed') > 0 ? 1 : 0
}

process.exitCode = await main().catch((error: unknown) => {
  if (!(error instanceof BadImage)) throw error
  process.stderr.write(`interop: ${error.message}\n`)
  return 2
})
