/** Quick Mode as responder (RFC 2409 section 5.5, RFC 3947 section 5): the first message in, the second out, the third in. */

import type { Dice } from '../machine.ts'
import { equalSecret } from '../packet/bytes.ts'
import type { Ipv4 } from '../packet/ip.ts'
import { readIpv4 } from '../packet/ip.ts'
import { choosePhase2, firstChoice, type Phase2Choice, type Refusal } from './choose.ts'
import { Exchange, LifeType, NAT_T_PORT, Notify, PayloadType, Phase2Attribute, Protocol } from './constants.ts'
import { generateKeyPair, sharedSecret } from './dh.ts'
import { IkeError } from './error.ts'
import { espKeys, exchangeIv, hash1, hash2, hash3, messageIdBytes } from './keymat.ts'
import { checkNonce, DEFAULT_LIFETIME_SECONDS } from './main-mode.ts'
import { bodies, body, emitPayloads, type Header, type ParsedHeader, type Payload } from './message.ts'
import { natFlavours } from './nat.ts'
import { describeIdentity, emitNatOa, emitNotification, notification, parseIdentification } from './payload.ts'
import type { Phase2Policy } from './policy.ts'
import { answering, basic, emitAttributes, emitSa, parseSa, variable32 } from './proposal.ts'
import { protect, type Unprotected, unprotect } from './protect.ts'
import { checkPayloads } from './rules.ts'
import { selectPolicies } from './selectors.ts'
import type { Cookies, EstablishedPhase1, Place } from './state.ts'

const NONCE_LENGTH = 20

/** The first message, decrypted and authenticated. */
export interface QuickRequest {
  readonly messageId: number
  readonly payloads: readonly Payload[]
  readonly iv: Uint8Array
}

/** Decrypts and authenticates the first message. Throws IkeError; nothing before that may change any state. */
export function openQuickMode(phase1: EstablishedPhase1, header: ParsedHeader, bytes: Uint8Array): QuickRequest {
  const opened = openExchange(phase1, header, bytes)
  if (opened.payloads[0]!.type !== PayloadType.Hash)
    throw new IkeError('unexpected-payload', undefined, 'it decrypts to something without HASH in front')
  checkHash1(phase1, header.messageId, opened)
  return { messageId: header.messageId, payloads: opened.payloads, iv: opened.iv }
}

/** Decrypts the first message of an exchange under an ISAKMP SA. Throws IkeError. */
export function openExchange(
  phase1: EstablishedPhase1,
  header: ParsedHeader,
  bytes: Uint8Array,
  lastBlock = phase1.state.sa.lastBlock,
): Unprotected {
  const { keys } = phase1.state.sa
  const { hash, cipher } = phase1.start.suite
  return unprotect(bytes, keys.protection, exchangeIv(hash, cipher, lastBlock, header.messageId), header)
}

/** Throws IkeError where the leading HASH is not HASH(1) of the rest. */
export function checkHash1(phase1: EstablishedPhase1, messageId: number, opened: Unprotected): void {
  const { hash } = phase1.start.suite
  const wanted = hash1(hash, phase1.state.sa.keys.skeyidA, messageId, opened.behindFirst)
  if (!equalSecret(opened.payloads[0]!.body, wanted))
    throw new IkeError('bad-hash', Notify.InvalidHashInformation, 'its HASH is wrong')
}

export type QuickAnswer =
  | { readonly kind: 'refused'; readonly policy: Phase2Policy; readonly refusal: Refusal }
  /** No IPsec policy has these selectors. */
  | { readonly kind: 'no-policy'; readonly identities: string }
  /** The first that has them is PERMIT or DENY; or it is for one peer at a time, and there is one. */
  | { readonly kind: 'clear'; readonly policy: Phase2Policy }
  | { readonly kind: 'taken'; readonly policy: Phase2Policy }
  | QuickAccepted

