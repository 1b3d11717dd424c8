/** L2TP to the fuzzer: control messages, and an endpoint that hears a whole dialogue of them. */

import { AvpType, MAX_CLOSED_PER_PEER, MAX_UNACKNOWLEDGED, MessageType } from '../../src/l2tp/constants.ts'
import { L2TP_DEFAULTS, type L2tpEffect } from '../../src/l2tp/effects.ts'
import { L2tpEndpoint } from '../../src/l2tp/endpoint.ts'
import { L2tpError } from '../../src/l2tp/error.ts'
import { emitControl, parseControl } from '../../src/l2tp/header.ts'
import { describeResult, parseMessage, textOf, u16Of, u32Of } from '../../src/l2tp/message.ts'
import { fromHex } from '../../src/packet/bytes.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { RowNumbers } from '../../src/packet/table.ts'
import { seededDice } from '../support/dice.ts'
import { Lac, type LacEffect } from '../support/lac.ts'
import type { Target } from './guided.ts'
import { messagesOf, must, own, same, several } from './must.ts'
import { join } from './random.ts'
import { printableText } from './targets-ike.ts'

const config = {
  ...L2TP_DEFAULTS,
  enabled: true,
  ranges: [{ first: ipv4('1.1.1.1'), last: ipv4('255.255.255.254'), template: 1 }],
}
const PLACE = { peer: 1, sa: 7, remote: ipv4('203.0.113.8'), remotePort: 1701, localPort: 1701 }

function l2tpMessage(bytes: Uint8Array): void {
  const packet = own(L2tpError, () => parseControl(bytes))
  if (!packet) return
  const again = parseControl(emitControl(packet))
  must(same(again.body, packet.body) && again.ns === packet.ns && again.nr === packet.nr, 'a packet changes')
  const message = own(L2tpError, () => parseMessage(packet.body))
  if (!message) return
  for (const type of Object.values(AvpType)) {
    const value = message.values.get(type)
    if (value?.length === 2) must(u16Of(message, type)! < 0x10000, 'a number of two bytes')
    if (value?.length === 4) must(u32Of(message, type)! < 2 ** 32, 'a number of four bytes')
    if (value) must(printableText(textOf(message, type)), 'a text that no log can hold')
  }
  must(printableText(describeResult(message) ?? ''), 'a result that no log can hold')
}

/**
 * Each message is flags, then a body. By the flags the header is the right one for the tunnel there is, so that damage
 * reaches what stands behind the header, or it is the message's own.
 */
function l2tpEndpoint(bytes: Uint8Array): void {
  const lns = new L2tpEndpoint({ config, dice: seededDice('lns'), rows: new RowNumbers(200) })
  const up = new Map<number, number>()
  let now = 0
  const give = (input: Parameters<L2tpEndpoint['handle']>[0]) => {
    const effects: L2tpEffect[] = []
    lns.handle(input, now, effects)
    must(effects.length < 4 * MAX_UNACKNOWLEDGED, 'too much comes of one message')
    for (const e of effects) {
      if (e.kind === 'sessionUp') up.set(e.ids.session, (up.get(e.ids.session) ?? 0) + 1)
      if (e.kind === 'sessionDown') up.set(e.session, (up.get(e.session) ?? 0) - 1)
    }
    for (const n of up.values()) must(n === 0 || n === 1, 'a session that is up twice or down twice')
  }
  for (const [flags = 0, ...rest] of messagesOf(bytes, 24)) {
    const body = Uint8Array.from(rest)
    const tunnel = lns.snapshot().tunnels.findLast(t => t.state !== 'closed')
    if ((flags & 3) === 3) give({ kind: 'message', ...PLACE, bytes: body })
    else {
      const session = tunnel?.sessions.at(-1)?.localSessionId ?? 0
      const header = {
        tunnelId: flags & 1 ? 0 : (tunnel?.localTunnelId ?? 0),
        sessionId: flags & 2 ? session : 0,
        ns: (tunnel?.nr ?? 0) + (flags & 4 ? 1 : 0),
        nr: flags & 8 ? 0 : (tunnel?.ns ?? 0),
      }
      give({ kind: 'message', ...PLACE, sa: flags & 16 ? 8 : 7, bytes: emitControl({ ...header, body }) })
    }
    if (flags & 32) {
      now += 2000
      give({ kind: 'deadline' })
    }
    must(lns.snapshot().tunnels.length <= config.maxTunnelsPerPeer + MAX_CLOSED_PER_PEER, 'too many tunnels')
  }
  give({ kind: 'peerGone', peer: PLACE.peer, reason: 'over' })
  for (let turns = 0; lns.deadline !== undefined; turns++) {
    must(turns < 1000, 'a deadline that never ends')
    now = Math.max(now, lns.deadline)
    give({ kind: 'deadline' })
  }
  must(
    [...up.values()].every(n => n === 0),
    'a session outlives its peer',
  )
  must(lns.snapshot().tunnels.length === 0, 'a tunnel outlives its peer')
}

