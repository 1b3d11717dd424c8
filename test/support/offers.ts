/** The offers of an IKEv1 initiator, with their attributes in the order in which its implementation sends them. */

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
} from '../../src/ike/constants.ts'
import type { Group, Phase1Suite, Phase2Suite } from '../../src/ike/policy.ts'
import {
  type Attribute,
  basic,
  emitAttributes,
  type Proposal,
  parseAttributes,
  variable32,
} from '../../src/ike/proposal.ts'

/** Whose order of attributes it is: Windows', racoon's (Apple, Android) or pluto's (libreswan); strongSwan's is as Windows'. */
export type AttributeStyle = 'windows' | 'racoon' | 'pluto'

/** Apple offers a hash that the gateway does not know. */
export type Phase1Offer = Omit<Phase1Suite, 'hash'> & { readonly hash: Phase1Suite['hash'] | 'sha512' }

/** What an offer may hold beyond what a gateway should take: NULL encryption, or none of ESP's own authentication. */
export interface EspOffer {
  readonly cipher: Phase2Suite['cipher'] | 'null'
  readonly integrity?: Phase2Suite['integrity']
}

const cipherNumbers = {
  des: [Phase1Encryption.Des, undefined],
  '3des': [Phase1Encryption.TripleDes, undefined],
  aes128: [Phase1Encryption.Aes, 128],
  aes192: [Phase1Encryption.Aes, 192],
  aes256: [Phase1Encryption.Aes, 256],
} as const
/** GCM's key lengths are those of AES. */
const espBits = {
  des: undefined,
  '3des': undefined,
  null: undefined,
  aes128: 128,
  aes192: 192,
  aes256: 256,
  aesgcm128: 128,
  aesgcm192: 192,
  aesgcm256: 256,
} as const
const hashNumbers = { md5: Phase1HashId.Md5, sha1: Phase1HashId.Sha1, sha256: Phase1HashId.Sha256, sha512: 6 } as const
const espNumbers = {
  des: EspTransform.Des,
  '3des': EspTransform.TripleDes,
  aes128: EspTransform.Aes,
  aes192: EspTransform.Aes,
  aes256: EspTransform.Aes,
  aesgcm128: EspTransform.AesGcm16,
  aesgcm192: EspTransform.AesGcm16,
  aesgcm256: EspTransform.AesGcm16,
  null: EspTransform.Null,
} as const
const ahNumbers = { md5: 2, sha1: 3 } as const
const integrityNumbers = {
  md5: EspAuthentication.HmacMd5,
  sha1: EspAuthentication.HmacSha1,
  sha256: EspAuthentication.HmacSha256,
} as const

/** The attributes of a phase 1 transform. */
export function phase1Attributes(
  suite: Phase1Offer,
  lifetimeSeconds: number,
  authenticationMethod: number = Authentication.PresharedKey,
  style: AttributeStyle = 'windows',
): Attribute[] {
  const [cipher, bits] = cipherNumbers[suite.cipher]
  const encryption = basic(Phase1Attribute.Encryption, cipher)
  const keyLength = bits === undefined ? [] : [basic(Phase1Attribute.KeyLength, bits)]
  const hash = basic(Phase1Attribute.Hash, hashNumbers[suite.hash])
  const group = basic(Phase1Attribute.Group, suite.group)
  const authentication = basic(Phase1Attribute.Authentication, authenticationMethod)
  const lifeType = basic(Phase1Attribute.LifeType, LifeType.Seconds)
  const life = variable32(Phase1Attribute.LifeDuration, lifetimeSeconds)
  const short = lifetimeSeconds < 0x10000 ? basic(Phase1Attribute.LifeDuration, lifetimeSeconds) : life
  switch (style) {
    case 'windows':
      return [encryption, ...keyLength, hash, group, authentication, lifeType, life]
    case 'racoon':
      return [lifeType, life, encryption, ...keyLength, authentication, hash, group]
    case 'pluto':
      return [lifeType, short, encryption, hash, authentication, group, ...keyLength]
  }
}

export function espProposal(
  number: number,
  spi: Uint8Array,
  offer: EspOffer,
  mode: number,
  lifetimeSeconds = 3600,
  pfsGroup?: Group,
): Proposal {
  const bits = espBits[offer.cipher]
  const attributes = emitAttributes([
    ...lives(mode, lifetimeSeconds),
    ...integrityAttribute(offer),
    ...(bits === undefined ? [] : [basic(Phase2Attribute.KeyLength, bits)]),
    ...(pfsGroup === undefined ? [] : [basic(Phase2Attribute.Group, pfsGroup)]),
  ])
  return { number, protocol: Protocol.Esp, spi, transforms: [{ number: 1, id: espNumbers[offer.cipher], attributes }] }
}

