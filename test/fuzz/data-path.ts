/** The stages from ESP's open to the TUN device with two sessions, Alice's and Bob's, and packets for them. */

import { filterIn } from '../../src/firewall/filter.ts'
import type { FirewallTables } from '../../src/firewall/tables.ts'
import { decapsulate as decapsulateL2tp } from '../../src/l2tp/decapsulate.ts'
import { L2tpTable } from '../../src/l2tp/table.ts'
import type { Batch } from '../../src/packet/batch.ts'
import { emitUdp } from '../../src/packet/ip.ts'
import { decapsulate as decapsulatePpp } from '../../src/ppp/decapsulate.ts'
import { PppTable } from '../../src/ppp/table.ts'
import { ALICE, ALICE_ROW, BOB, BOB_ROW, INTERNET, LAN_HOST, tables, udp } from '../firewall/office.ts'
import { join } from './random.ts'

export interface Path {
  readonly l2tp: L2tpTable
  readonly ppp: PppTable
  readonly firewall: FirewallTables
}

/** Alice and Bob connected, and a firewall that has seen nothing yet. */
export function path(): Path {
  const l2tp = new L2tpTable(16)
  const ppp = new PppTable()
  for (const [row, tunnel] of [
    [ALICE_ROW, 0x1111],
    [BOB_ROW, 0x2222],
  ] as const) {
    l2tp.install({
      session: row.session,
      peer: row.peer,
      localTunnelId: tunnel,
      remoteTunnelId: 1,
      localSessionId: 7,
      remoteSessionId: 1,
      remotePort: 1701,
      localPort: 1701,
      template: 1,
      hostName: '',
      sequencing: row === BOB_ROW,
    })
    ppp.set(row.session, { up: true, compressAddress: row === BOB_ROW, compressProtocol: false })
  }
  return { l2tp, ppp, firewall: tables() }
}

export function inbound(batch: Batch, p: Path, now = 1000): void {
  decapsulateL2tp(batch, p.l2tp)
  decapsulatePpp(batch, p.ppp)
  filterIn(batch, p.firewall, now)
}

/** Data and control with every kind of header, behind the byte that tells whose it is. */
export function openedSamples(): Uint8Array[] {
  const of = (who: number, flags: number, head: number[], frame: Uint8Array) =>
    join(Uint8Array.of(who), emitUdp(1701, 1701, join(Uint8Array.of(flags >>> 8, flags, ...head), frame)))
  const alice = join(Uint8Array.of(0xff, 3, 0, 0x21), udp(ALICE, 1000, INTERNET, 53))
  const bob = join(Uint8Array.of(0x21), udp(BOB, 1000, LAN_HOST, 53))
  return [
    of(0, 0x0002, [0x11, 0x11, 0, 7], alice),
    of(0, 0x4002, [0, alice.length + 8, 0x11, 0x11, 0, 7], alice),
    of(1, 0x0802, [0x22, 0x22, 0, 7, 0, 1, 0, 0], bob),
    of(1, 0x0202, [0x22, 0x22, 0, 7, 0, 2, 0, 0], bob),
    of(0, 0x0002, [0x11, 0x11, 0, 7], Uint8Array.of(0xff, 3, 0xc0, 0x21, 9, 1, 0, 8, 0, 0, 0, 0)),
    of(0, 0xc802, [0, 12, 0x11, 0x11, 0, 0, 0, 1, 0, 1], new Uint8Array(0)),
  ]
}
