/** A small IKEv1 initiator without I/O, in the manner of whichever client its options describe: each method makes or takes one message. */

import type { KeyObject } from 'node:crypto'
import {
  Authentication,
  DOI_IPSEC,
  Encapsulation,
  Exchange,
  IdType,
  KEY_IKE,
  Notify,
  PayloadType,
  Protocol,
} from '../../src/ike/constants.ts'
import { generateKeyPair, type KeyPair, sharedSecret } from '../../src/ike/dh.ts'
import {
  deriveSignatureSkeyids,
  deriveSkeyids,
  encryptionKey,
  espKeys,
  exchangeIv,
  firstIv,
  hash1,
  hash2,
  hash3,
  initiatorHash,
  messageIdBytes,
  responderHash,
  type Skeyids,
} from '../../src/ike/keymat.ts'
import {
  bodies,
  body,
  emitMessage,
  emitPayloads,
  type Header,
  type Payload,
  parseHeader,
  parseMessage,
} from '../../src/ike/message.ts'
import { chooseNatFlavour, type NatFlavour, natDetectionHash, natFlavours } from '../../src/ike/nat.ts'
import {
  addressIdentification,
  emitDeletion,
  emitIdentification,
  emitNatOa,
  emitNotification,
  type Identification,
  notification,
  parseNotification,
} from '../../src/ike/payload.ts'
import type { Group, Phase1Suite, Phase2Suite } from '../../src/ike/policy.ts'
import { emitAttributes, emitSa, type Proposal, parseAttributes, parseSa } from '../../src/ike/proposal.ts'
import { type Protection, protect, unprotect } from '../../src/ike/protect.ts'
import { isSigned, sign } from '../../src/ike/signature.ts'
import type { Dice } from '../../src/machine.ts'
import { encodeText, equal } from '../../src/packet/bytes.ts'
import { type Endpoint, type Ipv4, readIpv4 } from '../../src/packet/ip.ts'
import { concat } from '../../src/packet/writer.ts'
import {
  type AttributeStyle,
  espProposal,
  type Lifetime,
  type Phase1Offer,
  phase1Attributes,
  readEsp,
  readLifetime,
} from './offers.ts'

export interface InitiatorOptions {
  readonly dice: Dice
  readonly presharedKey: string
  /** Authenticates with a certificate in place of the key; throws in `finish` where the server's is not right. */
  readonly rsa?: RsaClient
  /** Its own address, as it knows it: behind a NAT a private one. */
  readonly address: Ipv4
  /** The address it dials. */
  readonly server: Ipv4
  readonly offers: readonly Phase1Offer[]
  readonly lifetimeSeconds?: number
  /** Order and form of the attributes in its transforms; absent: Windows'. */
  readonly style?: AttributeStyle
  readonly natFlavours: readonly NatFlavour[]
  /** Vendor IDs beside those of NAT traversal. */
  readonly vendorIds?: readonly Uint8Array[]
  /** Those that follow the ones of NAT traversal. */
  readonly lastVendorIds?: readonly Uint8Array[]
  readonly nonceLength: number
  /** Mac OS X 10.3 and 10.4 put their own NAT-D before the server's. */
  readonly ownNatDFirst?: boolean
  /** Port in the phase 1 identity, with protocol UDP; absent: 0/0. */
  readonly identityPort?: number
  /** Ports in Quick Mode's identities: 0 is any. Absent: 1701. */
  readonly clientPort?: number
  readonly serverPort?: number
  /** racoon tells both original addresses under every flavour; absent: one under the drafts, both under the RFC. */
  readonly bothOriginalAddresses?: boolean
  /** XP behind a NAT gives its computer name, everyone else an address. */
  readonly computerName?: string | undefined
  readonly quickOffers: readonly Phase2Suite[]
  readonly quickLifetimeSeconds?: number
  readonly pfsGroup?: Group
  readonly messageIds: 'random' | 'sequential'
  /** Sends the INITIAL-CONTACT notify in message 5. */
  readonly initialContact?: boolean
  /** Takes an answer that says its offer in another order or with numbers of another size; absent: only byte for byte. */
  readonly takesReworded?: boolean
}

