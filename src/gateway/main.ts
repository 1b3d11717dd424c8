/** floatgated: reads the configuration, brings the gateway up, serves vpnctl, and goes down cleanly. */

import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Configuration } from '../alliedware/config.ts'
import type { SystemState } from '../alliedware/show/state.ts'
import { formatIpv4, type Ipv4 } from '../packet/ip.ts'
import { collectWithoutHelp } from './collector.ts'
import { storeKeys } from './configuration-commands.ts'
import { Daemon } from './daemon.ts'
import { systemClock } from './deadlines.ts'
import { clientInstructions, makeFirstSecrets } from './first-start.ts'
import { Flash } from './flash.ts'
import { guessableKeys } from './guessable-keys.ts'
import { defaultRoute, deviceAddresses, hostLacks } from './host.ts'
import { LateWriter } from './late-writer.ts'
import { inertText, type Loaded, load, type Places, type Stored } from './loading.ts'
import { Log, Severity } from './log.ts'
import { Management } from './management.ts'
import { loadNative } from './native.ts'
import { type Options, parseOptions, USAGE } from './options.ts'
import { Pki } from './pki.ts'
import { SecretStore } from './secret-store.ts'
import type { Site } from './site.ts'
import { SyslogSender } from './syslog.ts'
import { version } from './version.ts'

const EXIT_CONFIGURATION = 1
const EXIT_USAGE = 2
const EXIT_HOST = 3
const EXIT_BROKEN = 4

