// `npm run bench`: sets everything up and runs every benchmark of bench/, one after the other, each for a few minutes at
// most; then one table of their figures. Names choose among them; what begins with -- is passed on, but for these:
//
//   --json FILE   also writes it all as JSON: machine, commit, rows, and what each benchmark printed
//   --check       the short form for CI: cryptography's ratios to OpenSSL, and fails where one is less than half of what
//                 bench/expected.json has for this kind of processor, twice; UPDATE_RATIOS=1 writes the file anew

import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { root, setup } from './setup.mjs'

const LONGEST_MINUTES = 15
const GROSS = 2
const CHECK = { name: 'crypto', options: ['--short', '--bytes=1400', '--chosen'] }
const EXPECTED = join(root, 'bench', 'expected.json')
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
    const late = setTimeout(() => child.kill('SIGTERM'), LONGEST_MINUTES * 60_000)
    const status = await new Promise(resolve => child.on('close', (code, signal) => resolve(signal ?? code)))
    clearTimeout(late)
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').filter(Boolean) : []
    const rows = lines.map(line => ({ bench: name, ...JSON.parse(line) }))
    return { name, status, seconds: Math.round((performance.now() - began) / 1000), rows, output: output.split('\n') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const shown = value => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3))

function table(results) {
  const lines = [['bench', 'what', 'figure', 'times', 'what it stands beside']]
  for (const { name, rows, status } of results) {
    if (rows.length === 0) lines.push([name, status === 0 ? 'printed above' : `failed: ${status}`, '', '', ''])
    for (const r of rows) {
      if (r.skipped !== undefined) lines.push([name, r.what, 'not measured', '', r.skipped])
      else {
        const ratio = r.ratio === undefined ? '' : r.ratio.toFixed(2)
        lines.push([name, r.what, `${shown(r.value)} ${r.unit}`, ratio, r.against ?? ''])
      }
    }
  }
  const widths = lines[0].map((_, i) => Math.max(...lines.map(l => l[i].length)))
  const right = new Set([2, 3])
  return lines
    .map(l =>
      l
        .map((cell, i) => (right.has(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The ratios that are less than a part of those of this kind of processor; undefined where none are known or measured. */
function regressions(rows, units) {
  if (rows.some(r => r.skipped !== undefined)) return undefined
  const expected = JSON.parse(readFileSync(EXPECTED, 'utf8'))[units.join(' ') || 'none']
  if (expected === undefined) return undefined
  return Object.entries(expected).flatMap(([what, ratio]) => {
    const row = rows.find(r => r.what === what)
    if (row === undefined) return [`${what}: not measured`]
    return row.ratio * GROSS < ratio ? [`${what}: ${row.ratio.toFixed(2)} times, and ${ratio} are expected`] : []
  })
}

/** Rows with the better ratio of two runs: what else runs on a machine makes figures worse and never better. */
function better(rows, again) {
  return rows.map(r => again.find(a => a.what === r.what && a.ratio > r.ratio) ?? r)
}

setup()
const all = readdirSync(join(root, 'dist', 'bench'))
  .filter(f => f.endsWith('.bench.js'))
  .map(f => f.replace('.bench.js', ''))
  .filter(n => existsSync(join(root, 'bench', `${n}.bench.ts`)))
const unknown = names.filter(n => !all.includes(n))
if (unknown.length > 0) {
  process.stderr.write(`bench: no benchmark ${unknown.join(', ')}; there are ${all.join(', ')}\n`)
  process.exit(2)
}
const chosen = check ? [CHECK.name] : all.filter(n => names.length === 0 || names.includes(n))
const report = { machine: machine(), commit: commit(), date: new Date().toISOString(), results: [] }
for (const name of chosen) {
  process.stdout.write(`== ${name}\n`)
  report.results.push(await measure(name, check ? CHECK.options : options))
}
const { machine: host } = report
process.stdout.write(
  `\n${host.cpu}, ${host.processors} processors, ${host.units.join(' ')}; kernel ${host.kernel}, Node ${host.node}, ` +
    `load ${host.load}; commit ${report.commit}\n${table(report.results)}\n`,
)
if (jsonFile !== undefined) writeFileSync(jsonFile, `${JSON.stringify(report, undefined, 1)}\n`)
let failed = report.results.some(r => r.status !== 0)
if (check) {
  let rows = report.results.flatMap(r => r.rows)
  let worse = regressions(rows, host.units)
  if (worse?.length > 0 && !failed) {
    process.stdout.write(`gross regressions, unless they pass:\n${worse.map(w => `  ${w}\n`).join('')}`)
    rows = better(rows, (await measure(CHECK.name, CHECK.options)).rows)
    worse = regressions(rows, host.units)
  }
  if (process.env.UPDATE_RATIOS && !rows.some(r => r.skipped)) {
    const expected = JSON.parse(readFileSync(EXPECTED, 'utf8'))
    expected[host.units.join(' ') || 'none'] = Object.fromEntries(rows.map(r => [r.what, Number(r.ratio.toFixed(2))]))
    writeFileSync(EXPECTED, `${JSON.stringify(expected, undefined, 2)}\n`)
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