export interface RsaClient {
  readonly key: KeyObject
  /** The bodies of the CERT payloads, encoding byte included. */
  readonly certificates: readonly Uint8Array[]
  readonly identity: Uint8Array
  /** Looks at the server's: the bodies of its CERT payloads. */
  readonly check: (certificates: readonly Uint8Array[], identity: Uint8Array) => KeyObject
  /** Signs in place of what RFC 2409 says. */
  readonly sign?: (hash: Uint8Array, key: KeyObject) => Uint8Array
}

/** What the initiator knows of an ISAKMP SA in the making. */
interface Secrets extends Skeyids {
  readonly protection: Protection
  readonly responderPublic: Uint8Array
  iv: Uint8Array
}

/** A pair of ESP SAs from the initiator's side. */
export interface InitiatorPair {
  readonly messageId: number
  readonly suite: Phase2Suite
  /** What the initiator receives on. */
  readonly inboundSpi: number
  readonly outboundSpi: number
  readonly inboundKeys: { encryption: Uint8Array; integrity: Uint8Array }
  readonly outboundKeys: { encryption: Uint8Array; integrity: Uint8Array }
  readonly udpEncapsulated: boolean
  /** As offered, or as the responder cut it. */
  readonly lifetime: Lifetime
}

interface QuickUnderWay {
  readonly offers: readonly Proposal[]
  readonly spi: Uint8Array
  readonly nonce: Uint8Array
  readonly pair: KeyPair | undefined
  readonly identities: readonly Uint8Array[]
  iv: Uint8Array
}

export class Initiator {
  readonly o: InitiatorOptions
  readonly cookie: Uint8Array
  responderCookie = new Uint8Array(8)
  suite: Phase1Suite | undefined
  natFlavour: NatFlavour | undefined
  nat = { client: false, server: false }
  /** Body of the server's identity, once it has authenticated. */
  serverIdentity: Uint8Array | undefined
  /** The bodies of the server's certificate requests. */
  requests: readonly Uint8Array[] = []
  private saBody = new Uint8Array(0)
  private keyPair: KeyPair | undefined
  private nonce = new Uint8Array(0)
  private secrets: Secrets | undefined
  /** Last ciphertext block of main mode. */
  private lastBlock = new Uint8Array(0)
  private nextMessageId = 1
  private readonly quicks = new Map<number, QuickUnderWay>()

  constructor(o: InitiatorOptions) {
    this.o = o
    this.cookie = o.dice(8).slice()
  }

  /** The port on either side: 500, then 4500 where a NAT was found. */
  get port(): 500 | 4500 {
    return this.secrets && (this.nat.client || this.nat.server) ? 4500 : 500
  }

  message1(): Uint8Array {
    const transforms = this.o.offers.map((suite, i) => ({
      number: i + 1,
      id: KEY_IKE,
      attributes: this.phase1Attributes(suite),
    }))
    this.saBody = emitSa([
      { number: 1, protocol: Protocol.Isakmp, spi: new Uint8Array(0), transforms },
    ]) as typeof this.saBody
    const vendorIds = [
      ...(this.o.vendorIds ?? []),
      ...this.o.natFlavours.map(f => natFlavours[f].vendorId),
      ...(this.o.lastVendorIds ?? []),
    ]
    return emitMessage({
      header: this.header(Exchange.Main, 0),
      payloads: [
        { type: PayloadType.Sa, body: this.saBody },
        ...vendorIds.map(v => ({ type: PayloadType.VendorId, body: v })),
      ],
    })
  }

