/** The gateway under test: `floatgated` in the namespace `gw`, asked through `vpnctl`. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Daemon, run, until } from '../support/command.ts'
import { preSharedKey } from './client.ts'
import { gatewayLan, gatewayPublic, project, type World } from './world.ts'

export const accounts = {
  /** Has an address of its own. */
  dialin1: { user: 'dialin1', password: 'friend1', address: '192.168.8.50' },
  /** Takes one from the pool. */
  dialin2: { user: 'dialin2', password: 'friend2' },
} as const

export const pool = { first: '192.168.8.100', last: '192.168.8.199' }

export interface Gateway {
  readonly name: string
  readonly alive: boolean
  start(): Promise<void>
  stop(): Promise<void>
  /** Everything it logged so far. */
  log(): Promise<string>
  /** Has it answer a command in the router's language; absent where the gateway has no such thing. */
  readonly command?: (...words: string[]) => Promise<string>
}

/** A head office as in the router's handbook, with AES and 3DES, and IKE, floated IKE and L2TP let in. */
const script = `
set system name="Interop"
create enco key=1 type=general value=${preSharedKey}
add user=dialin1 password=friend1 login=no ip=${accounts.dialin1.address}
add user=dialin2 password=friend2 login=no
create ppp template=1 bap=off ippool="roaming" authentication=chap echo=30 lqr=off
enable l2tp
enable l2tp server=both
add l2tp ip=1.1.1.1-255.255.255.254 pptemplate=1
enable ip
add ip int=vlan1 ip=${gatewayLan} mask=255.255.255.0
add ip int=eth0 ip=${gatewayPublic} mask=255.255.255.0
create ip pool="roaming" ip=${pool.first}-${pool.last}
enable firewall
create firewall policy=main
create firewall policy=main dynamic=clients
add firewall policy=main dynamic=clients user=any
add firewall policy=main int=vlan1 type=private
add firewall policy=main int=dyn-clients type=private
add firewall policy=main int=eth0 type=public
add firewall policy=main nat=enhanced int=vlan1 gblinterface=eth0
add firewall policy=main nat=enhanced int=dyn-clients gblinterface=eth0
add firewall policy=main rule=1 int=eth0 action=allow protocol=udp ip=${gatewayPublic} port=500 gblip=${gatewayPublic} gblport=500
add firewall policy=main rule=2 int=eth0 action=allow protocol=udp ip=${gatewayPublic} port=4500 gblip=${gatewayPublic} gblport=4500
add firewall policy=main rule=3 int=eth0 action=allow protocol=udp ip=${gatewayPublic} port=1701 gblip=${gatewayPublic} gblport=1701 encap=ipsec
create ipsec saspecification=1 key=isakmp protocol=esp encalg=aes128 hashalg=sha mode=transport
create ipsec saspecification=2 key=isakmp protocol=esp encalg=3desouter hashalg=sha mode=transport
create ipsec saspecification=3 key=isakmp protocol=esp encalg=3desouter hashalg=md5 mode=transport
create ipsec bundle=1 key=isakmp string="1 or 2 or 3"
create ipsec policy="isakmp" int=eth0 action=permit lport=500
create ipsec policy="isakmp_float" int=eth0 action=permit lport=4500
create ipsec policy="roaming" int=eth0 action=ipsec key=isakmp bundlespecification=1 isakmppolicy="roaming" peer=any
set ipsec policy="roaming" transport=udp lport=1701
create ipsec policy="internet" int=eth0 action=permit
enable ipsec
create isakmp policy="roaming" peer=any key=1
set isakmp policy="roaming" senddeletes=true localid=local nattraversal=on
enable isakmp
`

export class Floatgate implements Gateway {
  readonly name = 'floatgated'
  readonly #world: World
  readonly #socket: string
  readonly #logFile: string
  #daemon: Daemon | undefined

  constructor(world: World) {
    this.#world = world
    this.#socket = `${world.directory}/floatgate.sock`
    this.#logFile = `${world.directory}/floatgated.log`
  }

  get alive(): boolean {
    return this.#daemon?.alive ?? false
  }

  /** Starts the daemon and returns when it says that it is ready; throws with what it said otherwise. */
  async start(): Promise<void> {
    const { directory } = this.#world
    const program = `${project}/bin/floatgated`
    if (!existsSync(program)) throw new Error(`${program} is missing`)
    mkdirSync(`${directory}/state`, { recursive: true })
    writeFileSync(`${directory}/router.cfg`, script)
    writeFileSync(`${directory}/site.json`, JSON.stringify({ interfaces: { eth0: 'pub0', vlan1: 'lan0' } }))
    const before = existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8').length : 0
    const argv = this.#world.inside(
      'gw',
      ...[program, '--config', `${directory}/router.cfg`, '--site', `${directory}/site.json`],
      ...['--state', `${directory}/state`, '--socket', this.#socket],
    )
    const daemon = this.#world.keep(new Daemon('floatgated', argv, this.#logFile))
    this.#daemon = daemon
    const said = () => readFileSync(this.#logFile, 'utf8').slice(before)
    await until(() => !daemon.alive || said().includes('floatgate: ready'), 20_000)
    if (!said().includes('floatgate: ready')) {
      await daemon.stop()
      throw new Error(`floatgated did not become ready (${daemon.ended}):\n${said().slice(-1500)}`)
    }
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop(5000)
  }

  async log(): Promise<string> {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : ''
  }

  readonly command = async (...words: string[]): Promise<string> => {
    const { status, output } = await run([`${project}/bin/vpnctl`, '--socket', this.#socket, ...words])
    if (status !== 0) throw new Error(`vpnctl ${words.join(' ')}: status ${status}\n${output.slice(-500)}`)
    return output
  }
}
