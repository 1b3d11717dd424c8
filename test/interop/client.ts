/** A VPN client in a guest: what it is told to offer, and what it did. */
import type { Cipher, Integrity } from '../../src/esp/sa.ts'
import { gatewayPublic, lanHost, preSharedKey } from '../support/plan.ts'
import type { EspKey, IkeKey } from '../support/tshark.ts'
import type { Guest } from './guest.ts'

export interface Account {
  readonly user: string
  readonly password: string
}

/** What a client proves itself with instead of a pre-shared key, as PEM. */
export interface Certificate {
  readonly authority: string
  readonly own: string
  readonly key: string
}

export interface Settings {
  /** Phase 1 and phase 2 as strongSwan writes them. */
  readonly ike: string
  readonly esp: string
  readonly preSharedKey: string
  readonly certificate?: Certificate
  readonly account: Account
  /** Quick mode's lifetime and when the client asks for a new one. */
  readonly lifeSeconds: number
  readonly rekeySeconds: number
  /** When the client makes a new ISAKMP SA in main mode. */
  readonly reauthSeconds: number
  /** How long it keeps the old one then, before it deletes it. */
  readonly overSeconds: number
  /** How the client proves its password: as it is asked, or in MS-CHAPv2 alone. */
  readonly passwordProof: 'as asked' | 'mschap-v2'
  /** How long the client waits for IKE, and then for PPP. */
  readonly ikePatienceSeconds: number
  readonly pppPatienceSeconds: number
  /** Writes IKE's keys to the client's log. */
  readonly revealKeys: boolean
}

export const tripleDes = { ike: '3des-sha1-modp1024', esp: '3des-sha1' }
export const aes128 = { ike: 'aes128-sha1-modp1024', esp: 'aes128-sha1' }