/** What a client says from SCCRQ to StopCCN. */
function dialogue(): Uint8Array[] {
  const lns = new L2tpEndpoint({ config, dice: seededDice('lns'), rows: new RowNumbers(200) })
  const lac = new Lac()
  const said: Uint8Array[] = []
  const client = (input: Parameters<Lac['handle']>[0]) => {
    const effects: LacEffect[] = []
    lac.handle(input, 0, effects)
    for (const e of effects) {
      if (e.kind !== 'send') continue
      said.push(e.bytes.slice())
      const answers: L2tpEffect[] = []
      lns.handle({ kind: 'message', ...PLACE, bytes: e.bytes }, 0, answers)
      for (const a of answers) if (a.kind === 'send') client({ kind: 'message', bytes: a.bytes })
    }
  }
  client({ kind: 'connect' })
  client({ kind: 'call' })
  client({ kind: 'hello' })
  client({ kind: 'disconnect' })
  return said
}

const word = (type: number, value: number) => Uint8Array.of(0x80, 8, 0, 0, 0, type, value >>> 8, value)
const is = (flags: number, type: number, ...avps: Uint8Array[]) => join(Uint8Array.of(flags), word(0, type), ...avps)
const four = (type: number) => Uint8Array.of(0x80, 10, 0, 0, 0, type, 0, 0, 0, 1)
const sccrq = is(
  1,
  MessageType.Sccrq,
  word(AvpType.ProtocolVersion, 0x100),
  Uint8Array.of(0x80, 7, 0, 0, 0, 7, 65),
  four(3),
  word(9, 5),
)
const scccn = is(0, MessageType.Scccn)
const icrq = is(0, MessageType.Icrq, word(AvpType.AssignedSessionId, 3), four(AvpType.CallSerialNumber))
const iccn = is(2, MessageType.Iccn, four(AvpType.TxConnectSpeed), four(AvpType.FramingType))
const cdn = is(2, MessageType.Cdn, word(AvpType.ResultCode, 3), word(AvpType.AssignedSessionId, 3))
const stop = is(0, MessageType.StopCcn, word(AvpType.ResultCode, 6), word(AvpType.AssignedTunnelId, 5))
const dictionary = [
  ...Object.values(AvpType).map(type => word(type, 1)),
  ...Object.values(MessageType).map(type => word(0, type)),
  ...['c802', '0802', '8008', '800a', 'c008', '0008', '0009', '0137', 'ffff', '0000'].map(h => fromHex(h)),
]

export const l2tpTargets: readonly Target[] = [
  {
    name: 'l2tp-message',
    seeds: dialogue,
    dictionary,
    covers: ['/src/l2tp/', '/src/packet/'],
    run: l2tpMessage,
  },
  {
    name: 'l2tp-endpoint',
    seeds: () => [
      several([sccrq, scccn, icrq, iccn, cdn, stop]),
      several([sccrq, scccn, icrq, icrq, iccn, is(0, MessageType.Hello), stop, sccrq]),
      several([sccrq, sccrq, scccn, scccn]),
      several(dialogue().map(b => join(Uint8Array.of(3), b))),
    ],
    dictionary: [...dictionary, sccrq, scccn, icrq, iccn],
    covers: ['/src/l2tp/'],
    run: l2tpEndpoint,
  },
]
