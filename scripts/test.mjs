// `npm test`: sets everything up, then formatter and linter, types and every test; ends with `N passed, N failed`.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { debian, onPath, root, setup, wished } from './setup.mjs'
import { unpack } from './unpack.mjs'

setup()
if (process.getuid() === 0 && onPath('apt-get')) {
  debian([
    { package: 'tshark', shows: () => onPath('tshark') },
    { package: 'iputils-ping', shows: () => onPath('ping') },
  ])
  // For the tests of native code, which say so where these are not to be had.
  wished([
    { package: 'valgrind', shows: () => onPath('valgrind') },
    { package: 'libssl-dev', shows: () => existsSync('/usr/include/openssl/evp.h') },
  ])
  if (!onPath('sshd')) unpack('sshd', ['openssh-server', 'libwrap0'], 'usr/sbin/sshd')
}

const only = process.argv.slice(2)
const steps = [
  ['formatter and linter', 'node', ['node_modules/@biomejs/biome/bin/biome', 'check', '.']],
  ['types', 'node', ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.json']],
]
let passed = 0
let failed = 0
for (const [name, command, args] of steps) {
  const r = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  const good = r.status === 0
  process.stdout.write(`${good ? 'ok' : 'FAILED'}: ${name}\n`)
  if (good) passed++
  else failed++
}

const report = join(mkdtempSync(join(tmpdir(), 'floatgate-test-')), 'report.json')
const vitest = spawnSync(
  'node',
  ['node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json', `--outputFile=${report}`, ...only],
  { cwd: root, stdio: 'inherit' },
)
try {
  const counts = JSON.parse(readFileSync(report, 'utf8'))
  passed += counts.numPassedTests
  for (const file of counts.testResults) {
    const wrong = file.assertionResults.filter(test => test.status === 'failed')
    // A file that failed without a test in it, at its imports say, counts as one.
    const faults = file.status === 'failed' && wrong.length === 0 ? [{ failureMessages: [file.message] }] : wrong
    failed += faults.length
    for (const { fullName, failureMessages } of faults) {
      const where = [relative(root, file.name), fullName].filter(Boolean).join(': ')
      process.stdout.write(`FAILED: ${where}\n  ${String(failureMessages[0]).split('\n')[0]}\n`)
    }
  }
} catch {
  failed++
}
rmSync(join(report, '..'), { recursive: true, force: true })
if (vitest.status !== 0 && failed === 0) failed++
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exit(failed === 0 ? 0 : 1)
