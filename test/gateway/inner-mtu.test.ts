/** What a session's packets may have in length: the largest that is promised fits the path, with sequence numbers of L2TP, too. */

import { expect, it } from 'vitest'
import { avp } from '../../src/l2tp/avp.ts'
import { AvpType } from '../../src/l2tp/constants.ts'
import { emitIpv4, IpProtocol, ipv4 } from '../../src/packet/ip.ts'

import { windowsXp } from '../support/profiles.ts'
import { LAN_HOST, World } from './world.ts'

const PATH = 1280
const OUTER_HEADERS = 20 + 8

it.each([
  ['plain', false, 1202],
  ['with sequence numbers', true, 1200],
])('a packet of the session’s MTU, %s, fills the path and no more', (_, sequenced, expected) => {
  const w = new World()
  Object.assign(w.control.world.network, { publicMtu: PATH })
  const { lac } = windowsXp
  const iccn = () => [...lac.iccn(), ...(sequenced ? [avp(AvpType.SequencingRequired, new Uint8Array(0))] : [])]
  const guest = w.guest({
    ...{ profile: { ...windowsXp, lac: { ...lac, iccn } }, user: 'anna', password: 'apples' },
    ...{ address: ipv4('10.0.0.5'), outer: ipv4('203.0.113.101') },
  })
  w.connect(guest)
  const mtu = w.routes.get(guest.client.address)!.mtu
  expect(mtu).toBe(expected)
  const sizes: number[] = []
  guest.pass = (direction, port, bytes) => {
    if (direction === 'down' && port === 4500) sizes.push(bytes.length + OUTER_HEADERS)
    return true
  }
  const payload = new Uint8Array(mtu - 20)
  w.fromLan(emitIpv4({ source: LAN_HOST, destination: guest.client.address, protocol: IpProtocol.Udp, payload }))
  expect(guest.received.map(packet => packet.length)).toEqual([mtu])
  expect(sizes).toEqual([PATH])
})