function stderr(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** What is read, and again at a reload. */
function placesOf(o: Options, flash: Flash): Places {
  const script = o.configGiven ? o.config : (flash.boot ?? o.config)
  return { script, site: o.site, siteGiven: o.siteGiven }
}

/** What the store has, for a check, which makes and mends nothing. */
function storedIn(state: string): Stored {
  try {
    if (existsSync(join(state, 'secrets.json'))) return kept(new SecretStore(state))
  } catch {
    // The start tells of it.
  }
  return { keys: [], users: [] }
}

function kept(secrets: SecretStore): Stored {
  return { keys: secrets.keyIds().map(key => key.id), users: secrets.allUsers() }
}

function check(o: Options): number {
  const flash = new Flash(o.state)
  const places = placesOf(o, flash)
  const loaded = load(places, { ...storedIn(o.state), file: name => flash.read(name) })
  for (const f of loaded.faults) process.stdout.write(`${f.text}\n`)
  if (loaded.faults.some(f => f.error)) return EXIT_CONFIGURATION
  for (const c of loaded.configuration.inert) process.stdout.write(`${inertText(places.script, c)}\n`)
  const pki = new Pki(o.state, () => new Date())
  for (const w of pki.oddities(loaded.configuration)) process.stdout.write(`warning: ${w}\n`)
  process.stdout.write('ok\n')
  return 0
}

/** Makes secrets where there are none; answers what to type into the client, or undefined where nothing was made. */
function firstStart({ configuration: c, site, faults }: Loaded, secrets: SecretStore): string | undefined {
  if (faults.some(f => f.error)) return undefined
  const keyId = c.isakmp.policies.find(p => p.key !== undefined)?.key ?? 1
  const scripted = new Set(c.encoKeys.map(k => k.id))
  const haveUser = c.users.some(u => !u.login)
  if (scripted.has(keyId) && haveUser) return undefined
  const made = makeFirstSecrets(secrets, keyId, haveUser, n => new Uint8Array(randomBytes(n)))
  if (!made) return undefined
  const address = ownAddress(site)
  const shown = address === undefined ? "(this host's public address)" : formatIpv4(address)
  return `${clientInstructions(shown, made, chapOnly(c))}  They are in ${secrets.path}.\n`
}

/** No template that calls are made from takes MS-CHAPv2. */
function chapOnly(c: Configuration): boolean {
  const used = new Set(c.l2tp.ranges.map(r => r.pppTemplate))
  return !c.pppTemplates.some(
    t => used.has(t.template) && (t.authentication === 'either' || t.authentication === 'mschap2'),
  )
}

/** Our address as clients dial it. */
function ownAddress(site: Site): Ipv4 | undefined {
  const eth0 = site.interfaces['eth0'] ?? defaultRoute()?.device
  return site.publicAddress ?? deviceAddresses().find(a => a.device === eth0)?.address
}

async function serve(o: Options): Promise<number> {
  if (process.getuid?.() !== 0) {
    stderr('floatgate: root is needed (raw sockets, a TUN device, ports 500 and 4500): run it with sudo')
    return EXIT_HOST
  }
  try {
    loadNative()
  } catch (e) {
    stderr(`floatgate: ${(e as Error).message}`)
    return EXIT_HOST
  }
  // From the first moment on: whoever ends the gateway while it starts finds nothing left behind, either.
  const asked = new Promise<undefined>(resolve => {
    // They stay: a second Ctrl-C, or one that came twice, must not cut the clean-up short.
    process.on('SIGTERM', () => resolve(undefined))
    process.on('SIGINT', () => resolve(undefined))
  })
  const lines = new LateWriter(text => process.stderr.write(text))
  process.on('exit', () => lines.flush())
  const log = new Log(line => lines.add(`${line}\n`))
  const named: { systemName?: () => string | undefined } = {}
  const syslog = new SyslogSender(() => named.systemName?.() ?? hostname(), Date.now)
  log.sendBy((output, message) => syslog.send(output, message))
  let secrets: SecretStore
  try {
    secrets = new SecretStore(o.state)
  } catch (e) {
    stderr(`floatgate: the state directory ${o.state} cannot be used: ${(e as Error).message}`)
    return EXIT_HOST
  }
  const flash = new Flash(o.state)
  const stored = () => ({ ...kept(secrets), file: (name: string) => flash.read(name) })
  const places = placesOf(o, flash)
  let loaded = load(places, stored())
  const made = o.firstStart ? firstStart(loaded, secrets) : undefined
  // The key that was missing is there now.
  if (made !== undefined) loaded = load(places, stored())
  for (const f of loaded.faults) stderr(f.text)
  if (loaded.faults.some(f => f.error)) {
    stderr('floatgate: the configuration has faults; nothing was started')
    return EXIT_CONFIGURATION
  }
  const configuration = storeKeys(loaded.configuration, secrets)
  const pki = new Pki(o.state, () => new Date())
  for (const c of configuration.inert) stderr(inertText(places.script, c))
  for (const w of secrets.warnings) stderr(`floatgate: ${w}`)
  if (made !== undefined) stderr(made)

  let daemon: Daemon
  try {
    collectWithoutHelp()
    daemon = await Daemon.start({ configuration, site: loaded.site, state: o.state, secrets, pki, log })
  } catch (e) {
    stderr(`floatgate: ${(e as Error).message}`)
    // Threads and sockets of a start that went half way must not keep the process.
    process.exit(EXIT_HOST)
  }
  const warnings = [
    ...daemon.warnings,
    ...pki.oddities(configuration),
    ...guessableKeys(configuration, secrets),
    ...hostLacks(),
  ]
  const started = Date.now()
  named.systemName = () => daemon.control.configuration.systemName
  const management = new Management({
    socket: o.socket,
    native: loadNative(),
    commands: {
      control: daemon.control,
      secrets,
      pki,
      serverAddress: () => {
        const address = ownAddress(daemon.current.site)
        return address === undefined ? undefined : formatIpv4(address)
      },
      log,
      system: () => system(daemon, started, warnings),
      moreCounters: () => ({ ...daemon.counters(), syslog: { lost: syslog.lost } }),
      hostCounters: () => daemon.hostCounters(),
      tellsOfHost: () => daemon.tellsOfHost,
      hostTables: () => daemon.hostTables(),
      captures: join(o.state, 'captures'),
      prepare: (c, given) => daemon.prepare(c, given),
      configure: (c, given) => daemon.configure(c, given),
      files: {
        flash,
        running: places.script,
        fixed: o.configGiven,
        places: name => ({ ...placesOf(o, flash), ...(name !== undefined && { script: flash.path(name) }) }),
        stored,
      },
    },
    now: () => systemClock.now(),
    wall: () => new Date(),
    uid: process.getuid?.() ?? 0,
    told: warnings,
    current: () => daemon.current,
  })
  try {
    warnings.push(...(await management.start()))
  } catch (e) {
    stderr(`floatgate: the control socket cannot be made: ${(e as Error).message}`)
    await daemon.stop()
    return EXIT_HOST
  }
  for (const w of warnings) stderr(`floatgate: warning: ${w}`)
  stderr(
    `floatgate: listening on ${daemon.listening.join(', ')}; device ${daemon.tun}; control socket ${o.socket}; ${daemon.crypto}`,
  )
  log.add({ severity: Severity.Notice, module: 'SYS', text: `Gateway started, version ${version()}` })
  let ending = false
  process.on('SIGHUP', () => ending || void management.reload().then(answer => stderr(answer.text)))
  stderr('floatgate: ready')

  const broken = await Promise.race([asked, daemon.broken])
  if (broken !== undefined) stderr(`floatgate: ${broken}; ending, so that a supervisor can start it anew`)
  ending = true
  management.stop()
  await daemon.stop()
  syslog.close()
  return broken === undefined ? 0 : EXIT_BROKEN
}

function system(daemon: Daemon, started: number, warnings: readonly string[]): SystemState {
  return {
    name: daemon.control.configuration.systemName ?? '',
    version: version(),
    uptimeSeconds: Math.round((Date.now() - started) / 1000),
    workers: daemon.control.world.data.workers,
    crypto: daemon.crypto,
    listening: daemon.listening,
    tun: daemon.tun,
    offloads: daemon.offloads,
    warnings,
  }
}

async function main(): Promise<number> {
  process.title = 'floatgated'
  // A terminal that went away must not cut the clean-up short.
  process.stderr.on('error', () => undefined)
  process.stdout.on('error', () => undefined)
  let options: Options
  try {
    options = parseOptions(process.argv.slice(2))
  } catch (e) {
    stderr(`floatgated: ${(e as Error).message}`)
    process.stderr.write(USAGE)
    return EXIT_USAGE
  }
  if (options.help) {
    process.stdout.write(USAGE)
    return 0
  }
  if (options.version) {
    process.stdout.write(`floatgate ${version()}\n`)
    return 0
  }
  return options.check ? check(options) : serve(options)
}

process.exitCode = await main()
