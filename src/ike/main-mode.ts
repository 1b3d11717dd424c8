/** Main Mode as responder, with pre-shared keys or signatures (RFC 2409 section 5, RFC 3947): each odd message in, each even one out. */

import type { Dice } from '../machine.ts'
import { encodeText, equalSecret, NOTHING, startsWith } from '../packet/bytes.ts'
import type { Ipv4 } from '../packet/ip.ts'
import { choosePhase1, firstChoice, type Refusal } from './choose.ts'
import { Exchange, IdType, NONCE_MAX, NONCE_MIN, Notify, PayloadType, Protocol } from './constants.ts'
import { checkPublicValue, generateKeyPair, sharedSecret } from './dh.ts'
import { IkeError } from './error.ts'
import {
  deriveSignatureSkeyids,
  deriveSkeyids,
  encryptionKey,
  firstIv,
  initiatorHash,
  responderHash,
} from './keymat.ts'
import {
  bodies,
  body,
  emitMessage,
  type Header,
  type Message,
  type ParsedHeader,
  type Payload,
  parseMessage,
} from './message.ts'
import { chooseNatFlavour, detectNat, natDetectionHash, natFlavours } from './nat.ts'
import {
  addressIdentification,
  emitIdentification,
  formatIdentity,
  type Identification,
  parseIdentification,
  parseNotification,
} from './payload.ts'
import type { IkeConfig, IsakmpPolicy, LocalIdentity } from './policy.ts'
import { answering, emitSa, parseSa } from './proposal.ts'
import { checkCiphertext, protect, unprotect } from './protect.ts'
import { otherPolicies } from './rivals.ts'
import { checkPayloads } from './rules.ts'
import { certificateRequests, signaturePayloads, subjectIdentification, verifyPeer } from './signature.ts'
import type { Cookies, MainModeKeys, MainModeStart, Place, Trial } from './state.ts'
import { describeClient, hasVendorId, VendorId } from './vendor.ts'

/** Bytes of our nonces; also what Windows XP sends. */
const NONCE_LENGTH = 20
const RESPONDER_COOKIE_LENGTH = 8
/** RFC 2407 section 4.5.4: what a transform without a lifetime means. */
export const DEFAULT_LIFETIME_SECONDS = 28800

export type FirstAnswer =
  | { readonly kind: 'chosen'; readonly start: MainModeStart; readonly reply: Uint8Array }
  | { readonly kind: 'refused'; readonly client: string; readonly policy: IsakmpPolicy; readonly refusal: Refusal }
  | { readonly kind: 'no-key'; readonly client: string; readonly policy: IsakmpPolicy }

/**
 * Answers message 1 (SA, vendor IDs) with message 2 (the chosen transform alone, its attributes untouched). Of the
 * policies that fit the peer's address the first one wins whose algorithms meet an offer. Throws IkeError.
 */
export function answerFirst(
  header: ParsedHeader,
  bytes: Uint8Array,
  policies: readonly IsakmpPolicy[],
  dice: Dice,
): FirstAnswer {
  const { payloads } = parseMessage(bytes, header)
  checkPayloads('main1', payloads)
  if (header.messageId !== 0) throw new IkeError('message-id', Notify.InvalidMessageId)
  const sa = body(payloads, PayloadType.Sa)!
  const proposals = parseSa(sa)
  const vendorIds = bodies(payloads, PayloadType.VendorId)
  const client = describeClient(vendorIds)

  const { policy, choice } = firstChoice(policies, p => choosePhase1(proposals, p))
  if (choice.kind === 'refused') return { kind: 'refused', client, policy, refusal: choice }
  if ((policy.authentication === 'rsa' ? policy.credentials : policy.presharedKey) === undefined)
    return { kind: 'no-key', client, policy }

  const natFlavour = policy.natTraversal ? chooseNatFlavour(vendorIds) : undefined
  const offeredSeconds = choice.lifetimeSeconds ?? DEFAULT_LIFETIME_SECONDS
  const lifetimeUnder = (p: IsakmpPolicy) => Math.min(offeredSeconds, p.lifetimeSeconds)
  const others = otherPolicies(policies, policy, choice.suite)
  const start: MainModeStart = {
    initiatorCookie: header.initiatorCookie,
    responderCookie: dice(RESPONDER_COOKIE_LENGTH),
    policy,
    lifetimeSeconds: lifetimeUnder(policy),
    others: others.map(p => ({ policy: p, lifetimeSeconds: lifetimeUnder(p) })),
    suite: choice.suite,
    offeredSeconds,
    natFlavour,
    client,
    microsoft: vendorIds.some(v => startsWith(v, VendorId.MsNt5)),
    // Cisco and strongSwan put a word of capabilities behind it.
    fragmentation: vendorIds.some(v => startsWith(v, VendorId.Fragmentation)),
    deadPeerDetection: hasVendorId(vendorIds, VendorId.Dpd),
    initialContact: hasVendorId(vendorIds, VendorId.InitialContact),
    sa,
  }
  // Few vendor IDs: Windows updates have broken over servers that sent many. One NAT-T flavour, and what the peer sent itself.
  const answered: Payload[] = [
    {
      type: PayloadType.Sa,
      body: emitSa([answering(choice.proposal, NOTHING, choice.transform)]),
    },
  ]
  if (natFlavour) answered.push({ type: PayloadType.VendorId, body: natFlavours[natFlavour].vendorId })
  if (start.fragmentation) answered.push({ type: PayloadType.VendorId, body: VendorId.Fragmentation })
  if (start.deadPeerDetection && policy.deadPeerDetection?.announced !== false)
    answered.push({ type: PayloadType.VendorId, body: VendorId.Dpd })
  return { kind: 'chosen', start, reply: emitMessage({ header: mainHeader(start), payloads: answered }) }
}