  message3(message2: Uint8Array): Uint8Array {
    const { header, payloads } = parseMessage(message2)
    this.responderCookie = header.responderCookie as typeof this.responderCookie
    const proposals = parseSa(body(payloads, PayloadType.Sa)!)
    const chosen = proposals[0]!.transforms[0]!
    const offer = this.o.offers[chosen.number - 1]!
    if (!this.same(this.phase1Attributes(offer), chosen.attributes))
      throw new Error('the chosen transform is not what was offered')
    const { hash } = offer
    if (hash === 'sha512') throw new Error('SHA-512 was chosen')
    this.suite = { ...offer, hash }
    const natIds = bodies(payloads, PayloadType.VendorId)
    this.natFlavour = chooseNatFlavour(natIds)
    this.keyPair = generateKeyPair(offer.group, this.o.dice)
    this.nonce = this.o.dice(this.o.nonceLength).slice() as typeof this.nonce
    return emitMessage({
      header: this.header(Exchange.Main, 0),
      payloads: [
        { type: PayloadType.KeyExchange, body: this.keyPair.publicValue },
        { type: PayloadType.Nonce, body: this.nonce },
        ...(this.o.ownNatDFirst ? this.natDs().reverse() : this.natDs()).map(b => ({
          type: natFlavours[this.natFlavour!].natD,
          body: b,
        })),
      ],
    })
  }

  message5(message4: Uint8Array): Uint8Array {
    const { payloads } = parseMessage(message4)
    const suite = this.suite!
    const responderPublic = body(payloads, PayloadType.KeyExchange)!
    if (this.natFlavour) {
      const [server, client] = this.natDs()
      const received = bodies(payloads, natFlavours[this.natFlavour].natD)
      this.nat = {
        client: !received.some(r => equal(r, client!)),
        server: !received.some(r => equal(r, server!)),
      }
    }
    const input = {
      hash: suite.hash,
      initiatorNonce: this.nonce,
      responderNonce: body(payloads, PayloadType.Nonce)!,
      sharedSecret: sharedSecret(this.keyPair!, responderPublic),
      ...this.cookies,
    }
    const skeyids = this.o.rsa ? deriveSignatureSkeyids(input) : deriveSkeyids(input, encodeText(this.o.presharedKey))
    this.requests = bodies(payloads, PayloadType.CertificateRequest)
    this.secrets = {
      ...skeyids,
      responderPublic,
      protection: { cipher: suite.cipher, key: encryptionKey(suite.hash, suite.cipher, skeyids.skeyidE) },
      iv: firstIv(suite.hash, suite.cipher, this.keyPair!.publicValue, responderPublic),
    }
    const { identityPort } = this.o
    const identity =
      this.o.rsa?.identity ??
      emitIdentification(this.identification(identityPort === undefined ? 0 : 17, identityPort ?? 0))
    const hashI = initiatorHash(this.authenticationInput(), identity)
    const extra: Payload[] = this.o.initialContact
      ? [
          {
            type: PayloadType.Notification,
            body: emitNotification(
              notification(Notify.InitialContact, Protocol.Isakmp, concat(this.cookie, this.responderCookie)),
            ),
          },
        ]
      : []
    const sealed = protect(
      this.header(Exchange.Main, 0),
      [{ type: PayloadType.Identification, body: identity }, ...this.proof(hashI), ...extra],
      this.secrets.protection,
      this.secrets.iv,
    )
    this.secrets.iv = sealed.iv
    return sealed.bytes
  }

  /** Takes message 6; throws where the server does not know the key. */
  finish(message6: Uint8Array): void {
    const secrets = this.secrets!
    const { payloads, iv } = unprotect(message6, secrets.protection, secrets.iv)
    const identity = body(payloads, PayloadType.Identification)!
    const expected = responderHash(this.authenticationInput(), identity)
    if (this.o.rsa) {
      const key = this.o.rsa.check(bodies(payloads, PayloadType.Certificate), identity)
      if (!isSigned(expected, body(payloads, PayloadType.Signature)!, key)) throw new Error('SIG_R is wrong')
    } else if (!equal(expected, body(payloads, PayloadType.Hash)!)) throw new Error('HASH_R is wrong')
    this.serverIdentity = identity
    this.lastBlock = iv as typeof this.lastBlock
  }

