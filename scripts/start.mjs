// `npm start`: sets everything up, writes a site file for this host where there is none, and runs the gateway in the
// foreground with the example configuration. Arguments behind `--` go to floatgated and replace the defaults here.

import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
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

const site = join(root, 'examples', 'site.local.json')
const given = name => args.some(a => a === name || a.startsWith(`${name}=`))
if (!wantsHelp && !given('--site') && !given('--config') && !existsSync(site)) writeSite()

const defaults = []
if (!wantsHelp) {
  if (!given('--config')) {
    defaults.push('--config', join(root, 'examples', 'ar450s.cfg'))
    if (!given('--site')) defaults.push('--site', site)
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

/** A site file that fits this host: the device of the default route is eth0, another one with a private address vlan1. */
function writeSite() {
  const route = defaultRoute()
  const devices = Object.entries(networkInterfaces()).flatMap(([device, entries]) =>
    (entries ?? []).filter(e => e.family === 'IPv4' && !e.internal).map(e => ({ device, address: e.address })),
  )
  const outside = devices.find(d => d.device === route?.device) ?? devices[0]
  const inside = devices.find(d => d.device !== outside?.device && isPrivate(d.address))
  const values = { 'x.x.x.x-x.x.x.x': pool(devices.map(d => d.address)) }
  const interfaces = {}
  if (outside) {
    interfaces.eth0 = outside.device
    values['office Internet address'] = outside.address
  }
  if (inside) {
    interfaces.vlan1 = inside.device
    values['office private LAN address'] = inside.address
  }
  writeFileSync(site, `${JSON.stringify({ interfaces, values }, null, 2)}\n`)
  say(
    `wrote ${site}: eth0 is ${outside?.device ?? 'missing'}, vlan1 is ${inside?.device ?? 'missing (this host has no second device with a private address)'}; edit it to suit`,
  )
}

/** A range for clients that no device of this host is near. */
function pool(addresses) {
  const net =
    ['10.98.0', '172.30.98', '192.168.198'].find(n => !addresses.some(a => a.startsWith(`${n}.`))) ?? '10.98.0'
  return `${net}.10-${net}.250`
}

function isPrivate(address) {
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/.test(address)
}

function defaultRoute() {
  for (const line of readFileSync('/proc/net/route', 'utf8').split('\n').slice(1)) {
    const f = line.split('\t')
    if (f[1] === '00000000' && f[7] === '00000000') {
      return { device: f[0] }
    }
  }
  return undefined
}
