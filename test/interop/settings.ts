/** What a client of the lab is told, and what an IKE daemon makes of it. */
import { preSharedKey } from '../support/plan.ts'

export interface Account {
  readonly user: string
  readonly password: string
}

/** What a client proves itself with instead of a pre-shared key. */
export interface Certificate {
  /** As PEM. */
  readonly authority: string
  readonly own: string
  readonly key: string
  /** All of it in one file, in base64, and the file's password. */
  readonly pkcs12: string
  readonly password: string
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
  /** How often it asks whether the gateway lives (DPD); 0 is never. */
  readonly dpdSeconds: number
  /** IKE fragments: as the daemon comes, of some 600 bytes from the first message on, or none. */
  readonly fragments: 'usual' | 'small' | 'none'
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
export const aesGcm128 = { ike: aes128.ike, esp: 'aes128gcm16' }

export const usualSettings: Omit<Settings, 'account'> = {
  ...tripleDes,
  preSharedKey,
  lifeSeconds: 3600,
  rekeySeconds: 3000,
  reauthSeconds: 7 * 3600,
  overSeconds: 3600,
  dpdSeconds: 0,
  fragments: 'usual',
  passwordProof: 'as asked',
  ikePatienceSeconds: 20,
  pppPatienceSeconds: 30,
  revealKeys: false,
}

/** An IKE daemon of Debian's; guest/NAME starts and ends it. */
export interface IkeDaemon {
  readonly name: 'strongSwan' | 'libreswan'
  /** The Debian packages that it comes in. */
  readonly packages: readonly string[]
  readonly log: string
  /** What its log says of an exchange that ended well, as an extended regular expression. */
  readonly mainModeDone: string
  readonly quickModeDone: string
  /** What its log says of an IKE fragment that came. */
  readonly fragmentTaken: string
  /** What its log says when it finds that the gateway is gone. */
  readonly peerDead: string
  /** Every configuration file it takes. */
  files(settings: Settings): Readonly<Record<string, string>>
  /** The files of a certificate login: some are long. */
  certificateFiles(certificate: Certificate): Readonly<Record<string, string>>
}