  /** The first message of a Quick Mode. `proposals` replaces the offers made from the options. */
  quick1(proposals?: (spi: Uint8Array) => readonly Proposal[]): { messageId: number; bytes: Uint8Array } {
    const messageId = this.throwMessageId()
    const spi = this.o.dice(4).slice()
    spi[0] = spi[0]! | 0x80
    const nonce = this.o.dice(this.o.nonceLength).slice()
    const pair = this.o.pfsGroup === undefined ? undefined : generateKeyPair(this.o.pfsGroup, this.o.dice)
    const behindNat = this.nat.client
    const identities = [
      emitIdentification(this.identification(17, this.o.clientPort ?? 1701, this.nat.client || this.nat.server)),
      emitIdentification(addressIdentification(this.o.server, 17, this.o.serverPort ?? 1701)),
    ]
    const offers = proposals?.(spi) ?? this.quickProposals(spi)
    const payloads: Payload[] = [
      { type: PayloadType.Sa, body: emitSa(offers) },
      { type: PayloadType.Nonce, body: nonce },
    ]
    if (pair) payloads.push({ type: PayloadType.KeyExchange, body: pair.publicValue })
    for (const id of identities) payloads.push({ type: PayloadType.Identification, body: id })
    if (behindNat && this.natFlavour) {
      const type = natFlavours[this.natFlavour].natOa
      payloads.push({ type, body: emitNatOa(this.o.address) })
      const both = this.natFlavour === 'rfc3947' || this.o.bothOriginalAddresses === true
      if (both) payloads.push({ type, body: emitNatOa(this.o.server) })
    }
    const sealed = this.protectExchange(Exchange.Quick, messageId, payloads)
    this.quicks.set(messageId, { offers, spi, nonce, pair, identities, iv: sealed.iv })
    return { messageId, bytes: sealed.bytes }
  }

  /** Takes the second message and answers with the third; throws where an echo is not one. */
  quick3(quick2: Uint8Array): { bytes: Uint8Array; pair: InitiatorPair; payloads: readonly Payload[] } {
    const { messageId } = parseHeader(quick2)
    const quick = this.quicks.get(messageId)!
    const { skeyidA, skeyidD, protection } = this.secrets!
    const algorithm = this.suite!.hash
    const { payloads, behindFirst, iv } = unprotect(quick2, protection, quick.iv)
    if (!equal(payloads[0]!.body, hash2(algorithm, skeyidA, messageId, quick.nonce, behindFirst)))
      throw new Error('HASH(2) is wrong')
    const identities = bodies(payloads, PayloadType.Identification)
    if (!quick.identities.every((id, i) => equal(id, identities[i]!))) throw new Error('identities were not echoed')
    const proposal = chosenOffer(quick.offers, parseSa(body(payloads, PayloadType.Sa)!), (a, b) => this.same(a, b))
    const { suite, udpEncapsulated } = readEsp(proposal)
    const responderNonce = body(payloads, PayloadType.Nonce)!
    const secret = quick.pair && sharedSecret(quick.pair, body(payloads, PayloadType.KeyExchange)!)
    const input = {
      hash: algorithm,
      skeyidD,
      sharedSecret: secret,
      protocol: Protocol.Esp,
      initiatorNonce: quick.nonce,
      responderNonce,
    }
    const hashBody = hash3(algorithm, skeyidA, messageId, quick.nonce, responderNonce)
    const header = this.header(Exchange.Quick, messageId)
    const sealed = protect(header, [{ type: PayloadType.Hash, body: hashBody }], protection, iv)
    this.quicks.delete(messageId)
    const pair: InitiatorPair = {
      messageId,
      suite,
      udpEncapsulated,
      inboundSpi: readIpv4(quick.spi),
      outboundSpi: readIpv4(proposal.spi),
      lifetime: { ...readLifetime(proposal.transforms[0]!.attributes), ...responderLifetime(payloads) },
      inboundKeys: espKeys({ ...input, spi: quick.spi }, suite),
      outboundKeys: espKeys({ ...input, spi: proposal.spi }, suite),
    }
    return { bytes: sealed.bytes, pair, payloads }
  }

  /** A protected Informational message with these payloads. */
  informational(...payloads: Payload[]): Uint8Array {
    const messageId = this.randomMessageId()
    return this.protectExchange(Exchange.Informational, messageId, payloads).bytes
  }

