/** The choice among a peer's proposals, in phase 1 (RFC 2409 section 5) and phase 2 (RFC 2407 section 4.5), or why there is none. */

import {
  Authentication,
  Encapsulation,
  EspAuthentication,
  EspTransform,
  KEY_IKE,
  LifeType,
  Phase1Attribute,
  Phase1Encryption,
  Phase1HashId,
  Phase2Attribute,
  Protocol,
} from './constants.ts'
import { isGroup } from './dh.ts'
import { phase1Advice, phase2Advice } from './offer-advice.ts'
import type { Group, IsakmpPolicy, Phase1Cipher, Phase1Hash, Phase1Suite, Phase2Policy, Phase2Suite } from './policy.ts'
import { type Attribute, type Proposal, parseAttributes, type Transform } from './proposal.ts'

/** Offers that a refusal tells; Windows Vista makes 16. */
const MAX_TOLD = 32

export interface Refusal {
  readonly kind: 'refused'
  /** The peer's offers, in its order: each once, and no more than a person reads. */
  readonly offered: readonly string[]
  readonly allowed: readonly string[]
  /** The smallest change on either side that would have led to a choice. */
  readonly nearest: string
}

export interface Phase1Choice {
  readonly kind: 'chosen'
  readonly proposal: Proposal
  readonly transform: Transform
  readonly suite: Phase1Suite
  readonly lifetimeSeconds: number | undefined
}

export interface Phase2Choice {
  readonly kind: 'chosen'
  readonly proposal: Proposal
  readonly transform: Transform
  readonly suite: Phase2Suite
  /** The PFS group. */
  readonly group: Group | undefined
  readonly udpEncapsulated: boolean
  readonly lifetimeSeconds: number | undefined
  readonly lifetimeKilobytes: number | undefined
}

/** An offer, read: its name, and what an operator would have to change to accept it (nothing: acceptable). */
interface Offer<Choice> {
  /** Only made where somebody is to read it. */
  readonly text: () => string
  readonly changes: readonly string[]
  /** What the client must change, where nothing that the operator could allow is enough. */
  readonly advice: string | undefined
  /** Lower is better; only meaningful without changes. */
  readonly rank: number
  readonly choice: Choice | undefined
}

type Phase1Wishes = Pick<IsakmpPolicy, 'ciphers' | 'hashes' | 'groups' | 'authentication'>

/** Chooses by our order of ciphers, then hashes, then groups, over everything the peer offers. Throws IkeError on bad attributes. */
export function choosePhase1(proposals: readonly Proposal[], policy: Phase1Wishes): Phase1Choice | Refusal {
  const offers = proposals
    .filter(p => p.protocol === Protocol.Isakmp)
    .flatMap(proposal => proposal.transforms.map(transform => phase1Offer(proposal, transform, policy)))
  return decide(offers, [
    `ciphers ${policy.ciphers.map(cipherText).join(' ')}`,
    `hashes ${policy.hashes.map(upper).join(' ')}`,
    `groups ${policy.groups.join(' ')}`,
    policy.authentication === 'rsa' ? 'certificates' : 'pre-shared key',
  ])
}

function phase1Offer(proposal: Proposal, transform: Transform, policy: Phase1Wishes): Offer<Phase1Choice> {
  const attributes = parseAttributes(transform.attributes)
  const a = valuesOf(attributes)
  const cipher = phase1Cipher(a.get(Phase1Attribute.Encryption), a.get(Phase1Attribute.KeyLength))
  const hash = phase1Hash(a.get(Phase1Attribute.Hash))
  const groupNumber = a.get(Phase1Attribute.Group)
  const group = isGroup(groupNumber) ? groupNumber : undefined
  const authentication = a.get(Phase1Attribute.Authentication)
  const cipherName = cipher ? cipherText(cipher) : `cipher${a.get(Phase1Attribute.Encryption) ?? '?'}`
  const hashName = hash ? upper(hash) : `hash${a.get(Phase1Attribute.Hash) ?? '?'}`
  const changes: string[] = []
  const at = {
    cipher: index(policy.ciphers, cipher),
    hash: index(policy.hashes, hash),
    group: index(policy.groups, group),
  }
  if (at.cipher < 0) changes.push(`cipher ${cipherName}`)
  if (at.hash < 0) changes.push(`hash ${hashName}`)
  if (at.group < 0) changes.push(`group ${groupNumber ?? '?'}`)
  const psk = authentication === Authentication.PresharedKey
  const wanted = policy.authentication === 'rsa' ? Authentication.RsaSignature : Authentication.PresharedKey
  // Another way to authenticate is further away than any algorithm.
  if (authentication !== wanted) changes.push(authenticationText(authentication), authenticationRemedy(authentication))
  const advice = phase1Advice(authentication)
  if (transform.id !== KEY_IKE) changes.push(`transform ${transform.id}`)
  const lifetimeSeconds = lifetimes(attributes, Phase1Attribute.LifeType, Phase1Attribute.LifeDuration).seconds
  return {
    text: () =>
      `${cipherName}-${hashName}-G${groupNumber ?? '?'}${psk ? '' : ` ${authenticationText(authentication)}`}`,
    changes,
    advice,
    rank: (at.cipher * 1000 + at.hash) * 1000 + at.group,
    choice: cipher &&
      hash &&
      group && { kind: 'chosen', proposal, transform, suite: { cipher, hash, group }, lifetimeSeconds },
  }
}