const usual: Omit<Settings, 'account'> = {
  ...tripleDes,
  preSharedKey,
  lifeSeconds: 3600,
  rekeySeconds: 3000,
  reauthSeconds: 7 * 3600,
  overSeconds: 3600,
  passwordProof: 'as asked',
  ikePatienceSeconds: 20,
  pppPatienceSeconds: 30,
  revealKeys: false,
}

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

  constructor(guest: Guest, account: Account) {
    this.guest = guest
    this.account = account
  }

  get name(): string {
    return this.guest.name
  }

  /** Connects or throws `NoConnection`. */
  async connect(wanted: Partial<Settings> = {}): Promise<Connection> {
    const settings = { ...usual, account: this.account, ...wanted }
    const { ikePatienceSeconds, pppPatienceSeconds } = settings
    // One by one: the serial line takes some 4 KiB at a time.
    for (const [path, text] of Object.entries(certificateFiles(settings.certificate))) {
      await this.must(`mkdir -p $(dirname ${path}); cat >${path} <<'END OF FILE'\n${text}\nEND OF FILE`)
    }
    const script = [
      ...Object.entries(files(settings)).map(([path, text]) => `cat >${path} <<'END OF FILE'\n${text}\nEND OF FILE`),
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

  /** What the client's programs wrote, for a failed scenario. */
  async logs(): Promise<string> {
    const script =
      'tail -n 300 /run/vpn/charon.log /run/vpn/xl2tpd.log /run/vpn/pppd.log; bash /floatgate/client state; ip route'
    return (await this.guest.run(script)).output
  }

  /** The keys of IKE's encryption, by initiator cookie; needs `revealKeys`. */
  async ikeKeys(): Promise<readonly IkeKey[]> {
    const log = await this.must('cat /run/vpn/charon.log')
    const cookies = await this.must('swanctl --list-sas --ike l2tp')
    const cookie = /([0-9a-f]{16})_i/.exec(cookies)?.[1]
    const dump = log.slice(log.lastIndexOf('encryption key Ka')).split('\n')
    const bytes = Number(/=> (\d+) bytes/.exec(dump[0] ?? '')?.[1] ?? 0)
    const key = dump
      .slice(1, 1 + Math.ceil(bytes / 16))
      .map(line => /\d+: ((?:[0-9A-F]{2} )+)/.exec(line)?.[1]?.replaceAll(' ', '') ?? '')
      .join('')
      .slice(0, bytes * 2)
    if (!cookie || key.length === 0) throw new Error(`${this.name}: charon told no IKE key`)
    return [{ cookie, key: key.toLowerCase() }]
  }
}

const integrities: Readonly<Record<string, Integrity>> = { 'hmac(sha1)': 'sha1', 'hmac(md5)': 'md5' }

/** Our name for a cipher as the client's kernel knows it. */
function cipher(name: string, key: string): Cipher | undefined {
  if (name === 'cbc(des3_ede)') return '3des'
  if (name === 'cbc(aes)') return ({ 32: 'aes128', 48: 'aes192', 64: 'aes256' } as const)[key.length]
  return undefined
}

/** The security associations in the output of `ip xfrm state`. */
function parseStates(output: string): EspKey[] {
  return output
    .split(/^(?=src )/m)
    .filter(text => text.startsWith('src '))
    .flatMap(text => {
      const [, spi] = /spi 0x([0-9a-f]+)/.exec(text) ?? []
      const [, encryption, encryptionKey] = /enc (\S+) 0x([0-9a-f]+)/.exec(text) ?? []
      const [, integrity, integrityKey] = /auth\S* (\S+) 0x([0-9a-f]+)/.exec(text) ?? []
      if (!spi || !encryption || !encryptionKey || !integrity || !integrityKey) return []
      const [ours, mac] = [cipher(encryption, encryptionKey), integrities[integrity]]
      if (!ours || !mac) throw new Error(`the client's kernel protects with ${encryption} and ${integrity}`)
      return [{ spi, encryption: ours, encryptionKey, integrity: mac, integrityKey }]
    })
}

function certificateFiles(certificate: Certificate | undefined): Record<string, string> {
  if (certificate === undefined) return {}
  return {
    '/etc/swanctl/x509ca/authority.pem': certificate.authority,
    '/etc/swanctl/x509/own.pem': certificate.own,
    '/etc/swanctl/private/own.pem': certificate.key,
  }
}

/** Every configuration file of the client. */
function files(settings: Settings): Record<string, string> {
  const { account, certificate } = settings
  const auth = certificate === undefined ? 'psk' : 'pubkey'
  const readers = certificate === undefined ? '' : ' pem pkcs1 pkcs8 x509 pubkey'
  return {
    '/etc/strongswan.conf': `charon {
  load = random nonce aes md5 sha1 sha2 hmac kdf gmp openssl kernel-netlink socket-default vici${readers}
  retransmit_tries = 4
  retransmit_timeout = 2.0
  filelog {
    log {
      path = /run/vpn/charon.log
      append = no
      flush_line = yes
      default = 1
      ike = ${settings.revealKeys ? 4 : 1}
    }
  }
}
swanctl {
  load = random openssl${readers}
}`,
    '/etc/swanctl/swanctl.conf': `connections {
  l2tp {
    version = 1
    remote_addrs = ${gatewayPublic}
    proposals = ${settings.ike}
    rekey_time = 0
    reauth_time = ${settings.reauthSeconds}
    rand_time = 0
    over_time = ${settings.overSeconds}
    dpd_delay = 0
    mobike = no
    local {
      auth = ${auth}${certificate === undefined ? '' : '\n      certs = own.pem'}
    }
    remote {
      auth = ${auth}
      id = %any
    }
    children {
      l2tp {
        mode = transport
        local_ts = dynamic[17/1701]
        remote_ts = dynamic[17/1701]
        esp_proposals = ${settings.esp}
        life_time = ${settings.lifeSeconds}
        rekey_time = ${settings.rekeySeconds}
        rand_time = 0
      }
    }
  }
}
secrets {
  ike-gateway {
    secret = "${settings.preSharedKey}"
  }
}`,
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
refuse-eap${settings.passwordProof === 'mschap-v2' ? '\nrefuse-pap\nrefuse-chap\nrefuse-mschap' : ''}
name "${account.user}"
password "${account.password}"
mru 1400
mtu 1400
lcp-echo-interval 0
debug
logfile /run/vpn/pppd.log`,
  }
}