  /** As libreswan says what it dislikes about message 6: with an IV that none of Main Mode's blocks went into. */
  refusal(type: number): Uint8Array {
    const n = notification(type, Protocol.Isakmp, new Uint8Array(0))
    const payload = { type: PayloadType.Notification, body: emitNotification(n) }
    return this.protectExchange(Exchange.Informational, this.randomMessageId(), [payload], new Uint8Array(0)).bytes
  }

  /** What we would receive on after each Quick Mode that is under way. */
  get pendingSpis(): number[] {
    return [...this.quicks.values()].map(q => readIpv4(q.spi))
  }

  /** Forgets the Quick Modes that are under way; what we would have received on. */
  abandonQuick(): number[] {
    const spis = this.pendingSpis
    this.quicks.clear()
    return spis
  }

  deleteEsp(...inboundSpis: number[]): Uint8Array {
    return this.informational(this.espDeletion(inboundSpis))
  }

  deleteIsakmp(): Uint8Array {
    return this.informational(this.isakmpDeletion())
  }

  /** Both in one message. */
  deleteAll(inboundSpis: readonly number[]): Uint8Array {
    return this.informational(this.espDeletion(inboundSpis), this.isakmpDeletion())
  }

  private espDeletion(inboundSpis: readonly number[]): Payload {
    const deletion = { doi: DOI_IPSEC, protocol: Protocol.Esp, spiSize: 4, spis: inboundSpis.map(messageIdBytes) }
    return { type: PayloadType.Delete, body: emitDeletion(deletion) }
  }

  private isakmpDeletion(): Payload {
    const spis = [concat(this.cookie, this.responderCookie)]
    const deletion = { doi: DOI_IPSEC, protocol: Protocol.Isakmp, spiSize: 16, spis }
    return { type: PayloadType.Delete, body: emitDeletion(deletion) }
  }

  /** RFC 3706: asks whether the server lives. */
  areYouThere(sequence: number): Uint8Array {
    return this.livenessNotify(Notify.DpdRUThere, messageIdBytes(sequence))
  }

  /** The answer to the server's own question, whose data it repeats. */
  iAmHere(data: Uint8Array): Uint8Array {
    return this.livenessNotify(Notify.DpdRUThereAck, data)
  }

  private livenessNotify(type: number, data: Uint8Array): Uint8Array {
    const n = notification(type, Protocol.Isakmp, concat(this.cookie, this.responderCookie), data)
    return this.informational({ type: PayloadType.Notification, body: emitNotification(n) })
  }

  /** Decrypts and authenticates a protected Informational message of the server's. */
  openInformational(bytes: Uint8Array): readonly Payload[] {
    const { messageId } = parseHeader(bytes)
    const { protection, skeyidA } = this.secrets!
    const suite = this.suite!
    const opened = unprotect(bytes, protection, exchangeIv(suite.hash, suite.cipher, this.lastBlock, messageId))
    if (!equal(opened.payloads[0]!.body, hash1(suite.hash, skeyidA, messageId, opened.behindFirst)))
      throw new Error('HASH(1) is wrong')
    return opened.payloads.slice(1)
  }

  /** The ESP proposals that the options make, each with one transform as Windows does it. */
  quickProposals(spi: Uint8Array, suites: readonly Phase2Suite[] = this.o.quickOffers): Proposal[] {
    return suites.map((suite, i) =>
      espProposal(i + 1, spi, suite, this.transportMode, this.o.quickLifetimeSeconds ?? 3600, this.o.pfsGroup),
    )
  }

  /** Transport mode as it is to be written: in UDP where a NAT is in the way. */
  get transportMode(): number {
    const nat = this.nat.client || this.nat.server
    return nat && this.natFlavour ? natFlavours[this.natFlavour].udpTransport : Encapsulation.Transport
  }

  private get cookies() {
    return { initiatorCookie: this.cookie, responderCookie: this.responderCookie }
  }

  private header(exchange: number, messageId: number): Header {
    return { ...this.cookies, exchange, flags: 0, messageId }
  }

  private phase1Attributes(offer: Phase1Offer): Uint8Array {
    const authentication = this.o.rsa ? Authentication.RsaSignature : Authentication.PresharedKey
    return emitAttributes(phase1Attributes(offer, this.o.lifetimeSeconds ?? 28800, authentication, this.o.style))
  }

