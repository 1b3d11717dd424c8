/** The choice among a peer's proposals, in phase 1 (RFC 2409 section 5) and phase 2 (RFC 2407 section 4.5), or why there is none. */

import {
  algorithmsText,
  authenticationRemedy,
  authenticationText,
  cipherText,
  encapsulationText,
  espAlgorithms,
  lifetimes,
  numberOf,
  phase1Cipher,
  phase1Hash,
  protocolText,
  strangeAlgorithmsText,
  suiteText,
  upper,
} from './algorithms.ts'
import { Authentication, Encapsulation, KEY_IKE, Phase1Attribute, Phase2Attribute, Protocol } from './constants.ts'
import { isGroup } from './dh.ts'
import { phase1Advice, phase2Advice } from './offer-advice.ts'
import type { Group, IsakmpPolicy, Phase1Suite, Phase2Policy, Phase2Suite } from './policy.ts'
import { attributeNumbers, type Proposal, type Transform } from './proposal.ts'

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

/** A transform that is offered, with the numbers in its attributes. */
interface Candidate {
  readonly proposal: Proposal
  readonly transform: Transform
  readonly numbers: readonly number[]
}

/** An offer, read: its name, and what an operator would have to change to accept it (nothing: acceptable). */
interface Offer<Choice> {
  /** Only made where somebody is to read it. */
  readonly text: () => string
  readonly changes: readonly string[]
  /** What the client must change, where nothing that the operator could allow is enough. */
  readonly advice: string | undefined
  readonly choice: Choice | undefined
}

/** The choice under the first policy under which there is one, or why there is none under the first of all. */
export function firstChoice<Policy, Choice extends { readonly kind: 'chosen' }>(
  policies: readonly Policy[],
  choose: (policy: Policy) => Choice | Refusal,
): { readonly policy: Policy; readonly choice: Choice | Refusal } {
  let first: { readonly policy: Policy; readonly choice: Choice | Refusal } | undefined
  for (const policy of policies) {
    const choice = choose(policy)
    if (choice.kind === 'chosen') return { policy, choice }
    first ??= { policy, choice }
  }
  return first!
}

type Phase1Wishes = Pick<IsakmpPolicy, 'ciphers' | 'hashes' | 'groups' | 'authentication'>

/** Chooses by our order of ciphers, then hashes, then groups, over everything the peer offers. Throws IkeError on bad attributes. */
export function choosePhase1(proposals: readonly Proposal[], policy: Phase1Wishes): Phase1Choice | Refusal {
  return decide(
    proposals.filter(p => p.protocol === Protocol.Isakmp),
    c => phase1Rank(c.numbers, policy),
    c => phase1Offer(c, policy),
    () => [
      `ciphers ${policy.ciphers.map(cipherText).join(' ')}`,
      `hashes ${policy.hashes.map(upper).join(' ')}`,
      `groups ${policy.groups.join(' ')}`,
      policy.authentication === 'rsa' ? 'certificates' : 'pre-shared key',
    ],
  )
}

/** The lower the better; negative where an algorithm is none of ours. */
function phase1Rank(numbers: readonly number[], policy: Phase1Wishes): number {
  const cipher = index(policy.ciphers, phase1Cipher(numbers))
  const hash = index(policy.hashes, phase1Hash(numbers))
  const group = policy.groups.indexOf(numberOf(numbers, Phase1Attribute.Group) as Group)
  return cipher < 0 || hash < 0 || group < 0 ? -1 : (cipher * 1000 + hash) * 1000 + group
}