type NatCircumstances = Pick<IkeConfig, 'publicAddress' | 'forceEncapsulation'>

export interface KeyAnswer {
  readonly keys: MainModeKeys
  /** What the keys are under each other policy. */
  readonly trials: readonly Trial[]
  readonly reply: Uint8Array
}

/**
 * Answers message 3 (KE, nonce, NAT-Ds) with message 4 of the same shape: here, and not before, a modular
 * exponentiation is spent, on a peer that knows the cookie we sent to its address. Throws IkeError.
 */
export function answerKeyExchange(
  message: Message,
  start: MainModeStart,
  place: Place,
  circumstances: NatCircumstances,
  dice: Dice,
): KeyAnswer {
  const { payloads } = message
  checkPayloads('main3', payloads)
  const initiatorPublic = body(payloads, PayloadType.KeyExchange)!
  const initiatorNonce = checkNonce(body(payloads, PayloadType.Nonce)!)
  // Before anything is spent on it.
  checkPublicValue(start.suite.group, initiatorPublic)
  const pair = generateKeyPair(start.suite.group, dice)
  const secret = sharedSecret(pair, initiatorPublic)
  const responderNonce = dice(NONCE_LENGTH)
  const nat = answerNatDetection(payloads, start, place, circumstances, dice)
  const { hash, cipher } = start.suite
  const { initiatorCookie, responderCookie } = start
  const input = { hash, initiatorNonce, responderNonce, sharedSecret: secret, initiatorCookie, responderCookie }
  const keysOf = (policy: IsakmpPolicy): MainModeKeys => {
    const skeyids =
      policy.authentication === 'rsa'
        ? deriveSignatureSkeyids(input)
        : deriveSkeyids(input, policy.presharedKey!.reveal())
    const { skeyid, skeyidD, skeyidA, skeyidE } = skeyids
    return {
      skeyid,
      skeyidD,
      skeyidA,
      skeyidE,
      protection: { cipher, key: encryptionKey(hash, cipher, skeyidE) },
      firstIv: firstIv(hash, cipher, initiatorPublic, pair.publicValue),
      initiatorPublic,
      responderPublic: pair.publicValue,
      nat: nat.finding,
      natVisible: nat.visible,
    }
  }
  const reply = emitMessage({
    header: mainHeader(start),
    payloads: [
      { type: PayloadType.KeyExchange, body: pair.publicValue },
      { type: PayloadType.Nonce, body: responderNonce },
      ...(start.policy.authentication === 'rsa' ? certificateRequests(start.policy.credentials!.trust) : []),
      ...nat.payloads,
    ],
  })
  const trials = start.others.map(o => ({ ...o, keys: keysOf(o.policy) }))
  return { keys: keysOf(start.policy), trials, reply }
}

/**
 * Judges the peer's NAT-Ds and makes ours: first the peer's place as we see it, then our own (RFC 3947 section 3.2).
 *
 * Where the operator tells our public address, a NAT in front of us is hidden, since Windows refuses a server behind
 * one unless its registry says otherwise: our own hash is then over the public address (or, where even that is not what
 * the client dialled, the client's own hash comes back to it). A client that is not behind a NAT itself would then
 * send plain ESP, which port forwarding does not pass; so it gets a hash that cannot match, and encapsulates. The same
 * makes everybody encapsulate where plain ESP cannot reach us at all.
 */
function answerNatDetection(
  payloads: readonly Payload[],
  start: MainModeStart,
  place: Place,
  { publicAddress, forceEncapsulation }: NatCircumstances,
  dice: Dice,
): { finding: { client: boolean; server: boolean }; visible: boolean; payloads: Payload[] } {
  const silent = { finding: { client: false, server: false }, visible: forceEncapsulation, payloads: [] }
  if (start.natFlavour === undefined) return silent
  const type = natFlavours[start.natFlavour].natD
  const received = bodies(payloads, type)
  if (received.length === 0) return silent
  const { hash } = start.suite
  const remoteHash = natDetectionHash(hash, start, place.remote)
  const localHash = natDetectionHash(hash, start, place.local)
  const finding = detectNat(received, remoteHash, localHash)
  if (publicAddress === undefined || !finding.server) {
    const shown = forceEncapsulation ? dice(remoteHash.length) : remoteHash
    const visible = finding.client || finding.server || forceEncapsulation
    return { finding, visible, payloads: natDs(type, shown, localHash) }
  }
  const publicHash = natDetectionHash(hash, start, { address: publicAddress, port: place.local.port })
  const dialled = detectNat(received, remoteHash, publicHash).server ? received[0]! : publicHash
  const shown = finding.client ? remoteHash : dice(remoteHash.length)
  return { finding, visible: finding.client || forceEncapsulation, payloads: natDs(type, shown, dialled) }
}