  /** What message 5 proves who we are with. */
  private proof(hash: Uint8Array): Payload[] {
    const { rsa } = this.o
    if (!rsa) return [{ type: PayloadType.Hash, body: hash }]
    return [
      ...rsa.certificates.map(c => ({ type: PayloadType.Certificate, body: c })),
      { type: PayloadType.Signature, body: (rsa.sign ?? sign)(hash, rsa.key) },
    ]
  }

  private identification(protocol: number, port: number, named = this.nat.client): Identification {
    const name = named ? this.o.computerName : undefined
    if (name !== undefined) return { type: IdType.Fqdn, protocol, port, data: encodeText(name) }
    return addressIdentification(this.o.address, protocol, port)
  }

  /** NAT-Ds in the order of sending: the server's, then our own; none without NAT traversal. */
  private natDs(): Uint8Array[] {
    if (this.natFlavour === undefined) return []
    const places: Endpoint[] = [
      { address: this.o.server, port: 500 },
      { address: this.o.address, port: 500 },
    ]
    return places.map(p => natDetectionHash(this.suite!.hash, this.cookies, p))
  }

  private authenticationInput() {
    return {
      hash: this.suite!.hash,
      skeyid: this.secrets!.skeyid,
      initiatorPublic: this.keyPair!.publicValue,
      responderPublic: this.secrets!.responderPublic,
      sa: this.saBody,
      ...this.cookies,
    }
  }

  /** A message of an exchange under the ISAKMP SA, with its HASH(1), and the IV of the next one. */
  protectExchange(
    exchange: number,
    messageId: number,
    payloads: readonly Payload[],
    lastBlock: Uint8Array = this.lastBlock,
  ) {
    const { protection, skeyidA } = this.secrets!
    const suite = this.suite!
    const own = hash1(suite.hash, skeyidA, messageId, emitPayloads(payloads))
    const iv = exchangeIv(suite.hash, suite.cipher, lastBlock, messageId)
    return protect(
      this.header(exchange, messageId),
      [{ type: PayloadType.Hash, body: own }, ...payloads],
      protection,
      iv,
    )
  }

  /** An initiator takes an answer only that is its own offer. */
  private same(own: Uint8Array, chosen: Uint8Array): boolean {
    return equal(own, chosen) || (this.o.takesReworded === true && meaning(own) === meaning(chosen))
  }

  private throwMessageId(): number {
    return this.o.messageIds === 'sequential' ? this.nextMessageId++ : this.randomMessageId()
  }

  private randomMessageId(): number {
    return readIpv4(this.o.dice(4)) || 1
  }
}

/** What the responder said of the lifetime that it keeps to, where it is not the one that was offered. */
function responderLifetime(payloads: readonly Payload[]): Lifetime {
  const notifications = bodies(payloads, PayloadType.Notification).map(parseNotification)
  return readLifetime(notifications.find(n => n.type === Notify.ResponderLifetime)?.data ?? new Uint8Array(0))
}

/** An initiator takes an answer only that is one of its offers as a whole: a bundle with both halves, all attributes as sent. */
function chosenOffer(
  offers: readonly Proposal[],
  answer: readonly Proposal[],
  sameAttributes: (own: Uint8Array, chosen: Uint8Array) => boolean,
): Proposal {
  const first = answer[0]
  const offered = offers.filter(o => o.number === first?.number)
  const same = (a: Proposal, b: Proposal | undefined) => {
    const chosen = b?.transforms[0]
    const own = a.transforms.find(t => t.number === chosen?.number)
    const equalTransform = own && chosen && own.id === chosen.id && sameAttributes(own.attributes, chosen.attributes)
    return a.protocol === b?.protocol && b.transforms.length === 1 && equalTransform
  }
  if (!first || offered.length !== answer.length || !offered.every((o, i) => same(o, answer[i]))) {
    throw new Error('the chosen proposal is not what was offered')
  }
  return first
}

/** What attributes say, whatever their order and the size of their numbers. */
function meaning(attributes: Uint8Array): string {
  return parseAttributes(attributes)
    .map(a => `${a.type}=${a.value}`)
    .sort()
    .join()
}