export interface QuickAccepted {
  readonly kind: 'accepted'
  readonly choice: Phase2Choice
  readonly policy: Phase2Policy
  readonly reply: Uint8Array
  readonly iv: Uint8Array
  readonly initiatorNonce: Uint8Array
  readonly responderNonce: Uint8Array
  readonly inboundSpi: number
  readonly outboundSpi: number
  readonly inboundKeys: { encryption: Uint8Array; integrity: Uint8Array }
  readonly outboundKeys: { encryption: Uint8Array; integrity: Uint8Array }
  readonly lifetimeSeconds: number
  readonly lifetimeKilobytes: number | undefined
}

/** What the choice of a policy asks of the rest of the endpoint. */
export interface Circumstances {
  readonly interfaceOf: (own: Ipv4) => string | undefined
  /** Whether another peer has SAs under this IPsec policy. */
  readonly taken: (policy: string) => boolean
}

/** Answers an authenticated first message. `spi` is asked only when there is something to agree to. Throws IkeError. */
export function answerQuickMode(
  phase1: EstablishedPhase1,
  request: QuickRequest,
  place: Place,
  ownAddress: Ipv4,
  under: Circumstances,
  spi: () => number,
  dice: Dice,
): QuickAnswer {
  const { payloads, messageId } = request
  checkPayloads('quick1', payloads)
  const { start } = phase1
  const { keys } = phase1.state.sa
  const { hash } = start.suite
  const proposals = parseSa(body(payloads, PayloadType.Sa)!)
  const initiatorNonce = checkNonce(body(payloads, PayloadType.Nonce)!)
  const keyExchange = body(payloads, PayloadType.KeyExchange)
  const identities = bodies(payloads, PayloadType.Identification)
  if (identities.length === 1) throw new IkeError('missing-payload', Notify.InvalidIdInformation, 'one identity of two')
  const [idci, idcr] = identities.map(parseIdentification)

  const selection = selectPolicies(start.policy.phase2, {
    place,
    ownAddress,
    interface: under.interfaceOf(place.local.address),
    identityInitiator: idci,
    identityResponder: idcr,
    peerName: phase1.state.sa.identity,
    ownName: 'name' in start.policy.localIdentity ? start.policy.localIdentity.name : undefined,
    taken: under.taken,
  })
  if (selection.kind === 'none')
    return {
      kind: 'no-policy',
      identities: idci && idcr ? `${describeIdentity(idci)} - ${describeIdentity(idcr)}` : 'none',
    }
  if (selection.kind !== 'protect') return selection
  const { policies } = selection
  const circumstances = {
    keyExchange: keyExchange !== undefined,
    udp: start.natFlavour !== undefined && place.local.port === NAT_T_PORT,
    plain: !keys.natVisible,
  }
  const { policy, choice } = firstChoice(policies, p => choosePhase2(proposals, p, circumstances))
  if (choice.kind === 'refused') return { kind: 'refused', policy, refusal: choice }
  const outboundSpi = readIpv4(choice.proposal.spi)
  if (outboundSpi < 256) throw new IkeError('bad-spi', Notify.InvalidSpi, `SPI ${outboundSpi} is reserved`)

  const pair = choice.group === undefined ? undefined : generateKeyPair(choice.group, dice)
  const secret = pair && sharedSecret(pair, keyExchange!)
  const responderNonce = dice(NONCE_LENGTH)
  const inboundSpi = spi()
  const spiBytes = messageIdBytes(inboundSpi)

  const answered: Payload[] = [
    { type: PayloadType.Sa, body: emitSa([answering(choice.proposal, spiBytes, choice.transform)]) },
    { type: PayloadType.Nonce, body: responderNonce },
  ]
  if (pair) answered.push({ type: PayloadType.KeyExchange, body: pair.publicValue })
  // Byte for byte: Windows compares, and a computer name must not become an address.
  for (const id of identities) answered.push({ type: PayloadType.Identification, body: id })
  answered.push(...originalAddresses(phase1, choice, place, ownAddress))

  const lifetimeSeconds = shorter(choice.lifetimeSeconds ?? DEFAULT_LIFETIME_SECONDS, policy.lifetimeSeconds)!
  const lifetimeKilobytes = shorter(choice.lifetimeKilobytes, policy.lifetimeKilobytes)
  const lifetime = responderLifetime(choice, lifetimeSeconds, lifetimeKilobytes, spiBytes)
  if (lifetime) answered.push(lifetime)

  const hashBody = hash2(hash, keys.skeyidA, messageId, initiatorNonce, emitPayloads(answered))
  const sealed = protect(
    quickHeader(start, messageId),
    [{ type: PayloadType.Hash, body: hashBody }, ...answered],
    keys.protection,
    request.iv,
  )
  const keysFor = (spi: Uint8Array) =>
    espKeys(
      {
        hash,
        skeyidD: keys.skeyidD,
        sharedSecret: secret,
        protocol: Protocol.Esp,
        spi,
        initiatorNonce,
        responderNonce,
      },
      choice.suite,
    )
  return {
    kind: 'accepted',
    choice,
    policy,
    reply: sealed.bytes,
    iv: sealed.iv,
    initiatorNonce,
    responderNonce,
    inboundSpi,
    outboundSpi,
    inboundKeys: keysFor(spiBytes),
    outboundKeys: keysFor(choice.proposal.spi),
    lifetimeSeconds,
    lifetimeKilobytes,
  }
}

