// `npm run bench`: sets everything up and runs every benchmark of bench/, one after the other, in a short form; then one
// table of their figures. What fails is told in it and by the exit status, and the others go on. Names choose among them,
// which then take their time. What begins with -- is passed on, to one alone as --gateway.seconds=2, but for these:
//
//   --json FILE   also writes it all as JSON: machine, commit, rows, and what each benchmark printed; anew after each of them
//   --check       the short form for CI: cryptography's ratios to OpenSSL, and fails where one is less than half of what
//                 bench/expected.json has for this kind of processor, twice; UPDATE_RATIOS=1 writes the file anew

import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { root, setup } from './setup.mjs'

// How long one may take: the whole gateway and the emulated machines are many measurements.
const LONGEST_MINUTES = 8
const LONGER_MINUTES = { gateway: 20, kernel: 15 }
const GRACE_SECONDS = 20
const CHECK = { name: 'crypto', options: ['--short', '--bytes=1400', '--chosen'] }
const EXPECTED = join(root, 'bench', 'expected.json')
// Whole machines come last, so that all else is told by then.
const LAST = ['workers', 'gateway', 'kernel']
const UNITS = ['avx512f', 'avx2', 'vaes', 'sha_ni']

const args = process.argv.slice(2)
const check = args.includes('--check')
const at = args.indexOf('--json')
const jsonFile = at < 0 ? undefined : args[at + 1]
if (at >= 0 && (jsonFile === undefined || jsonFile.startsWith('--'))) {
  process.stderr.write('bench: --json takes the name of a file\n')
  process.exit(2)
}
const rest = args.filter((a, i) => a !== '--check' && (at < 0 || (i !== at && i !== at + 1)))
const options = rest.filter(a => a.startsWith('--'))
const names = rest.filter(a => !a.startsWith('--'))

function machine() {
  const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : ''
  const flags = /^flags\s*:\s*(.*)$/m.exec(info)?.[1]?.split(' ') ?? []
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    processors: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    units: UNITS.filter(u => flags.includes(u)),
    kernel: release(),
    node: process.version,
    load: existsSync('/proc/loadavg') ? readFileSync('/proc/loadavg', 'utf8').split(' ')[0] : undefined,
  }
}

function commit() {
  try {
    const git = (...words) =>
      execFileSync('git', words, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
        .toString()
        .trim()
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : ' and changes')
  } catch {
    return 'unknown'
  }
}

/** Runs one benchmark with what it prints on the screen; answers its rows, its output and how it ended. */
async function measure(name, more) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const file = join(folder, 'rows')
  const began = performance.now()
  try {
    const child = spawn('node', ['--expose-gc', join(root, 'dist', 'bench', `${name}.bench.js`), ...more], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, BENCH_ROWS: file },
    })
    let output = ''
    child.stdout.on('data', chunk => {
      output += chunk
      process.stdout.write(chunk)
    })
    // Ended in order first, since some have made namespaces, which the next of them sweeps away.
    const minutes = LONGER_MINUTES[name] ?? LONGEST_MINUTES
    const late = setTimeout(() => child.kill('SIGTERM'), minutes * 60_000)
    const gone = setTimeout(() => child.kill('SIGKILL'), minutes * 60_000 + GRACE_SECONDS * 1000)
    const status = await new Promise(resolve => child.on('close', (code, signal) => resolve(signal ?? code)))
    clearTimeout(late)
    clearTimeout(gone)
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').filter(Boolean) : []
    const rows = lines.map(line => ({ bench: name, ...JSON.parse(line) }))
    return { name, status, seconds: Math.round((performance.now() - began) / 1000), rows, output: output.split('\n') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

setup()
const { better, optionsFor, regressions, table } = await import(join(root, 'dist', 'bench', 'report.js'))
const all = readdirSync(join(root, 'dist', 'bench'))
  .filter(f => f.endsWith('.bench.js'))
  .map(f => f.replace('.bench.js', ''))
  .filter(n => existsSync(join(root, 'bench', `${n}.bench.ts`)))
const unknown = names.filter(n => !all.includes(n))
if (unknown.length > 0) {
  process.stderr.write(`bench: no benchmark ${unknown.join(', ')}; there are ${all.join(', ')}\n`)
  process.exit(2)
}
const whole = !check && names.length === 0
const order = [...all.filter(n => !LAST.includes(n)), ...LAST.filter(n => all.includes(n))]
const chosen = check ? [CHECK.name] : order.filter(n => whole || names.includes(n))
const began = performance.now()
const report = { machine: machine(), commit: commit(), date: new Date().toISOString(), results: [] }
for (const name of chosen) {
  process.stdout.write(`== ${name}\n`)
  report.results.push(await measure(name, check ? CHECK.options : optionsFor(name, options, whole)))
  // What comes now may fail, and this is to stay.
  if (jsonFile !== undefined) writeFileSync(jsonFile, `${JSON.stringify(report, undefined, 1)}\n`)
}
const { machine: host } = report
process.stdout.write(
  `\n${host.cpu}, ${host.processors} processors, ${host.units.join(' ')}; kernel ${host.kernel}, Node ${host.node}, ` +
    `load ${host.load}; commit ${report.commit}; ${((performance.now() - began) / 60_000).toFixed(1)} minutes\n${table(report.results)}\n`,
)
let failed = report.results.some(r => r.status !== 0)
if (check) {
  let rows = report.results.flatMap(r => r.rows)
  const known = JSON.parse(readFileSync(EXPECTED, 'utf8'))
  const kind = host.units.join(' ') || 'none'
  const expected = known[kind]
  let worse = regressions(rows, expected)
  if (worse?.length > 0 && !failed) {
    process.stdout.write(`gross regressions, unless they pass:\n${worse.map(w => `  ${w}\n`).join('')}`)
    rows = better(rows, (await measure(CHECK.name, CHECK.options)).rows)
    worse = regressions(rows, expected)
  }
  if (process.env.UPDATE_RATIOS && !rows.some(r => r.skipped)) {
    known[kind] = Object.fromEntries(rows.map(r => [r.what, Number(r.ratio.toFixed(2))]))
    writeFileSync(EXPECTED, `${JSON.stringify(known, undefined, 2)}\n`)
  }
  if (worse === undefined)
    process.stdout.write(
      'no ratios are known for this kind of processor, or none could be measured: nothing was judged\n',
    )
  else if (worse.length === 0) process.stdout.write('no ratio is less than half of what is expected\n')
  else {
    failed = true
    process.stdout.write(`gross regressions:\n${worse.map(w => `  ${w}\n`).join('')}`)
  }
}
process.exit(failed ? 1 : 0)
