/**
 * The addon's cryptography beside OpenSSL's EVP called from C, packet by packet, in the same run: a table by suite,
 * direction, implementation and batch size. Options: --short takes a fifth of the time; --bytes=N,... are other payloads
 * than 64, 512 and 1,400 bytes; --chosen leaves all implementations out but the one that the engine chooses.
 */

import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { note, skipped } from './rows.ts'

interface Cell {
  readonly suite: string
  readonly direction: string
  readonly batch: number
  readonly bytes: number
  readonly by: string
  readonly us: number
  /** How often it is done while EVP does it once. */
  readonly ratio: number
}

const BATCHES = [1, 4, 16, 32, 64, 128, 256]
const native = join(process.cwd(), 'native')
const headers = process.env.NODE_INCLUDE ?? join(dirname(dirname(process.execPath)), 'include', 'node')

/** Builds native/bench/crypto.cc with the engine's sources, as the addon's build does, and answers the program. */
function build(folder: string): string {
  // Only type declarations are taken from Node's headers; its copy of OpenSSL's must not be, as the system's library runs.
  const include = join(folder, 'node')
  mkdirSync(include)
  for (const name of ['node_api', 'node_api_types', 'js_native_api', 'js_native_api_types']) {
    cpSync(join(headers, `${name}.h`), join(include, `${name}.h`))
  }
  const sources = readdirSync(native).filter(f => /^(esp_engine|esp_rows|suites_.*|des_.*|aes_.*)\.cc$/.test(f))
  const ipsecMb = ['/usr/include/intel-ipsec-mb.h', '/usr/include/ipsec-mb.h'].some(existsSync)
  const program = join(folder, 'crypto')
  execFileSync('g++', [
    ...['-std=c++20', '-O2', '-fno-exceptions', '-fno-rtti', `-I${include}`, '-o', program],
    ...(ipsecMb ? ['-DHAVE_IPSEC_MB'] : []),
    ...['bench/crypto.cc', ...sources].map(f => join(native, f)),
    ...['-lcrypto', ...(ipsecMb ? ['-lIPSec_MB'] : [])],
  ])
  return program
}

function option(name: string): string | undefined {
  return process.argv.find(a => a.startsWith(`--${name}=`))?.split('=')[1]
}

/** One line for each implementation: microseconds a packet, and times as fast as EVP. */
function table(cells: Cell[]): string {
  const lines = [`${'us a packet (ratio)'.padEnd(33)}${BATCHES.map(b => `batch ${b}`.padStart(18)).join('')}`]
  for (const key of new Set(cells.map(c => `${c.suite} ${c.direction}`))) {
    const rows = cells.filter(c => `${c.suite} ${c.direction}` === key)
    for (const by of new Set(rows.map(c => c.by))) {
      const shown = BATCHES.map(batch => {
        const cell = rows.find(c => c.by === by && c.batch === batch)
        return cell === undefined ? '' : `${cell.us.toFixed(2)} (${cell.ratio.toFixed(2)})`.padStart(18)
      })
      lines.push(`${key.padEnd(23)}${by.padEnd(10)}${shown.join('')}`)
    }
  }
  return lines.join('\n')
}

const missing = ['/usr/include/openssl/evp.h', join(headers, 'node_api.h')].filter(f => !existsSync(f))
if (missing.length > 0) {
  skipped('cryptography', `there is no ${missing.join(' and no ')}`)
  process.exit(0)
}
const folder = mkdtempSync(join(tmpdir(), 'crypto-'))
try {
  const program = build(folder)
  const time = process.argv.includes('--short') ? '6' : '30'
  for (const bytes of (option('bytes') ?? '64,512,1400').split(',')) {
    const which = process.argv.includes('--chosen') ? ['all', 'chosen'] : []
    const output = execFileSync(program, [bytes, time, ...which]).toString()
    const cells: Cell[] = output
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    console.log(`${bytes} bytes of payload\n${table(cells)}`)
    for (const c of cells.filter(c => c.by === 'chosen')) {
      // EVP goes packet by packet, so its best for any batch is its cost.
      const evp = cells.filter(e => e.by === 'evp' && e.suite === c.suite && e.direction === c.direction)
      const ratio = Math.min(...evp.map(e => e.us)) / c.us
      const what = `${c.suite} ${c.direction}, ${bytes} bytes, batch ${c.batch}`
      note({ what, value: c.us, unit: 'us/packet', ratio, against: "OpenSSL's EVP from C" })
    }
  }
} finally {
  rmSync(folder, { recursive: true })
}