function phase1Offer({ proposal, transform, numbers }: Candidate, policy: Phase1Wishes): Offer<Phase1Choice> {
  const cipher = phase1Cipher(numbers)
  const hash = phase1Hash(numbers)
  const groupNumber = numberOf(numbers, Phase1Attribute.Group)
  const group = isGroup(groupNumber) ? groupNumber : undefined
  const authentication = numberOf(numbers, Phase1Attribute.Authentication)
  const cipherName = cipher ? cipherText(cipher) : `cipher${numberOf(numbers, Phase1Attribute.Encryption) ?? '?'}`
  const hashName = hash ? upper(hash) : `hash${numberOf(numbers, Phase1Attribute.Hash) ?? '?'}`
  const changes: string[] = []
  if (index(policy.ciphers, cipher) < 0) changes.push(`cipher ${cipherName}`)
  if (index(policy.hashes, hash) < 0) changes.push(`hash ${hashName}`)
  if (index(policy.groups, group) < 0) changes.push(`group ${groupNumber ?? '?'}`)
  const psk = authentication === Authentication.PresharedKey
  const wanted = policy.authentication === 'rsa' ? Authentication.RsaSignature : Authentication.PresharedKey
  // Another way to authenticate is further away than any algorithm.
  if (authentication !== wanted) changes.push(authenticationText(authentication), authenticationRemedy(authentication))
  const advice = phase1Advice(authentication)
  if (transform.id !== KEY_IKE) changes.push(`transform ${transform.id}`)
  const lifetimeSeconds = lifetimes(numbers, Phase1Attribute.LifeType, Phase1Attribute.LifeDuration).seconds
  return {
    text: () =>
      `${cipherName}-${hashName}-G${groupNumber ?? '?'}${psk ? '' : ` ${authenticationText(authentication)}`}`,
    changes,
    advice,
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
  return decide(
    proposals,
    c => phase2Rank(phase2Suite(c), policy),
    c => phase2Offer(c, bundled.has(c.proposal.number), policy, circumstances),
    () => [...policy.suites.map(suiteText), ...(policy.pfsGroup === undefined ? [] : [`PFS group ${policy.pfsGroup}`])],
  )
}

function phase2Rank(suite: Phase2Suite | undefined, policy: Phase2Policy): number {
  return suite ? policy.suites.findIndex(s => s.cipher === suite.cipher && s.integrity === suite.integrity) : -1
}

function phase2Suite({ transform, numbers }: Candidate): Phase2Suite | undefined {
  const { cipher, integrity } = espAlgorithms(transform.id, numbers)
  return cipher && integrity && { cipher, integrity }
}

function phase2Offer(
  candidate: Candidate,
  bundled: boolean,
  policy: Phase2Policy,
  circumstances: Phase2Circumstances,
): Offer<Phase2Choice> {
  const { proposal, transform, numbers } = candidate
  const mode = numberOf(numbers, Phase2Attribute.EncapsulationMode)
  const groupNumber = numberOf(numbers, Phase2Attribute.Group)
  const suite = phase2Suite(candidate)
  const name = () =>
    `${protocolText(proposal.protocol)} ${suite ? algorithmsText(suite) : strangeAlgorithmsText(transform.id, numbers)}`
  const changes: string[] = []
  if (proposal.protocol !== Protocol.Esp) changes.push(protocolText(proposal.protocol))
  if (bundled) changes.push('ESP bundled with another protocol')
  if (proposal.protocol === Protocol.Esp && phase2Rank(suite, policy) < 0) changes.push(name())
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
  const advice = phase2Advice(proposal.protocol, bundled, transform.id, numbers)
  if (advice !== undefined && changes.length === 0) changes.push(advice)
  const life = lifetimes(numbers, Phase2Attribute.LifeType, Phase2Attribute.LifeDuration)
  return {
    text: () => name() + (groupNumber === undefined ? '' : ` PFS G${groupNumber}`),
    changes,
    advice,
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

function candidates(proposals: readonly Proposal[]): Candidate[] {
  return proposals.flatMap(proposal =>
    proposal.transforms.map(transform => ({ proposal, transform, numbers: attributeNumbers(transform.attributes) })),
  )
}

/** The numbers of the offer in hand. */
const inHand: number[] = []

/** The best that is acceptable. What else is offered is read only where there is none. */
function decide<Choice>(
  proposals: readonly Proposal[],
  rankOf: (c: Candidate) => number,
  read: (c: Candidate) => Offer<Choice>,
  allowed: () => readonly string[],
): Choice | Refusal {
  let best: Choice | undefined
  let rank = Number.POSITIVE_INFINITY
  for (const proposal of proposals) {
    for (const transform of proposal.transforms) {
      const c = { proposal, transform, numbers: attributeNumbers(transform.attributes, inHand) }
      const its = rankOf(c)
      if (its < 0 || its >= rank) continue
      const offer = read(c)
      if (offer.changes.length > 0 || offer.choice === undefined) continue
      best = offer.choice
      rank = its
    }
  }
  return best ?? refusal(candidates(proposals).map(read), allowed())
}

function refusal<Choice>(offers: readonly Offer<Choice>[], allowed: readonly string[]): Refusal {
  let near: Offer<Choice> | undefined
  for (const o of offers) if (near === undefined || distance(o) < distance(near)) near = o
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

const index = <T>(list: readonly T[], item: T | undefined) => (item === undefined ? -1 : list.indexOf(item))
