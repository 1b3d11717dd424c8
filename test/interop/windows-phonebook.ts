/**
 * A phonebook (rasphone.pbk) with one L2TP/IPsec connection, as every Windows from 2000 on reads it, and the settings
 * that the agent reads beside it. Keys that a version does not know it skips; those that are left out have its defaults.
 */
import type { Image } from './windows-images.ts'

export const entryName = 'Floatgate'

/** Values of the phonebook's keys: those of the RASENTRY structure where it has the same field. */
const type = { vpn: 2 } as const
const vpnStrategy = { l2tpOnly: 3 } as const
/** 8 lets PPP do without encryption: IPsec encrypts. With 256, "required", a login by CHAP (MD5) ends in error 741. */
const dataEncryption = { optional: 8 } as const
const authentication = { chap: 0x20, custom: 0x100, msChapV2: 0x200 } as const
const ipSec = { preSharedKey: 1 } as const

/** @param usesKey the computer proves itself with a pre-shared key, which is no part of the file */
export function phonebook(server: string, usesKey: boolean, image: Pick<Image, 'version'>): string {
  const before7 = ['2000', 'xp', 'vista'].includes(image.version.name)
  const allowed = authentication.chap | authentication.msChapV2 | (before7 ? authentication.custom : 0)
  const device = 'WAN Miniport (L2TP)'
  const sections: readonly (readonly [string, string | number])[][] = [
    [
      ['Encoding', 1],
      ['Type', type.vpn],
      ['AutoLogon', 0],
      ['UseRasCredentials', 0],
      ['DialParamsUID', 70_151_701],
      ['BaseProtocol', 1],
      ['VpnStrategy', vpnStrategy.l2tpOnly],
      ['ExcludedProtocols', 0],
      ['LcpExtensions', 1],
      ['DataEncryption', dataEncryption.optional],
      ['SwCompression', 0],
      ['NegotiateMultilinkAlways', 0],
      ['SkipDoubleDialDialog', 0],
      ['DialMode', 1],
      ['RedialAttempts', 0],
      ['IdleDisconnectSeconds', 0],
      ['RedialOnLinkFailure', 0],
      ['CallbackMode', 0],
      ['PreferredPort', 'VPN2-0'],
      ['PreferredDevice', device],
      ['PreviewUserPw', 0],
      ['PreviewDomain', 0],
      ['PreviewPhoneNumber', 0],
      ['ShowDialingProgress', 0],
      ['CustomAuthKey', before7 ? -1 : 0],
      ['AuthRestrictions', allowed],
      ['TypicalAuth', 1],
      ['IpPrioritizeRemote', 1],
      ['IpHeaderCompression', 0],
      ['IpAssign', 1],
      ['IpNameAssign', 1],
      ['UseFlags', usesKey ? 2 : 0],
      ['IpSecFlags', usesKey ? ipSec.preSharedKey : 0],
    ],
    [
      ['NETCOMPONENTS', ''],
      ['ms_msclient', 1],
      ['ms_server', 0],
    ],
    [
      ['MEDIA', 'rastapi'],
      ['Port', 'VPN2-0'],
      ['Device', device],
    ],
    [
      ['DEVICE', 'vpn'],
      ['PhoneNumber', server],
      ['AreaCode', ''],
      ['CountryCode', 0],
      ['CountryID', 0],
      ['UseDialingRules', 0],
      ['Comment', ''],
      ['LastSelectedPhone', 0],
      ['PromoteAlternates', 0],
      ['TryNextAlternateOnFail', 1],
    ],
  ]
  const text = sections.map(lines => lines.map(([key, value]) => `${key}=${value}\r\n`).join('')).join('\r\n')
  return `[${entryName}]\r\n${text}\r\n`
}

/** What the agent has to know beside its requests. */
export function settingsFile(
  server: string,
  preSharedKey: string,
  image: Pick<Image, 'name' | 'way' | 'login'>,
  p12password = '',
): string {
  const psk = image.login === 'psk' ? preSharedKey : ''
  const lines = { entry: entryName, server, how: image.way, login: image.login, psk, p12password }
  for (const [key, value] of Object.entries(lines)) {
    if (/[\r\n]/.test(value)) throw new Error(`the ${key} of ${image.name} has more than one line`)
  }
  return Object.entries(lines)
    .map(([key, value]) => `${key}=${value}\r\n`)
    .join('')
}
