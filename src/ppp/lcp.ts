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
import type { PppTemplate } from './effects.ts'
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
const CHAP_MD5 = Uint8Array.of(PppProtocol.Chap >>> 8, PppProtocol.Chap & 0xff, ChapAlgorithm.Md5)

export class LcpPolicy implements Policy {
  peer: LcpPeer = UNKNOWN_PEER
  /** Our magic number, or 0 where the peer does not know the option. */
  magic: number
  /** What we ask the peer to keep to when it sends; undefined for no such option, which means 1500. */
  mru: number | undefined
  private readonly dice: Dice
  private readonly authenticates: boolean
  private insisted = 0

  constructor(template: PppTemplate, dice: Dice) {
    this.dice = dice
    this.authenticates = template.authentication !== 'none'
    this.mru = template.mru === DEFAULT_MRU ? undefined : template.mru
    this.magic = this.freshMagic()
  }

  ask(): readonly PppOption[] {
    const options: PppOption[] = []
    if (this.mru !== undefined) options.push(option16(LcpOption.Mru, this.mru))
    if (this.authenticates) options.push({ type: LcpOption.Authentication, data: CHAP_MD5 })
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
      if (o.type === LcpOption.Authentication && this.authenticates && !equal(o.data, CHAP_MD5)) {
        // One more try: some peers only state what they like best and take CHAP when it is asked for again.
        if (++this.insisted >= AUTHENTICATION_INSISTENCE) return { cause: 'peer-refused', detail: wantsOther(o.data) }
      }
    }
    return undefined
  }

  rejected(options: readonly PppOption[]): Trouble | undefined {
    for (const o of options) {
      if (o.type === LcpOption.Mru) this.mru = undefined
      if (o.type === LcpOption.Magic) this.magic = 0
      if (o.type === LcpOption.Authentication) {
        return {
          cause: 'peer-refused',
          detail: 'the client refuses to authenticate itself, and the template asks for CHAP',
        }
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

function wantsOther(data: Uint8Array): string {
  const wish = authenticationName(data)
  return `the client refuses CHAP (MD5): it wants ${wish}; allow CHAP in the client's security settings`
}

function authenticationName(data: Uint8Array): string {
  const protocol = (data[0]! << 8) | data[1]!
  if (data.length >= 2 && protocol === PppProtocol.Pap) return 'PAP'
  if (data.length >= 2 && protocol === PppProtocol.Eap) return 'EAP'
  if (data.length >= 3 && protocol === PppProtocol.Chap) {
    if (data[2] === ChapAlgorithm.MsChapV1) return 'MS-CHAP'
    if (data[2] === ChapAlgorithm.MsChapV2) return 'MS-CHAPv2'
    return `CHAP with algorithm ${data[2]}`
  }
  return 'something else'
}
