/** libreswan as a client: pluto, told what to do by addconn and whack. */
import { gatewayPublic } from '../support/plan.ts'
import type { IkeDaemon, Settings } from './settings.ts'

export const libreswan: IkeDaemon = {
  name: 'libreswan',
  // libreswan wants `host`, which debootstrap does not know as a name of bind9-host.
  packages: ['libreswan', 'bind9-host'],
  log: '/run/vpn/pluto.log',
  mainModeDone: '"l2tp".* (IKE|ISAKMP) SA established',
  quickModeDone: '"l2tp".* IPsec SA established',
  fragmentTaken: 'received IKE fragment id',
  peerDead: 'DPD action|deleting state .STATE_(MAIN|QUICK)',
  files: settings => ({
    '/etc/ipsec.conf': connectionFile(settings),
    '/etc/ipsec.secrets': `: PSK "${settings.preSharedKey}"\n`,
  }),
  certificateFiles: ({ pkcs12, password }) => ({
    '/run/vpn/own.p12.base64': pkcs12,
    '/run/vpn/own.password': password,
  }),
}

/** Debian builds it without MODP 1024; with 3DES its MODP 2048 is what Windows XP SP2 offers first. */
const group = (proposal: string) => proposal.replace('modp1024', 'modp2048')

/** Its own name for what strongSwan calls aes128gcm16. */
const phase2 = (proposal: string) => proposal.replace(/^aes(\d+)gcm16$/, 'aes_gcm$1-null')

/** The guest puts its address and its certificate's nickname into it. */
function connectionFile(settings: Settings): string {
  const { certificate, dpdSeconds, lifeSeconds, fragments } = settings
  const own =
    certificate === undefined
      ? '\n  rightid=@local'
      : '\n  leftcert=OWN_CERTIFICATE\n  leftid=%fromcert\n  rightid=%fromcert'
  const liveness =
    dpdSeconds === 0 ? '' : `\n  dpddelay=${dpdSeconds}\n  dpdtimeout=${dpdSeconds * 4}\n  dpdaction=clear`
  // One margin holds for both lifetimes.
  const margin = Math.max(1, lifeSeconds - settings.rekeySeconds)
  return `config setup
  logfile=/run/vpn/pluto.log
  ikev1-policy=accept
  plutodebug=${fragments === 'small' ? 'base' : 'none'}
  uniqueids=yes
conn l2tp
  ikev2=no
  auto=ignore
  type=transport
  authby=${certificate === undefined ? 'secret' : 'rsasig'}
  left=OWN_ADDRESS
  leftprotoport=17/1701
  right=${gatewayPublic}
  rightprotoport=17/1701
  leftupdown=/bin/true${own}${liveness}
  ike=${group(settings.ike)}
  phase2alg=${phase2(settings.esp)}
  pfs=no
  keyingtries=1
  retransmit-timeout=20s
  fragmentation=${{ usual: 'yes', small: 'force', none: 'no' }[fragments]}
  ikelifetime=${settings.reauthSeconds + margin}s
  salifetime=${lifeSeconds}s
  rekeymargin=${margin}s
  rekeyfuzz=0%
`
}