/** One proposal with a transform for each offer, without a limit of bytes: as racoon, strongSwan and libreswan write it. */
export function proposalOfMany(
  spi: Uint8Array,
  offers: readonly EspOffer[],
  mode: number,
  lifetimeSeconds: number,
  style: AttributeStyle,
): Proposal {
  const transforms = offers.map((offer, i) => {
    const bits = espBits[offer.cipher]
    const keyLength = bits === undefined ? [] : [basic(Phase2Attribute.KeyLength, bits)]
    const integrity = integrityAttribute(offer)
    const lifeType = basic(Phase2Attribute.LifeType, LifeType.Seconds)
    const life =
      style === 'racoon' || lifetimeSeconds >= 0x10000
        ? variable32(Phase2Attribute.LifeDuration, lifetimeSeconds)
        : basic(Phase2Attribute.LifeDuration, lifetimeSeconds)
    const encapsulation = basic(Phase2Attribute.EncapsulationMode, mode)
    const attributes = {
      windows: [...keyLength, ...integrity, encapsulation, lifeType, life],
      racoon: [lifeType, life, encapsulation, ...keyLength, ...integrity],
      pluto: [encapsulation, lifeType, life, ...integrity, ...keyLength],
    }[style]
    return { number: i + 1, id: espNumbers[offer.cipher], attributes: emitAttributes(attributes) }
  })
  return { number: 1, protocol: Protocol.Esp, spi, transforms }
}

/** None where there is no integrity, or where GCM is its own. */
function integrityAttribute({ integrity }: EspOffer): Attribute[] {
  return integrity === undefined || integrity === 'gcm'
    ? []
    : [basic(Phase2Attribute.Authentication, integrityNumbers[integrity])]
}

/** The AH half of a bundle: it bears the number of the ESP proposal that it goes with. */
export function ahProposal(
  number: number,
  spi: Uint8Array,
  integrity: 'md5' | 'sha1',
  mode: number,
  lifetimeSeconds = 3600,
): Proposal {
  const attributes = emitAttributes([
    ...lives(mode, lifetimeSeconds),
    basic(Phase2Attribute.Authentication, integrityNumbers[integrity]),
  ])
  return { number, protocol: Protocol.Ah, spi, transforms: [{ number: 1, id: ahNumbers[integrity], attributes }] }
}

function lives(mode: number, lifetimeSeconds: number): Attribute[] {
  return [
    basic(Phase2Attribute.LifeType, LifeType.Seconds),
    variable32(Phase2Attribute.LifeDuration, lifetimeSeconds),
    basic(Phase2Attribute.LifeType, LifeType.Kilobytes),
    variable32(Phase2Attribute.LifeDuration, 250000),
    basic(Phase2Attribute.EncapsulationMode, mode),
  ]
}

/** A lifetime of an SA, as the attributes of an offer or of RESPONDER-LIFETIME state it (RFC 2407 sections 4.5 and 4.6.3.1). */
export interface Lifetime {
  readonly seconds?: number
  readonly kilobytes?: number
}

/** Each life type governs the duration behind it. */
export function readLifetime(attributes: Uint8Array): Lifetime {
  let type: number = LifeType.Seconds
  const life: { seconds?: number; kilobytes?: number } = {}
  for (const a of parseAttributes(attributes)) {
    if (a.type === Phase2Attribute.LifeType) type = a.value ?? 0
    else if (a.type === Phase2Attribute.LifeDuration)
      life[type === LifeType.Kilobytes ? 'kilobytes' : 'seconds'] = a.value ?? 0
  }
  return life
}

/** The suite of an accepted proposal. */
export function readEsp(proposal: Proposal): { suite: Phase2Suite; udpEncapsulated: boolean } {
  const { id, attributes } = proposal.transforms[0]!
  const a = new Map(parseAttributes(attributes).map(x => [x.type, x.value]))
  const bits = a.get(Phase2Attribute.KeyLength)
  const cipher = (Object.keys(espNumbers) as Phase2Suite['cipher'][]).find(
    name => espNumbers[name] === id && espBits[name] === bits,
  )!
  const names =
    id === EspTransform.AesGcm16
      ? ['gcm']
      : Object.entries(integrityNumbers).find(([, n]) => n === a.get(Phase2Attribute.Authentication))!
  const mode = a.get(Phase2Attribute.EncapsulationMode)
  return {
    suite: { cipher, integrity: names[0] as Phase2Suite['integrity'] },
    udpEncapsulated: mode !== Encapsulation.Transport,
  }
}
