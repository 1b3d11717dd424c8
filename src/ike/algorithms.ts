/** What the numbers of an offer stand for, and their names for the operator (RFC 2409 appendix A, RFC 2407 sections 4.4 and 4.5). */

import {
  Authentication,
  Encapsulation,
  EspAuthentication,
  EspTransform,
  LifeType,
  Phase1Attribute,
  Phase1Encryption,
  Phase1HashId,
  Phase2Attribute,
  Protocol,
} from './constants.ts'
import type { Phase1Cipher, Phase1Hash, Phase2Suite } from './policy.ts'
import { NO_NUMBER } from './proposal.ts'

/** The last value of a type among types and values in turn. */
export function numberOf(numbers: readonly number[], type: number): number | undefined {
  for (let i = numbers.length - 2; i >= 0; i -= 2)
    if (numbers[i] === type && numbers[i + 1] !== NO_NUMBER) return numbers[i + 1]
  return undefined
}

/** Durations belong to the life type before them; without one they are seconds. */
export function lifetimes(
  numbers: readonly number[],
  lifeType: number,
  lifeDuration: number,
): { seconds: number | undefined; kilobytes: number | undefined } {
  let seconds: number | undefined
  let kilobytes: number | undefined
  let type: number = LifeType.Seconds
  for (let i = 0; i < numbers.length; i += 2) {
    const value = numbers[i + 1]!
    if (numbers[i] === lifeType) type = value
    if (numbers[i] !== lifeDuration || value <= 0) continue
    if (type === LifeType.Seconds) seconds = value
    if (type === LifeType.Kilobytes) kilobytes = value
  }
  return { seconds, kilobytes }
}

/** AES by its key length; 128 where none is given. Vista's beta sent the two bytes in the wrong order. */
function aes(bits: number | undefined): 'aes128' | 'aes192' | 'aes256' | undefined {
  const length = bits !== undefined && bits > 4096 ? ((bits & 0xff) << 8) | (bits >>> 8) : (bits ?? 128)
  return length === 128 ? 'aes128' : length === 192 ? 'aes192' : length === 256 ? 'aes256' : undefined
}

export function phase1Cipher(numbers: readonly number[]): Phase1Cipher | undefined {
  const value = numberOf(numbers, Phase1Attribute.Encryption)
  if (value === Phase1Encryption.Des) return 'des'
  if (value === Phase1Encryption.TripleDes) return '3des'
  return value === Phase1Encryption.Aes ? aes(numberOf(numbers, Phase1Attribute.KeyLength)) : undefined
}

export function phase1Hash(numbers: readonly number[]): Phase1Hash | undefined {
  const value = numberOf(numbers, Phase1Attribute.Hash)
  if (value === Phase1HashId.Md5) return 'md5'
  if (value === Phase1HashId.Sha1) return 'sha1'
  return value === Phase1HashId.Sha256 ? 'sha256' : undefined
}

/** The algorithms of a phase 2 offer, as far as we know them. */
export function espAlgorithms(id: number, numbers: readonly number[]) {
  return {
    cipher: espCipher(id, numberOf(numbers, Phase2Attribute.KeyLength)),
    integrity: espIntegrity(id, numberOf(numbers, Phase2Attribute.Authentication)),
  }
}

function espCipher(id: number, keyBits: number | undefined): Phase2Suite['cipher'] | undefined {
  if (id === EspTransform.Des) return 'des'
  if (id === EspTransform.TripleDes) return '3des'
  const long = aes(keyBits)
  if (id === EspTransform.AesGcm16 && long)
    return ({ aes128: 'aesgcm128', aes192: 'aesgcm192', aes256: 'aesgcm256' } as const)[long]
  return id === EspTransform.Aes ? long : undefined
}

/** With GCM there is none to be agreed on. */
function espIntegrity(id: number, value: number | undefined): Phase2Suite['integrity'] | undefined {
  if (id === EspTransform.AesGcm16) return value === undefined ? 'gcm' : undefined
  if (value === EspAuthentication.HmacMd5) return 'md5'
  if (value === EspAuthentication.HmacSha1) return 'sha1'
  return value === EspAuthentication.HmacSha256 ? 'sha256' : undefined
}

export const upper = (text: string) => text.toUpperCase()

export function cipherText(cipher: Phase1Cipher): string {
  return upper(cipher)
}

export function suiteText(suite: Phase2Suite): string {
  return `ESP ${algorithmsText(suite)}`
}

export function algorithmsText({ cipher, integrity }: Phase2Suite): string {
  return integrity === 'gcm' ? upper(cipher) : `${upper(cipher)}-${upper(integrity)}`
}

/** The same of algorithms of which we do not know both. */
export function strangeAlgorithmsText(id: number, numbers: readonly number[]): string {
  const { cipher, integrity } = espAlgorithms(id, numbers)
  const strange = id === EspTransform.Null ? 'NULL' : `transform${id}`
  const auth = numberOf(numbers, Phase2Attribute.Authentication)
  return `${cipher ? upper(cipher) : strange}-${integrity ? upper(integrity) : auth === undefined ? 'none' : `auth${auth}`}`
}

export function protocolText(protocol: number): string {
  if (protocol === Protocol.Esp) return 'ESP'
  if (protocol === Protocol.Ah) return 'AH'
  return protocol === Protocol.IpComp ? 'IPCOMP' : `protocol ${protocol}`
}

export function authenticationText(value: number | undefined): string {
  if (value === Authentication.RsaSignature) return 'RSA signature'
  if (value === Authentication.PresharedKey) return 'pre-shared key'
  return value === Authentication.DssSignature ? 'DSS signature' : `authentication ${value ?? '?'}`
}

export function authenticationRemedy(value: number | undefined): string {
  if (value === Authentication.RsaSignature) return 'certificates (a policy with AUTHTYPE=RSASIG)'
  if (value === Authentication.PresharedKey) return 'pre-shared keys (a policy with AUTHTYPE=PRESHARED)'
  return 'what it needs (not supported)'
}

export function encapsulationText(mode: number | undefined): string {
  switch (mode) {
    case Encapsulation.Transport:
      return 'plain transport mode across a NAT or where only UDP arrives'
    case Encapsulation.UdpTransport:
    case Encapsulation.UdpTransportDraft:
      return 'UDP encapsulation without NAT traversal'
    case Encapsulation.Tunnel:
    case Encapsulation.UdpTunnel:
    case Encapsulation.UdpTunnelDraft:
      return 'tunnel mode'
    default:
      return `encapsulation mode ${mode ?? 'unset'}`
  }
}
