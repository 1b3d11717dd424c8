/** The first start without secrets: a random key and one user, and what to type into the client. */

import type { Dice } from '../machine.ts'
import { Secret } from '../packet/bytes.ts'
import type { SecretStore } from './secret-store.ts'

/** Letters and digits that nobody mistakes for another: Windows wants the key alphanumeric, and people type it. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'

export interface FirstSecrets {
  readonly key: string
  /** Undefined where the script has users of its own: their passwords are known to whoever wrote it. */
  readonly user: { readonly name: string; readonly password: string } | undefined
}

/** Makes what is missing and stores it; undefined where both a key `keyId` and a user exist already. */
export function makeFirstSecrets(
  store: SecretStore,
  keyId: number,
  haveUser: boolean,
  dice: Dice,
): FirstSecrets | undefined {
  if (store.key(keyId) !== undefined && (haveUser || dialIn(store) !== undefined)) return undefined
  let key = store.key(keyId)
  if (key === undefined) {
    key = Secret.fromText(randomText(20, dice))
    store.setKey(keyId, 'general', key)
  }
  if (!dialIn(store) && !haveUser) store.setUser({ name: 'dialin1', password: Secret.fromText(randomText(12, dice)) })
  const user = dialIn(store)
  return { key: text(key), user: user && { name: user.name, password: text(user.password) } }
}

const dialIn = (store: SecretStore) => store.allUsers().find(u => !u.login)

function text(secret: Secret): string {
  return Buffer.from(secret.reveal()).toString('utf8')
}

/** Text of `length` characters, each equally likely. */
export function randomText(length: number, dice: Dice): string {
  const limit = 256 - (256 % ALPHABET.length)
  let text = ''
  while (text.length < length) {
    for (const byte of dice(length)) if (byte < limit && text.length < length) text += ALPHABET[byte % ALPHABET.length]
  }
  return text
}

/** What a person types into Windows XP and Windows 10; `chapOnly` where the script's template knows no MS-CHAPv2. */
export function clientInstructions(address: string, s: FirstSecrets, chapOnly = false): string {
  return `
  What to type into the client
  ----------------------------
    address          ${address}
    pre-shared key   ${s.key}
    user name        ${s.user?.name ?? 'one of the script’s users'}
    password         ${s.user?.password ?? 'as the script has it'}

  Windows XP: Network Connections > Create a new connection > Connect to the network at my workplace > VPN; enter the
  address. In its Properties: Security > IPSec Settings > use pre-shared key; Networking > type "L2TP IPSec VPN".
${chapOnly ? XP_CHAP : '  The rest stays as it is. Then connect with the user name and the password.'}

  Windows 10 and 11: Settings > Network & Internet > VPN > Add: provider "Windows (built-in)", type "L2TP/IPsec with
  pre-shared key", the address, the key, the user name and the password.${chapOnly ? WINDOWS_10_CHAP : WINDOWS_10} In PowerShell, all in one:
    Add-VpnConnection -Name Office -ServerAddress ${address} -TunnelType L2tp -L2tpPsk ${s.key} \`
      ${chapOnly ? '-AuthenticationMethod Chap -EncryptionLevel Optional' : '-AuthenticationMethod MSChapv2'} -Force

  The secrets are kept outside the script, mode 0600; "vpnctl add user=NAME password=... login=no" adds more users.
`
}

const XP_CHAP = `  Security > Advanced > Settings: tick "Challenge Handshake Authentication Protocol (CHAP)" and set data encryption to
  "Optional encryption" (IPsec encrypts everything). Then connect with the user name and the password.`

const WINDOWS_10 = ` Where that is refused: in the adapter's
  Properties > Security allow the protocol MS-CHAP v2.`

const WINDOWS_10_CHAP = ` Then in the adapter's Properties >
  Security: allow these protocols: CHAP; data encryption: optional.`