export interface Phase2Circumstances {
  /** Whether the message holds a KE payload. */
  readonly keyExchange: boolean
  /** Which encapsulations fit what NAT detection found. */
  readonly udp: boolean
  readonly plain: boolean
}

/** Chooses by the policy's order of suites. A proposal number that bundles AH or IPCOMP with ESP is refused as a whole. Throws IkeError. */
export function choosePhase2(
  proposals: readonly Proposal[],
  policy: Phase2Policy,
  circumstances: Phase2Circumstances,
): Phase2Choice | Refusal {
  const bundled = new Set<number>()
  const seen = new Set<number>()
  for (const p of proposals) {
    if (seen.has(p.number)) bundled.add(p.number)
    seen.add(p.number)
  }
  const offers = proposals.flatMap(proposal =>
    proposal.transforms.map(transform =>
      phase2Offer(proposal, transform, bundled.has(proposal.number), policy, circumstances),
    ),
  )
  const pfs = policy.pfsGroup === undefined ? [] : [`PFS group ${policy.pfsGroup}`]
  return decide(offers, [...policy.suites.map(suiteText), ...pfs])
}

function phase2Offer(
  proposal: Proposal,
  transform: Transform,
  bundled: boolean,
  policy: Phase2Policy,
  circumstances: Phase2Circumstances,
): Offer<Phase2Choice> {
  const attributes = parseAttributes(transform.attributes)
  const a = valuesOf(attributes)
  const cipher = espCipher(transform.id, a.get(Phase2Attribute.KeyLength))
  const integrity = espIntegrity(transform.id, a.get(Phase2Attribute.Authentication))
  const mode = a.get(Phase2Attribute.EncapsulationMode)
  const groupNumber = a.get(Phase2Attribute.Group)
  const suite = cipher && integrity && { cipher, integrity }
  const name = () =>
    suite
      ? `${protocolText(proposal.protocol)} ${algorithmsText(suite)}`
      : `${protocolText(proposal.protocol)} ${espText(transform.id, cipher)}-${integrityText(a.get(Phase2Attribute.Authentication), integrity)}`
  const changes: string[] = []
  if (proposal.protocol !== Protocol.Esp) changes.push(protocolText(proposal.protocol))
  if (bundled) changes.push('ESP bundled with another protocol')
  const rank = suite ? policy.suites.findIndex(s => s.cipher === suite.cipher && s.integrity === suite.integrity) : -1
  if (proposal.protocol === Protocol.Esp && rank < 0) changes.push(name())
  const udpEncapsulated = mode === Encapsulation.UdpTransport || mode === Encapsulation.UdpTransportDraft
  const fits = udpEncapsulated ? circumstances.udp : mode === Encapsulation.Transport && circumstances.plain
  if (!fits) changes.push(encapsulationText(mode))
  if (policy.pfsGroup !== undefined && groupNumber !== policy.pfsGroup)
    changes.push(groupNumber === undefined ? 'no PFS' : `PFS group ${groupNumber}`)
  else if (
    (groupNumber !== undefined) !== circumstances.keyExchange ||
    (groupNumber !== undefined && !isGroup(groupNumber))
  )
    changes.push(
      groupNumber === undefined ? 'a KE payload without a PFS group' : `PFS group ${groupNumber} with its KE payload`,
    )
  if (proposal.spi.length !== 4) changes.push('an SPI of four bytes')
  const advice = phase2Advice(proposal.protocol, bundled, transform.id, a)
  if (advice !== undefined && changes.length === 0) changes.push(advice)
  const life = lifetimes(attributes, Phase2Attribute.LifeType, Phase2Attribute.LifeDuration)
  return {
    text: () => name() + (groupNumber === undefined ? '' : ` PFS G${groupNumber}`),
    changes,
    advice,
    rank,
    choice: suite && {
      kind: 'chosen',
      proposal,
      transform,
      suite,
      group: isGroup(groupNumber) ? groupNumber : undefined,
      udpEncapsulated,
      lifetimeSeconds: life.seconds,
      lifetimeKilobytes: life.kilobytes,
    },
  }
}

