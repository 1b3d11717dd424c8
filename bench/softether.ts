/**
 * SoftEther VPN server, the other gateway in user space, for a comparison: Debian's packages unpacked into a folder of their
 * own and run from there in a namespace, with file systems in memory where it writes. The host gets no package of it.
 */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { type Daemon, must, run, sleep } from '../test/support/command.ts'
import type { Network } from '../test/support/netns.ts'

const PACKAGES = ['softether-vpnserver', 'softether-vpncmd', 'softether-common']
const CACHE = process.env['BENCH_CACHE'] ?? '/var/cache/floatgate-bench'
const ROOT = `${CACHE}/softether`
const HUB = 'VPN'
/** Its hub's device, the address that it gets, and what its DHCP hands out. */
const TAP = 'bench'
const TAP_ADDRESS = '192.168.9.1'
/** A client that asks for this address or a later one of its network gets it: SoftEther takes its word. */
export const firstLease = '192.168.9.100'
const LEASES = { first: firstLease, last: '192.168.9.240' }
const CONNECT_TIMES = 40

/** Its programs look for their files under these, which are in memory for each of them. */
const PRELUDE = `for d in /var/lib /var/log /run; do mount -t tmpfs tmpfs $d && mkdir -p $d/softether || exit 1; done; exec "$@"`

/** Fetches it where it is not there yet; answers why there is none, or its version. */
export async function fetchSoftEther(): Promise<{ readonly obstacle: string } | { readonly version: string }> {
  const version = async () => {
    const { output } = await run(['sh', '-c', `cat ${ROOT}/version`])
    return output.trim()
  }
  if (existsSync(ROOT)) return { version: await version() }
  const folder = `${CACHE}/fetch-${process.pid}`
  mkdirSync(`${folder}/root`, { recursive: true, mode: 0o755 })
  try {
    const fetch = `cd ${folder} && apt-get -o APT::Sandbox::User=root download ${PACKAGES.join(' ')}`
    const { status, output } = await run(['sh', '-c', fetch])
    if (status !== 0) return { obstacle: `Debian's archive did not give it: ${output.trim().split('\n').at(-1)}` }
    for (const file of readdirSync(folder).filter(f => f.endsWith('.deb'))) {
      await must(['dpkg-deb', '-x', `${folder}/${file}`, `${folder}/root`])
      if (!file.startsWith(PACKAGES[0]!)) continue
      await must(['sh', '-c', `dpkg-deb -f ${folder}/${file} Version >${folder}/root/version`])
    }
    const { status: runs, output: missing } = await run([
      'sh',
      '-c',
      `ldd ${folder}/root${program('vpnserver')} ${folder}/root${program('vpncmd')} | grep 'not found'`,
    ])
    if (runs === 0) return { obstacle: `a library is missing: ${missing.trim()}` }
    renameSync(`${folder}/root`, ROOT)
    return { version: await version() }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const program = (name: string) => `/usr/libexec/softether/${name}/${name}`

/** Starts and configures it in namespace `gw`, whose devices have their addresses already. */
export async function startSoftEther(
  network: Network,
  o: { readonly psk: string; readonly user: string; readonly password: string; readonly dns: string },
): Promise<Daemon> {
  const started = (name: string) => ['sh', '-c', PRELUDE, 'sh', `${ROOT}${program(name)}`]
  const daemon = network.start('gw', 'softether', ...started('vpnserver'), 'execsvc')
  const command = async (...words: string[]) => {
    const argv = network.inside('gw', ...started('vpncmd'), 'localhost:5555', '/SERVER', ...words)
    const { status, output } = await run(argv, { timeoutMillis: 15_000 })
    return { status, output }
  }
  const must = async (...words: string[]) => {
    const { status, output } = await command(...words)
    if (status === 0) return
    await daemon.stop()
    throw new Error(`SoftEther: ${words.join(' ')}: ${output.trim().split('\n').slice(-3).join(' ')}`)
  }
  for (let i = 0; i < CONNECT_TIMES && (await command('/CMD', 'About')).status !== 0; i++) await sleep(250)
  await must('/CMD', 'HubCreate', HUB, '/PASSWORD:')
  const hub = async (...words: string[]) => await must(`/ADMINHUB:${HUB}`, '/CMD', ...words)
  await hub('UserCreate', o.user, '/GROUP:', '/REALNAME:', '/NOTE:')
  await hub('UserPasswordSet', o.user, `/PASSWORD:${o.password}`)
  await must('/CMD', 'BridgeCreate', HUB, `/DEVICE:${TAP}`, '/TAP:yes')
  await hub('SecureNatEnable')
  await hub('NatDisable')
  await hub(
    ...['DhcpSet', `/START:${LEASES.first}`, `/END:${LEASES.last}`, '/MASK:255.255.255.0', '/EXPIRE:7200'],
    ...[`/GW:${TAP_ADDRESS}`, `/DNS:${o.dns}`, '/DNS2:', '/DOMAIN:', '/LOG:no', '/PUSHROUTE:'],
  )
  // Its packet log would be written on a disk that the gateway compared with does not use.
  for (const kind of ['packet', 'security']) await hub('LogDisable', kind)
  await must(
    '/CMD',
    ...['IPsecEnable', '/L2TP:yes', '/L2TPRAW:no', '/ETHERIP:no', `/PSK:${o.psk}`, `/DEFAULTHUB:${HUB}`],
  )
  await network.ip('gw', `address replace ${TAP_ADDRESS}/24 dev tap_${TAP}`)
  await network.ip('gw', `link set tap_${TAP} up`)
  return daemon
}
