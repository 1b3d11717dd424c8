/** The Informational exchange: notifies and DELETEs, protected by an ISAKMP SA or, before there is one, in clear (RFC 2409 section 5.7, RFC 3706). */

import type { Dice } from '../machine.ts'
import { equal, NOTHING, printable } from '../packet/bytes.ts'
import { concat } from '../packet/writer.ts'
import { DOI_IPSEC, Exchange, Notify, PayloadType, Protocol } from './constants.ts'
import { IkeError } from './error.ts'
import { exchangeIv, hash1, messageIdBytes } from './keymat.ts'
import {
  bodies,
  emitMessage,
  emitPayloads,
  type Header,
  type ParsedHeader,
  type Payload,
  parseMessage,
} from './message.ts'
import {
  type Deletion,
  emitDeletion,
  emitNotification,
  type Notification,
  notification,
  notifyName,
  parseDeletion,
  parseNotification,
} from './payload.ts'
import { protect } from './protect.ts'
import { checkHash1, openExchange } from './quick-mode.ts'
import { checkPayloads } from './rules.ts'
import { type Cookies, cookieKey, type EstablishedPhase1 } from './state.ts'
import { windowsErrorText } from './windows-error.ts'

export interface Information {
  readonly notifications: readonly Notification[]
  readonly deletions: readonly Deletion[]
}

/** Decrypts and authenticates. Throws IkeError. */
export function openInformational(phase1: EstablishedPhase1, header: ParsedHeader, bytes: Uint8Array): Information {
  const payloads = openPayloads(phase1, header, bytes)
  return {
    notifications: bodies(payloads, PayloadType.Notification).map(parseNotification),
    deletions: bodies(payloads, PayloadType.Delete).map(parseDeletion),
  }
}

/**
 * libreswan derives the IV of a notify that refuses our sixth message as if Main Mode had had no last block. HASH(1)
 * proves such a message all the same; with the first Quick Mode the peer has taken that message.
 */
function openPayloads(phase1: EstablishedPhase1, header: ParsedHeader, bytes: Uint8Array): readonly Payload[] {
  const open = (lastBlock?: Uint8Array): readonly Payload[] => {
    const opened = openExchange(phase1, header, bytes, lastBlock)
    checkPayloads('informational', opened.payloads)
    checkHash1(phase1, header.messageId, opened)
    return opened.payloads
  }
  try {
    return open()
  } catch (e) {
    if (!(e instanceof IkeError) || !awaitsQuickMode(phase1)) throw e
    try {
      return open(NOTHING)
    } catch (other) {
      throw other instanceof IkeError ? e : other
    }
  }
}

/** Whether the peer has shown nothing yet that it would only do after it has taken our sixth message. */
export function awaitsQuickMode(phase1: EstablishedPhase1): boolean {
  return phase1.state.sa.usedQuickModeIds.size === 0
}

/** A protected message with a random message ID; no answer is expected and none is waited for. */
export function emitInformational(phase1: EstablishedPhase1, payload: Payload, dice: Dice): Uint8Array {
  const { keys, lastBlock } = phase1.state.sa
  const { hash, cipher } = phase1.start.suite
  const messageId = throwMessageId(dice)
  const own = hash1(hash, keys.skeyidA, messageId, emitPayloads([payload]))
  const iv = exchangeIv(hash, cipher, lastBlock, messageId)
  const header = informationalHeader(phase1.start, messageId)
  return protect(header, [{ type: PayloadType.Hash, body: own }, payload], keys.protection, iv).bytes
}

/** A notify in clear, which whoever gets it may believe or not. */
export function emitClearNotify(cookies: Cookies, type: number, dice: Dice): Uint8Array {
  return emitMessage({
    header: informationalHeader(cookies, throwMessageId(dice)),
    payloads: [notifyPayload(notification(type, Protocol.Isakmp, NOTHING))],
  })
}

/** Zero marks phase 1, so another exchange never has it. */
function throwMessageId(dice: Dice): number {
  const b = dice(4)
  return ((b[0]! << 24) | (b[1]! << 16) | (b[2]! << 8) | b[3]!) >>> 0 || 1
}

function informationalHeader(c: Cookies, messageId: number): Header {
  return {
    initiatorCookie: c.initiatorCookie,
    responderCookie: c.responderCookie,
    exchange: Exchange.Informational,
    flags: 0,
    messageId,
  }
}

export function notifyPayload(n: Notification): Payload {
  return { type: PayloadType.Notification, body: emitNotification(n) }
}

/** DELETE of one ESP SA, named by the SPI that we receive on. */
export function espDeletion(inboundSpi: number): Payload {
  const spis = [messageIdBytes(inboundSpi)]
  return { type: PayloadType.Delete, body: emitDeletion({ doi: DOI_IPSEC, protocol: Protocol.Esp, spiSize: 4, spis }) }
}

/** DELETE of an ISAKMP SA, named by its cookies. */
export function isakmpDeletion(cookies: Cookies): Payload {
  const spis = [concat(cookies.initiatorCookie, cookies.responderCookie)]
  const deletion = { doi: DOI_IPSEC, protocol: Protocol.Isakmp, spiSize: 16, spis }
  return { type: PayloadType.Delete, body: emitDeletion(deletion) }
}

/** The answer to R-U-THERE (RFC 3706 section 5.4), or undefined where its cookies are not this SA's. */
export function deadPeerAnswer(phase1: EstablishedPhase1, question: Notification): Payload | undefined {
  const cookies = concat(phase1.start.initiatorCookie, phase1.start.responderCookie)
  if (!equal(question.spi, cookies) || question.data.length !== 4) return undefined
  return notifyPayload(notification(Notify.DpdRUThereAck, Protocol.Isakmp, cookies, question.data))
}

/** Which ISAKMP SAs a DELETE means: one without SPI means the SA that protects it. */
export function deletedCookies(phase1: EstablishedPhase1, deletion: Deletion): string[] {
  if (deletion.spiSize === 0) return [cookieKey(phase1.start)]
  return deletion.spis
    .filter(s => s.length === 16)
    .map(s => cookieKey({ initiatorCookie: s.subarray(0, 8), responderCookie: s.subarray(8) }))
}

/** Whether a notify tells that its sender gave up: an error of RFC 2408, or Microsoft's own. */
export function isError(n: Notification): boolean {
  return n.type === Notify.WindowsStatus || (n.type > 0 && n.type < Notify.Connected)
}

/** What an unprotected message tells of its sender's reasons, without any claim to truth. Undefined for nothing. */
export function hearsay(bytes: Uint8Array): string | undefined {
  try {
    const { payloads } = parseMessage(bytes)
    const error = bodies(payloads, PayloadType.Notification).map(parseNotification).find(isError)
    return error && notifyText(error)
  } catch (e) {
    if (!(e instanceof IkeError)) throw e
    return undefined
  }
}

/** A notify in words. Windows explains its failures with one of its own error codes. */
export function notifyText(n: Notification): string {
  if (n.type === Notify.WindowsStatus) {
    // The error code is the last word: peers of Microsoft's put the message ID before it.
    const code = n.data.slice(-4).reduce((value, b) => value * 256 + b, 0)
    return windowsErrorText(code)
  }
  const text = printable(n.data, 64)
  return /^[\x20-\x7e]{4,}$/.test(text) && !text.includes('?') ? `${notifyName(n.type)}: ${text}` : notifyName(n.type)
}

/** Whether a notify is an authenticated INITIAL-CONTACT. */
export function isInitialContact(n: Notification): boolean {
  return n.type === Notify.InitialContact && (n.protocol === Protocol.Isakmp || n.protocol === Protocol.Esp)
}