function decide<Choice>(offers: readonly Offer<Choice>[], allowed: readonly string[]): Choice | Refusal {
  let best: { rank: number; choice: Choice } | undefined
  let near: Offer<Choice> | undefined
  for (const o of offers) {
    if (o.changes.length === 0 && o.choice !== undefined) {
      if (best === undefined || o.rank < best.rank) best = { rank: o.rank, choice: o.choice }
    } else if (near === undefined || distance(o) < distance(near)) near = o
  }
  if (best) return best.choice
  const nearest = near
    ? `${near.advice ?? `allow ${near.changes.join(' and ')}`} (for the offer ${near.text()})`
    : 'the peer offered nothing'
  return { kind: 'refused', offered: few(offers.map(o => o.text())), allowed, nearest }
}

/** How much there is to change; to go to the client is further than to change the policy. */
function distance({ changes, advice }: Offer<unknown>): number {
  return changes.length + (advice === undefined ? 0 : 1)
}

/** As many as a person reads: a hostile peer offers thousands, and each refusal is logged and kept. */
function few(texts: readonly string[]): string[] {
  const different = [...new Set(texts)]
  if (different.length <= MAX_TOLD) return different
  return [...different.slice(0, MAX_TOLD), `${different.length - MAX_TOLD} more`]
}

function valuesOf(attributes: readonly Attribute[]): Map<number, number> {
  const values = new Map<number, number>()
  for (const a of attributes) if (a.value !== undefined) values.set(a.type, a.value)
  return values
}

/** Durations belong to the life type before them; without one they are seconds. */
function lifetimes(
  attributes: readonly Attribute[],
  lifeType: number,
  lifeDuration: number,
): { seconds: number | undefined; kilobytes: number | undefined } {
  let seconds: number | undefined
  let kilobytes: number | undefined
  let type: number | undefined = LifeType.Seconds
  for (const a of attributes) {
    if (a.type === lifeType) type = a.value
    if (a.type !== lifeDuration || !a.value) continue
    if (type === LifeType.Seconds) seconds = a.value
    if (type === LifeType.Kilobytes) kilobytes = a.value
  }
  return { seconds, kilobytes }
}

/** AES by its key length; 128 where none is given. Vista's beta sent the two bytes in the wrong order. */
function aes(bits: number | undefined): 'aes128' | 'aes192' | 'aes256' | undefined {
  const length = bits !== undefined && bits > 4096 ? ((bits & 0xff) << 8) | (bits >>> 8) : (bits ?? 128)
  return length === 128 ? 'aes128' : length === 192 ? 'aes192' : length === 256 ? 'aes256' : undefined
}

function phase1Cipher(value: number | undefined, keyBits: number | undefined): Phase1Cipher | undefined {
  if (value === Phase1Encryption.Des) return 'des'
  if (value === Phase1Encryption.TripleDes) return '3des'
  return value === Phase1Encryption.Aes ? aes(keyBits) : undefined
}

function phase1Hash(value: number | undefined): Phase1Hash | undefined {
  if (value === Phase1HashId.Md5) return 'md5'
  if (value === Phase1HashId.Sha1) return 'sha1'
  return value === Phase1HashId.Sha256 ? 'sha256' : undefined
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

const upper = (text: string) => text.toUpperCase()
const index = <T>(list: readonly T[], item: T | undefined) => (item === undefined ? -1 : list.indexOf(item))

export function cipherText(cipher: Phase1Cipher): string {
  return upper(cipher)
}

export function suiteText(suite: Phase2Suite): string {
  return `ESP ${algorithmsText(suite)}`
}

function algorithmsText({ cipher, integrity }: Phase2Suite): string {
  return integrity === 'gcm' ? upper(cipher) : `${upper(cipher)}-${upper(integrity)}`
}

function espText(id: number, cipher: Phase2Suite['cipher'] | undefined): string {
  if (cipher) return upper(cipher)
  return id === EspTransform.Null ? 'NULL' : `transform${id}`
}

function integrityText(value: number | undefined, integrity: Phase2Suite['integrity'] | undefined): string {
  if (integrity) return upper(integrity)
  return value === undefined ? 'none' : `auth${value}`
}

function protocolText(protocol: number): string {
  if (protocol === Protocol.Esp) return 'ESP'
  if (protocol === Protocol.Ah) return 'AH'
  return protocol === Protocol.IpComp ? 'IPCOMP' : `protocol ${protocol}`
}

function authenticationText(value: number | undefined): string {
  if (value === Authentication.RsaSignature) return 'RSA signature'
  if (value === Authentication.PresharedKey) return 'pre-shared key'
  return value === Authentication.DssSignature ? 'DSS signature' : `authentication ${value ?? '?'}`
}

function authenticationRemedy(value: number | undefined): string {
  if (value === Authentication.RsaSignature) return 'certificates (a policy with AUTHTYPE=RSASIG)'
  if (value === Authentication.PresharedKey) return 'pre-shared keys (a policy with AUTHTYPE=PRESHARED)'
  return 'what it needs (not supported)'
}

function encapsulationText(mode: number | undefined): string {
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