/** Throws IkeError where the third message does not prove that the peer saw the second. */
export function checkThird(
  phase1: EstablishedPhase1,
  quick: { messageId: number; iv: Uint8Array; initiatorNonce: Uint8Array; responderNonce: Uint8Array },
  header: ParsedHeader,
  bytes: Uint8Array,
): void {
  const { keys } = phase1.state.sa
  const { payloads } = unprotect(bytes, keys.protection, quick.iv, header)
  checkPayloads('quick3', payloads)
  const wanted = hash3(
    phase1.start.suite.hash,
    keys.skeyidA,
    quick.messageId,
    quick.initiatorNonce,
    quick.responderNonce,
  )
  if (!equalSecret(payloads[0]!.body, wanted)) throw new IkeError('bad-hash', Notify.InvalidHashInformation)
}

/** RFC 3947 section 5.2: both original addresses, as far as we know them. Not in the drafts: racoon refuses them unasked. */
function originalAddresses(phase1: EstablishedPhase1, choice: Phase2Choice, place: Place, ownAddress: Ipv4): Payload[] {
  const flavour = phase1.start.natFlavour
  if (flavour === undefined || !choice.udpEncapsulated || !natFlavours[flavour].answersOriginalAddresses) return []
  const type = natFlavours[flavour].natOa
  return [
    { type, body: emitNatOa(place.remote.address) },
    { type, body: emitNatOa(ownAddress) },
  ]
}

/** RFC 2407 section 4.6.3.1: tells a peer whose wish we cut. Undefined where it gets what it asked for. */
function responderLifetime(
  choice: Phase2Choice,
  seconds: number,
  kilobytes: number | undefined,
  spi: Uint8Array,
): Payload | undefined {
  const attributes = []
  if (seconds < (choice.lifetimeSeconds ?? DEFAULT_LIFETIME_SECONDS))
    attributes.push(
      basic(Phase2Attribute.LifeType, LifeType.Seconds),
      variable32(Phase2Attribute.LifeDuration, seconds),
    )
  if (kilobytes !== undefined && kilobytes !== choice.lifetimeKilobytes)
    attributes.push(
      basic(Phase2Attribute.LifeType, LifeType.Kilobytes),
      variable32(Phase2Attribute.LifeDuration, kilobytes),
    )
  if (attributes.length === 0) return undefined
  const data = emitAttributes(attributes)
  return {
    type: PayloadType.Notification,
    body: emitNotification(notification(Notify.ResponderLifetime, Protocol.Esp, spi, data)),
  }
}

function shorter(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return Math.min(a, b)
}

export function quickHeader(c: Cookies, messageId: number): Header {
  return {
    initiatorCookie: c.initiatorCookie,
    responderCookie: c.responderCookie,
    exchange: Exchange.Quick,
    flags: 0,
    messageId,
  }
}
