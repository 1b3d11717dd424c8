/** The options of LCP: what we ask for, what we grant, and what we refuse (RFC 1661 section 6). */

import type { Dice } from '../machine.ts'
import { equal } from '../packet/bytes.ts'
import {
  AUTHENTICATION_INSISTENCE,
  ChapAlgorithm,
  Code,
  DEFAULT_MRU,
  LcpOption,
  LEAST_MRU,
  PppProtocol,
} from './constants.ts'
import type { AuthenticationMethod, PppTemplate } from './effects.ts'
import type { PppOption } from './frame.ts'
import { option16, option32, optionNumber } from './frame.ts'
import type { Judgement, Policy, Trouble } from './negotiation.ts'

/** What the peer's acknowledged request says about it. */
export interface LcpPeer {
  readonly mru: number
  /** 0 where it uses none. */
  readonly magic: number
  /** It takes frames without FF 03, and protocols of one byte. */
  readonly acfc: boolean
  readonly pfc: boolean
}

const UNKNOWN_PEER: LcpPeer = { mru: DEFAULT_MRU, magic: 0, acfc: false, pfc: false }

/** One authentication protocol as the option names it. */
interface Offer {
  readonly method: Exclude<AuthenticationMethod, 'none'>
  readonly data: Uint8Array
}

const chap = (algorithm: number) => Uint8Array.of(PppProtocol.Chap >>> 8, PppProtocol.Chap & 0xff, algorithm)
const CHAP_MD5: Offer = { method: 'chap-md5', data: chap(ChapAlgorithm.Md5) }
const MS_CHAP_V2: Offer = { method: 'mschap2', data: chap(ChapAlgorithm.MsChapV2) }

/** MS-CHAPv2 comes first where both may be: Windows takes CHAP if that is what it hears first. */
const OFFERS: Readonly<Record<PppTemplate['authentication'], readonly Offer[]>> = {
  none: [],
  chap: [CHAP_MD5],
  mschap2: [MS_CHAP_V2],
  either: [MS_CHAP_V2, CHAP_MD5],
}

export class LcpPolicy implements Policy {
  peer: LcpPeer = UNKNOWN_PEER
  /** Our magic number, or 0 where the peer does not know the option. */
  magic: number
  /** What we ask the peer to keep to when it sends; undefined for no such option, which means 1500. */
  mru: number | undefined
  private readonly dice: Dice
  private readonly offers: readonly Offer[]
  /** The protocol we ask for now. */
  private offer: Offer | undefined
  private insisted = 0

  constructor(template: PppTemplate, dice: Dice) {
    this.dice = dice
    this.offers = OFFERS[template.authentication]
    this.offer = this.offers[0]
    this.mru = template.mru === DEFAULT_MRU ? undefined : template.mru
    this.magic = this.freshMagic()
  }

  get authentication(): AuthenticationMethod {
    return this.offer?.method ?? 'none'
  }

  ask(): readonly PppOption[] {
    const options: PppOption[] = []
    if (this.mru !== undefined) options.push(option16(LcpOption.Mru, this.mru))
    if (this.offer) options.push({ type: LcpOption.Authentication, data: this.offer.data })
    if (this.magic !== 0) options.push(option32(LcpOption.Magic, this.magic))
    return options
  }

  /** All refusals in one Reject, then all corrections in one Nak: Windows gives up after a handful of rounds. */
  judge(options: readonly PppOption[], naksSpent: boolean): Judgement {
    const corrections = new Map<PppOption, PppOption>()
    const rejects = options.filter(o => {
      const verdict = this.judgeOne(o)
      if (verdict !== 'accept' && verdict !== 'reject') corrections.set(o, verdict)
      return verdict === 'reject' || (naksSpent && corrections.has(o))
    })
    if (rejects.length > 0) return { code: Code.ConfigureReject, options: rejects }
    if (corrections.size > 0) return { code: Code.ConfigureNak, options: [...corrections.values()] }
    return { code: Code.ConfigureAck, options }
  }

  /**
   * PFC and ACFC are granted: they let us leave out bytes, and we understand both forms anyway. Callback (13, where a Nak
   * would only invite another kind), multilink (17, 19, 23), quality reports and the peer's wish that we authenticate
   * ourselves are refused like all that is unknown.
   */
  private judgeOne(o: PppOption): 'accept' | 'reject' | PppOption {
    switch (o.type) {
      case LcpOption.Mru: {
        const mru = optionNumber(o, 2)
        if (mru === undefined) return 'reject'
        return mru >= LEAST_MRU ? 'accept' : option16(LcpOption.Mru, LEAST_MRU)
      }
      case LcpOption.Magic: {
        const magic = optionNumber(o, 4)
        if (magic === undefined) return 'reject'
        // Zero is no magic number, and our own one coming back means a loop (RFC 1661 section 6.4).
        return magic !== 0 && magic !== this.magic ? 'accept' : option32(LcpOption.Magic, this.freshMagic())
      }
      case LcpOption.Accm:
        return o.data.length === 4 ? 'accept' : 'reject'
      case LcpOption.Pfc:
      case LcpOption.Acfc:
        return o.data.length === 0 ? 'accept' : 'reject'
      default:
        return 'reject'
    }
  }

