// `npm start`: sets everything up, writes a site file for this host where there is none, and runs the gateway in the
// foreground with the example configuration. Arguments behind `--` go to floatgated and replace the defaults here.

import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { firstSite } from './first-site.mjs'
import { root, say, setup } from './setup.mjs'

const args = process.argv.slice(2)
const wantsHelp = args.includes('--help') || args.includes('-h')

if (wantsHelp) {
  process.stdout.write(`usage: npm start -- [OPTION...]

Sets up what is missing (Debian packages, npm packages, the native addon, TypeScript) and runs the gateway in the
foreground with examples/ar450s.cfg and examples/site.local.json, which is written for this host at the first start.
The options are floatgated's:

`)
}

if (process.getuid() !== 0 && !wantsHelp) {
  process.stderr.write(
    'floatgate: root is needed (raw sockets, a TUN device, ports 500 and 4500): run "sudo npm start"\n',
  )
  process.exit(1)
}

setup()

const siteFile = join(root, 'examples', 'site.local.json')
const given = name => args.some(a => a === name || a.startsWith(`${name}=`))
if (!wantsHelp && !given('--site') && !given('--config') && !existsSync(siteFile)) writeSite()

const defaults = []
if (!wantsHelp) {
  if (!given('--config')) {
    defaults.push('--config', join(root, 'examples', 'ar450s.cfg'))
    if (!given('--site')) defaults.push('--site', siteFile)
  }
  if (!args.includes('--check')) defaults.push('--first-start')
}

const child = spawn(join(root, 'bin', 'floatgated'), [...defaults, ...args], { stdio: 'inherit' })
// Ctrl-C reaches the whole foreground group; a signal to this process alone is passed on. Where the terminal goes away
// the gateway ends, too: for a daemon SIGHUP would mean to read the configuration again.
const terminal = process.stdin.isTTY
process.on('SIGINT', () => terminal || child.kill('SIGINT'))
process.on('SIGTERM', () => child.kill('SIGTERM'))
process.on('SIGHUP', () => child.kill(terminal ? 'SIGTERM' : 'SIGHUP'))
child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)))

/** A site file that fits this host. */
function writeSite() {
  const { site, words } = firstSite()
  writeFileSync(siteFile, `${JSON.stringify(site, null, 2)}\n`)
  say(`wrote ${siteFile}: ${words}; edit it to suit`)
}
