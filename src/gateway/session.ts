/** What control knows of one session: one PPP link in one L2TP call, with its user and inner address. */

import type { L2tpSessionIds } from '../l2tp/effects.ts'
import type { Millis } from '../machine.ts'
import type { PppEffect, PppInput } from '../ppp/effects.ts'
import type { PppLink } from '../ppp/link.ts'
import type { Driver } from './driver.ts'
import type { Admission } from './residents.ts'

export interface Session {
  ids: L2tpSessionIds
  readonly worker: number
  /** `ppp0`, `ppp1`, ...: the dynamic PPP interface's name. */
  readonly name: string
  readonly link: PppLink
  readonly driver: Driver<PppInput, PppEffect>
  readonly started: Date
  admission: Admission | undefined
  /** The network phase: since when, with which address. */
  since: Date | undefined
  mtu: number
  /** Packets are forwarded. */
  networkUp: boolean
  /** How many packets had come when we last looked. */
  packetsSeen: number
  /** And how many had gone either way; since when there was none. */
  packetsCarried: number
  usedAt: Millis
}