  agree(options: readonly PppOption[]): void {
    const find = (type: number) => options.find(o => o.type === type)
    const mru = find(LcpOption.Mru)
    const magic = find(LcpOption.Magic)
    this.peer = {
      mru: (mru && optionNumber(mru, 2)) ?? DEFAULT_MRU,
      magic: (magic && optionNumber(magic, 4)) ?? 0,
      acfc: find(LcpOption.Acfc) !== undefined,
      pfc: find(LcpOption.Pfc) !== undefined,
    }
  }

  nakked(options: readonly PppOption[]): Trouble | undefined {
    for (const o of options) {
      if (o.type === LcpOption.Mru) this.takeMru(optionNumber(o, 2))
      if (o.type === LcpOption.Magic && this.magic !== 0) this.magic = this.freshMagic()
      if (o.type === LcpOption.Authentication && this.offer && !equal(o.data, this.offer.data)) {
        const trouble = this.otherWish(o.data)
        if (trouble) return trouble
      }
    }
    return undefined
  }

  /**
   * The peer wants another protocol: it has it where the template allows it. Otherwise ours is asked for once more, the
   * next one where there is one: some peers only state what they like best, and take what they hear again.
   */
  private otherWish(wish: Uint8Array): Trouble | undefined {
    const granted = this.offers.find(a => equal(a.data, wish))
    if (granted === undefined && ++this.insisted >= AUTHENTICATION_INSISTENCE)
      return { cause: 'peer-refused', detail: wantsOther(this.offers, wish) }
    this.offer = granted ?? this.nextOffer() ?? this.offer
    return undefined
  }

  private nextOffer(): Offer | undefined {
    return this.offer && this.offers[this.offers.indexOf(this.offer) + 1]
  }

  rejected(options: readonly PppOption[]): Trouble | undefined {
    for (const o of options) {
      if (o.type === LcpOption.Mru) this.mru = undefined
      if (o.type === LcpOption.Magic) this.magic = 0
      if (o.type === LcpOption.Authentication) {
        // Some reject what they should answer with a wish of their own.
        const next = this.nextOffer()
        if (!next) return { cause: 'peer-refused', detail: refusesAll(this.offers) }
        this.offer = next
      }
    }
    return undefined
  }

  /** A smaller unit is the peer's right; a larger one than every link takes falls back to the default. */
  private takeMru(mru: number | undefined): void {
    this.mru = mru !== undefined && mru >= LEAST_MRU && mru <= DEFAULT_MRU ? mru : undefined
  }

  private freshMagic(): number {
    const [a, b, c, d] = this.dice(4)
    return ((a! << 24) | (b! << 16) | (c! << 8) | d!) >>> 0 || 1
  }
}

const methodNames = { 'chap-md5': 'CHAP', mschap2: 'MS-CHAPv2' } as const

function namesOf(offers: readonly Offer[]): string {
  return offers.map(o => methodNames[o.method]).join(' or ')
}

function refusesAll(offers: readonly Offer[]): string {
  return `the client refuses to authenticate itself, and the template asks for ${namesOf(offers)}`
}

function wantsOther(offers: readonly Offer[], wish: Uint8Array): string {
  const ours = namesOf(offers)
  const refused = ours === 'CHAP' ? 'CHAP (MD5)' : ours
  return `the client refuses ${refused}: it wants ${authenticationName(wish)}; allow ${ours} in the client's security settings`
}

function authenticationName(data: Uint8Array): string {
  const protocol = (data[0]! << 8) | data[1]!
  if (data.length >= 2 && protocol === PppProtocol.Pap) return 'PAP'
  if (data.length >= 2 && protocol === PppProtocol.Eap) return 'EAP'
  if (data.length >= 3 && protocol === PppProtocol.Chap) {
    if (data[2] === ChapAlgorithm.Md5) return 'CHAP (MD5)'
    if (data[2] === ChapAlgorithm.MsChapV1) return 'MS-CHAP'
    if (data[2] === ChapAlgorithm.MsChapV2) return 'MS-CHAPv2'
    return `CHAP with algorithm ${data[2]}`
  }
  return 'something else'
}
