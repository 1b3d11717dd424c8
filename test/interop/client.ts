/** A VPN client in a guest: what it is told to offer, and what it did. */
import { dirname } from 'node:path'
import type { Cipher, Integrity } from '../../src/esp/sa.ts'
import { gatewayPublic, lanHost } from '../support/plan.ts'
import type { EspKey } from '../support/tshark.ts'
import type { Guest } from './guest.ts'
import { type Account, type IkeDaemon, type Settings, usualSettings } from './settings.ts'

export interface Connection {
  readonly seconds: number
  readonly ikeSeconds: number
  readonly interfaceName: string
  readonly address: string
  /** The gateway's own address on the PPP link. */
  readonly peer: string
  readonly ciphers: readonly Cipher[]
  readonly udpEncapsulated: boolean
  readonly espKeys: readonly EspKey[]
}

/** No connection came about: where it ended and what the client had to say about it. */
export class NoConnection extends Error {
  readonly stage: string
  readonly seconds: number
  /** The gateway took the PPP link down after it had refused the user. */
  readonly terminated: boolean

  constructor(client: string, stage: string, seconds: number, terminated: boolean, said: string) {
    super(`${client}: no connection, ended in ${stage} after ${seconds} s: ${said}`)
    this.stage = stage
    this.seconds = seconds
    this.terminated = terminated
  }
}

export interface Pings {
  readonly sent: number
  readonly received: number
  readonly averageMillis: number
}

export class Client {
  readonly guest: Guest
  readonly account: Account
  readonly daemon: IkeDaemon

  constructor(guest: Guest, account: Account, daemon: IkeDaemon) {
    this.guest = guest
    this.account = account
    this.daemon = daemon
  }

  get name(): string {
    return this.guest.name
  }

  /** Connects or throws `NoConnection`. */
  async connect(wanted: Partial<Settings> = {}): Promise<Connection> {
    const settings = { ...usualSettings, account: this.account, ...wanted }
    const { ikePatienceSeconds, pppPatienceSeconds } = settings
    const { certificate } = settings
    if (certificate !== undefined) {
      for (const file of Object.entries(this.daemon.certificateFiles(certificate))) {
        for (const command of writeInPieces(file)) await this.must(command)
      }
    }
    const script = [
      ...Object.entries({ ...this.daemon.files(settings), ...linkFiles(settings) }).map(write),
      `exec bash /floatgate/client up ${ikePatienceSeconds} ${pppPatienceSeconds}`,
    ].join('\n')
    const { output } = await this.guest.run(script, (ikePatienceSeconds + pppPatienceSeconds + 30) * 1000)
    const value = (key: string) => new RegExp(`^${key} (.*)$`, 'm').exec(output)?.[1] ?? ''
    const stage = value('stage')
    if (stage !== 'up') {
      const said = value('said') || output.slice(-300)
      throw new NoConnection(
        this.name,
        stage || 'the lab',
        Number(value('seconds')),
        value('terminated') === 'yes',
        said,
      )
    }
    const espKeys = parseStates(output)
    const connection = {
      seconds: Number(value('seconds')),
      ikeSeconds: Number(value('ike_seconds')),
      interfaceName: value('interface'),
      address: value('address'),
      peer: value('peer'),
      ciphers: [...new Set(espKeys.map(key => key.encryption))],
      udpEncapsulated: output.includes('espinudp'),
      espKeys,
    }
    if (connection.peer === gatewayPublic) {
      throw new Error(`${this.name}: the gateway's PPP address is its public one: the tunnel would run into itself`)
    }
    return connection
  }

  /** Leaves as Windows does (PPP, L2TP, then the SAs). False when something had to be forced or was left. */
  async disconnect(): Promise<boolean> {
    return (await this.guest.run('exec bash /floatgate/client down')).output.includes('clean yes')
  }

  async ping(count: number, options = '', intervalSeconds = 0.2): Promise<Pings> {
    const patience = Math.ceil(count * intervalSeconds + 5)
    const command = `ping -n -c ${count} -i ${intervalSeconds} -W 3 ${options} ${lanHost}`
    const { output } = await this.guest.run(command, (patience + 5) * 1000)
    const counts = /(\d+) packets transmitted, (\d+) received/.exec(output)
    const average = /= [\d.]+\/([\d.]+)\//.exec(output)
    return {
      sent: Number(counts?.[1] ?? 0),
      received: Number(counts?.[2] ?? 0),
      averageMillis: Number(average?.[1] ?? 0),
    }
  }