function natDs(type: number, remote: Uint8Array, local: Uint8Array): Payload[] {
  return [
    { type, body: remote },
    { type, body: local },
  ]
}

export interface Authenticated {
  readonly identity: Identification
  readonly initialContact: boolean
  readonly reply: Uint8Array
  readonly lastBlock: Uint8Array
}

/**
 * Answers message 5 (identity and HASH_I or its signature, encrypted) with message 6. Throws IkeError: with reason
 * `cleartext`, `bad-ciphertext`, `bad-identity` or `certificate-...`, else with `wrong-key`, since under another key the
 * message decrypts to garbage.
 */
export function authenticate(
  header: ParsedHeader,
  bytes: Uint8Array,
  start: MainModeStart,
  keys: MainModeKeys,
  ownAddress: Ipv4,
): Authenticated {
  const { authentication, credentials: given } = start.policy
  // Never by the hash alone there: its key is no secret of ours, anyone who takes part in the exchange has it.
  if (authentication === 'rsa' && given === undefined) throw new IkeError('no-credentials')
  const credentials = authentication === 'rsa' ? given : undefined
  const opened = openFifth(header, bytes, keys, credentials ? 'main5signed' : 'main5')
  const identityBody = body(opened.payloads, PayloadType.Identification)!
  const { initiatorCookie, responderCookie, sa } = start
  const { skeyid, initiatorPublic, responderPublic } = keys
  const { hash } = start.suite
  const input = { hash, skeyid, initiatorPublic, responderPublic, initiatorCookie, responderCookie, sa }
  if (credentials) {
    const { remoteIdentity } = start.policy
    const names = remoteIdentity === undefined ? undefined : [remoteIdentity]
    verifyPeer(
      opened.payloads,
      parseIdentification(identityBody),
      initiatorHash(input, identityBody),
      credentials,
      names,
    )
  } else if (!equalSecret(body(opened.payloads, PayloadType.Hash)!, initiatorHash(input, identityBody)))
    throw new IkeError('wrong-key', Notify.AuthenticationFailed, 'its authentication hash is wrong')
  const identity = parseIdentification(identityBody)
  const wanted = start.policy.remoteIdentity
  if (!credentials && wanted !== undefined && wanted.toLowerCase() !== formatIdentity(identity).toLowerCase())
    throw new IkeError('bad-identity', Notify.InvalidIdInformation, formatIdentity(identity))
  const initialContact = bodies(opened.payloads, PayloadType.Notification)
    .map(parseNotification)
    .some(n => n.type === Notify.InitialContact && n.protocol === Protocol.Isakmp)

  const ownIdentity =
    credentials && start.policy.localIdentity.kind === 'address'
      ? subjectIdentification(credentials.chain[0]!)
      : emitIdentification(localIdentification(start.policy.localIdentity, ownAddress))
  const ownHash = responderHash(input, ownIdentity)
  const answer = protect(
    mainHeader(start),
    [
      { type: PayloadType.Identification, body: ownIdentity },
      ...(credentials ? signaturePayloads(ownHash, credentials) : [{ type: PayloadType.Hash, body: ownHash }]),
    ],
    keys.protection,
    opened.iv,
  )
  return { identity, initialContact, reply: answer.bytes, lastBlock: answer.iv }
}

function openFifth(header: ParsedHeader, bytes: Uint8Array, keys: MainModeKeys, rule: 'main5' | 'main5signed') {
  checkCiphertext(header, bytes, keys.protection)
  try {
    const opened = unprotect(bytes, keys.protection, keys.firstIv, header)
    checkPayloads(rule, opened.payloads)
    return opened
  } catch (e) {
    if (!(e instanceof IkeError)) throw e
    throw new IkeError('wrong-key', Notify.PayloadMalformed, 'it decrypts to garbage')
  }
}

function localIdentification(identity: LocalIdentity, address: Ipv4): Identification {
  switch (identity.kind) {
    case 'address':
      return addressIdentification(address)
    case 'fqdn':
      return { type: IdType.Fqdn, protocol: 0, port: 0, data: encodeText(identity.name) }
    case 'user':
      return { type: IdType.UserFqdn, protocol: 0, port: 0, data: encodeText(identity.name) }
  }
}

/** RFC 2409 section 5. Answers a copy, which outlives its message. Throws IkeError. */
export function checkNonce(nonce: Uint8Array): Uint8Array {
  if (nonce.length < NONCE_MIN || nonce.length > NONCE_MAX)
    throw new IkeError('bad-nonce', Notify.PayloadMalformed, `nonce of ${nonce.length} bytes`)
  return nonce.slice()
}

export function mainHeader(c: Cookies): Header {
  return {
    initiatorCookie: c.initiatorCookie,
    responderCookie: c.responderCookie,
    exchange: Exchange.Main,
    flags: 0,
    messageId: 0,
  }
}
