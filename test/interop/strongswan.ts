/** strongSwan as a client: charon, told what to do by swanctl. */
import { gatewayPublic } from '../support/plan.ts'
import type { IkeKey } from '../support/tshark.ts'
import type { Client } from './client.ts'
import type { IkeDaemon, Settings } from './settings.ts'

export const strongSwan: IkeDaemon = {
  name: 'strongSwan',
  packages: ['strongswan-charon', 'strongswan-swanctl', 'libstrongswan-standard-plugins'],
  log: '/run/vpn/charon.log',
  mainModeDone: 'IKE_SA l2tp.* established',
  quickModeDone: 'CHILD_SA l2tp.* established',
  fragmentTaken: 'received fragment #',
  peerDead: 'DPD check timed out|peer not responding|giving up after',
  files: settings => ({
    '/etc/strongswan.conf': daemonFile(settings),
    '/etc/swanctl/swanctl.conf': connectionFile(settings),
  }),
  certificateFiles: ({ authority, own, key }) => ({
    '/etc/swanctl/x509ca/authority.pem': authority,
    '/etc/swanctl/x509/own.pem': own,
    '/etc/swanctl/private/own.pem': key,
  }),
}

function daemonFile({ certificate, fragments, revealKeys }: Settings): string {
  const readers = certificate === undefined ? '' : ' pem pkcs1 pkcs8 x509 pubkey'
  return `charon {
  load = random nonce aes md5 sha1 sha2 hmac kdf gmp openssl kernel-netlink socket-default vici${readers}
  retransmit_tries = 4
  retransmit_timeout = 2.0
  fragment_size = ${fragments === 'small' ? 600 : 1280}
  filelog {
    log {
      path = /run/vpn/charon.log
      append = no
      flush_line = yes
      default = 1
      ike = ${revealKeys ? 4 : 1}
    }
  }
}
swanctl {
  load = random openssl${readers}
}`
}

function connectionFile(settings: Settings): string {
  const { certificate, fragments, dpdSeconds } = settings
  const auth = certificate === undefined ? 'psk' : 'pubkey'
  return `connections {
  l2tp {
    version = 1
    remote_addrs = ${gatewayPublic}
    proposals = ${settings.ike}
    rekey_time = 0
    reauth_time = ${settings.reauthSeconds}
    rand_time = 0
    over_time = ${settings.overSeconds}
    dpd_delay = ${dpdSeconds}
    dpd_timeout = ${dpdSeconds * 4}
    mobike = no
    fragmentation = ${fragments === 'none' ? 'no' : 'yes'}
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
}`
}

/** The keys of IKE's encryption, by initiator cookie; needs `revealKeys`. */
export async function charonKeys(client: Client): Promise<readonly IkeKey[]> {
  const log = await client.must('cat /run/vpn/charon.log')
  const cookies = await client.must('swanctl --list-sas --ike l2tp')
  const cookie = /([0-9a-f]{16})_i/.exec(cookies)?.[1]
  const dump = log.slice(log.lastIndexOf('encryption key Ka')).split('\n')
  const bytes = Number(/=> (\d+) bytes/.exec(dump[0] ?? '')?.[1] ?? 0)
  const key = dump
    .slice(1, 1 + Math.ceil(bytes / 16))
    .map(line => /\d+: ((?:[0-9A-F]{2} )+)/.exec(line)?.[1]?.replaceAll(' ', '') ?? '')
    .join('')
    .slice(0, bytes * 2)
  if (!cookie || key.length === 0) throw new Error(`${client.name}: charon told no IKE key`)
  return [{ cookie, key: key.toLowerCase() }]
}