  /** Runs a command in the guest that has to succeed. */
  async must(command: string, timeoutMillis?: number): Promise<string> {
    const { status, output } = await this.guest.run(command, timeoutMillis)
    if (status !== 0) throw new Error(`${this.name}: ${command}: status ${status} ${output.trim().slice(-300)}`)
    return output
  }

  /** How many lines of its IKE daemon's log since the last `connect` match an extended regular expression. */
  async logged(pattern: string): Promise<number> {
    const since = 'tail -n +$(($(cat /run/vpn/ike.lines) + 1))'
    return Number(await this.must(`${since} ${this.daemon.log} | grep -c -E '${pattern}' || true`))
  }

  /** What the client's programs wrote, for a failed scenario. */
  async logs(): Promise<string> {
    const files = `${this.daemon.log} /run/vpn/xl2tpd.log /run/vpn/pppd.log`
    return (await this.guest.run(`tail -n 300 ${files}; bash /floatgate/client state; ip route`)).output
  }
}

const integrities: Readonly<Record<string, Integrity>> = { 'hmac(sha1)': 'sha1', 'hmac(md5)': 'md5' }

/** Our name for a cipher as the client's kernel knows it. */
function cipher(name: string, key: string): Cipher | undefined {
  if (name === 'cbc(des3_ede)') return '3des'
  if (name === 'cbc(aes)') return ({ 32: 'aes128', 48: 'aes192', 64: 'aes256' } as const)[key.length]
  return undefined
}

/** AES-GCM by the hexadecimal digits of its key and salt. */
const GCM: Readonly<Record<number, Cipher>> = { 40: 'aesgcm128', 56: 'aesgcm192', 72: 'aesgcm256' }

/** The security associations in the output of `ip xfrm state`. */
function parseStates(output: string): EspKey[] {
  return output
    .split(/^(?=src )/m)
    .filter(text => text.startsWith('src '))
    .flatMap(text => {
      const [, spi] = /spi 0x([0-9a-f]+)/.exec(text) ?? []
      const [, encryption, encryptionKey] = /enc (\S+) 0x([0-9a-f]+)/.exec(text) ?? []
      const [, integrity, integrityKey] = /auth\S* (\S+) 0x([0-9a-f]+)/.exec(text) ?? []
      const [, aead, aeadKey] = /aead (\S+) 0x([0-9a-f]+) 128/.exec(text) ?? []
      if (spi && aead && aeadKey) {
        const whole = aead === 'rfc4106(gcm(aes))' ? GCM[aeadKey.length] : undefined
        if (!whole) throw new Error(`the client's kernel protects with ${aead}`)
        return [{ spi, encryption: whole, encryptionKey: aeadKey, integrity: 'gcm' as const, integrityKey: '' }]
      }
      if (!spi || !encryption || !encryptionKey || !integrity || !integrityKey) return []
      const [ours, mac] = [cipher(encryption, encryptionKey), integrities[integrity]]
      if (!ours || !mac) throw new Error(`the client's kernel protects with ${encryption} and ${integrity}`)
      return [{ spi, encryption: ours, encryptionKey, integrity: mac, integrityKey }]
    })
}

/** The command that writes a file in the guest. */
const write = ([path, text]: [string, string]): string =>
  `mkdir -p ${dirname(path)}; cat >${path} <<'END OF FILE'\n${text}\nEND OF FILE`

/** The same for a long file without quotes in it: the serial line takes some 4 KiB at a time, in base64. */
const writeInPieces = ([path, text]: [string, string]): string[] => [
  `mkdir -p ${dirname(path)}; : >${path}`,
  ...(text.match(/.{1,2000}/gs) ?? []).map(piece => `printf %s '${piece}' >>${path}`),
]

/** What xl2tpd and pppd are told. */
export function linkFiles({ account, passwordProof }: Settings): Record<string, string> {
  return {
    '/run/vpn/xl2tpd.conf': `[global]
access control = yes
[lac l2tp]
lns = ${gatewayPublic}
pppoptfile = /run/vpn/pppd.options
autodial = yes
tx bps = 100000000
rx bps = 100000000`,
    '/run/vpn/pppd.options': `nodetach
noipdefault
nodefaultroute
usepeerdns
noauth
refuse-eap${passwordProof === 'mschap-v2' ? '\nrefuse-pap\nrefuse-chap\nrefuse-mschap' : ''}
name "${account.user}"
password "${account.password}"
mru 1400
mtu 1400
lcp-echo-interval 0
debug
logfile /run/vpn/pppd.log`,
  }
}
