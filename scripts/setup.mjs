// Makes a fresh clone ready to run: installs what is missing (Debian packages, npm packages), builds the native addon and
// the TypeScript, says each step, and skips what is there. Plain node, no dependency: `npm start` and `npm test` call it.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const STAMPS = join(root, 'dist', '.stamps.json')

/** Debian packages by what shows that they are there. */
const RUNTIME = [
  { package: 'iproute2', shows: () => onPath('ip') },
  { package: 'nftables', shows: () => onPath('nft') },
  { package: 'g++', shows: () => onPath('g++') },
  { package: 'make', shows: () => onPath('make') },
  { package: 'python3', shows: () => onPath('python3') },
]
if (process.arch === 'x64') {
  RUNTIME.push({
    package: 'libipsec-mb-dev',
    shows: () => ['intel-ipsec-mb.h', 'ipsec-mb.h'].some(h => existsSync(`/usr/include/${h}`)),
  })
}

export function say(text) {
  process.stderr.write(`setup: ${text}\n`)
}

function fail(text) {
  process.stderr.write(`setup: ${text}\n`)
  process.exit(1)
}

export function onPath(program) {
  return `${process.env.PATH ?? ''}:/usr/sbin:/sbin:/usr/bin`.split(':').some(d => {
    try {
      accessSync(join(d, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Runs a command; its output is shown only where it fails, and with it what to do then. */
export function run(command, args, { remedy, ...options } = {}) {
  const r = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, ...options })
  if (r.error || r.status !== 0) {
    process.stderr.write(`${r.stdout ?? ''}${r.stderr ?? ''}`)
    if (remedy !== undefined) say(remedy)
    fail(`"${command} ${args.join(' ')}" failed (${r.error?.message ?? `exit ${r.status}`})`)
  }
  return r.stdout ?? ''
}

/** Installs Debian packages that are missing: `wanted` as in RUNTIME. */
export function debian(wanted) {
  const missing = wanted.filter(w => !w.shows()).map(w => w.package)
  if (missing.length === 0) return
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (!onPath('apt-get')) fail(`missing: ${missing.join(', ')}; this is no Debian, so install their like yourself`)
  if (process.getuid() !== 0) fail(`missing: ${missing.join(', ')}; run as root, or run "sudo ${command}" first`)
  say(`installing Debian packages: ${missing.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const args = command.split(' ').slice(1)
  const first = spawnSync('apt-get', args, { env, encoding: 'utf8' })
  if (first.status === 0) return
  say('fetching the package lists first')
  run('apt-get', ['update'], { env })
  run('apt-get', args, { env })
}

/** Where packages that one can do without do not come, the rest goes on. */
const PATIENCE_MILLIS = 180_000

/** Installs Debian packages that one can do without, as root on Debian; says where they cannot be had. */
export function wished(wanted) {
  const missing = wanted.filter(w => !w.shows()).map(w => w.package)
  if (missing.length === 0) return
  say(`installing Debian packages: ${missing.join(' ')}`)
  const install = () =>
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...missing], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      encoding: 'utf8',
      timeout: PATIENCE_MILLIS,
    })
  if (install().status === 0) return
  spawnSync('apt-get', ['update'], { encoding: 'utf8', timeout: PATIENCE_MILLIS })
  const second = install()
  if (second.status !== 0)
    say(`not to be had: ${missing.join(' ')}: ${(second.stderr ?? '').trim().split('\n').at(-1)}`)
}

/** A digest of the named files and folders, by their contents. */
function digest(paths) {
  const hash = createHash('sha256')
  const visit = path => {
    if (!existsSync(path)) return
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path).sort()) {
        if (name !== 'build' && name !== 'node_modules') visit(join(path, name))
      }
    } else {
      hash.update(path).update('\0').update(readFileSync(path)).update('\0')
    }
  }
  for (const p of paths) visit(join(root, p))
  return hash.digest('hex')
}

function stamps() {
  try {
    return JSON.parse(readFileSync(STAMPS, 'utf8'))
  } catch {
    return {}
  }
}

function remember(name, value) {
  mkdirSync(dirname(STAMPS), { recursive: true })
  writeFileSync(STAMPS, JSON.stringify({ ...stamps(), [name]: value }))
}

/** Does `work` unless it was done for the same inputs and `there` says that its result still is. */
function once(name, inputs, there, what, work) {
  const now = digest(inputs) + process.version
  if (stamps()[name] === now && there()) return
  say(what)
  work()
  remember(name, now)
}

export function setup() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) fail(`Node ${process.version} is too old: 20.19 or later is needed`)
  debian(RUNTIME)
  once(
    'npm',
    ['package.json', 'package-lock.json'],
    () => existsSync(join(root, 'node_modules', 'typescript')),
    'installing npm packages (npm ci)',
    npmPackages,
  )
  once(
    'native',
    ['native'],
    () => existsSync(join(root, 'native', 'build', 'Release', 'floatgate.node')),
    'building the native addon',
    () => run('node', ['node_modules/node-gyp/bin/node-gyp.js', '--directory', 'native', 'rebuild', ...headers()]),
  )
  once(
    'ts',
    ['src', 'test', 'bench', 'tsconfig.json', 'package-lock.json'],
    () => existsSync(join(root, 'dist', 'src', 'gateway', 'main.js')),
    'compiling TypeScript',
    () => run('node', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']),
  )
}

/** npm's own limits are two retries of five minutes each, for every package, without a word meanwhile. */
const NPM_LIMITS = [
  '--fetch-retries=1',
  '--fetch-timeout=90000',
  '--fetch-retry-mintimeout=1000',
  '--fetch-retry-maxtimeout=5000',
]

function npmPackages() {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const registry = run('npm', ['config', 'get', 'registry']).trim()
  // Some of them are for other systems.
  say(
    `what npm has not kept of some ${Object.keys(packages).length} packages comes from ${registry}; that may take a minute`,
  )
  run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--prefer-offline', ...NPM_LIMITS], {
    remedy: `npm needs ${registry}: see that this host reaches it, or tell npm of a proxy or a mirror ("npm config set proxy URL", "npm config set registry URL")`,
  })
}

/** Node's own headers where they were installed beside it, so that nothing is downloaded for the build. */
function headers() {
  const prefix = join(dirname(process.execPath), '..')
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? [`--nodedir=${prefix}`] : []
}

// Node names the file it was given, and a module where its links end.
if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  setup()
  say('everything is ready')
}
