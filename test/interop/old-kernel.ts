/**
 * The gateway on Debian's own kernel in QEMU, whose TUN device takes no UDP super-segments (before Linux 6.2): what the LAN's
 * card merges there is cut again before the device, and every datagram has to arrive as it was sent.
 */

import assert from 'node:assert/strict'
import { EmulatedGateway, requireParts } from '../../bench/emulated-gateway.ts'
import { giveCards, SOCKET, startFloatgate } from '../../bench/emulated-office.ts'
import { must } from '../support/command.ts'
import { Office } from '../support/office.ts'
import { accounts } from '../support/plan.ts'
import { type Flow, playTrains, whole } from '../support/udp-trains.ts'
import { expect, type Scenario } from './expectations.ts'

const say = (line: string) => process.stderr.write(`interop: ${line}\n`)
/** An emulated machine is slow. */
const PATIENCE = 4
const CONNECT_MILLIS = 60_000

const kinds: readonly (readonly Flow[])[] = [
  // Odd sizes, a short last one, two flows in turn.
  [
    { port: 7001, count: 150, bytes: 1301, last: 77, checksum: true, pmtu: 2 },
    { port: 7002, count: 150, bytes: 499, last: 3, checksum: true, pmtu: 2 },
  ],
  // Without a checksum beside some with one.
  [
    { port: 7003, count: 60, bytes: 700, last: 701, checksum: false, pmtu: 2 },
    { port: 7004, count: 60, bytes: 700, last: 20, checksum: true, pmtu: 2 },
  ],
  // Larger than the link, and may be cut.
  [{ port: 7005, count: 40, bytes: 1450, last: 9, checksum: true, pmtu: 0 }],
]

async function trainsWithoutUso(): Promise<string> {
  const parts = await requireParts(say, false)
  const office = new Office()
  const { network } = office
  let machine: EmulatedGateway | undefined
  try {
    await office.raise(['c3'])
    const cards = await giveCards(network)
    machine = await EmulatedGateway.start({ parts, network, namespace: 'gw', name: 'gateway', cards })
    await startFloatgate(machine, parts, {})
    const offloads = await machine.must(
      `PATH=${machine.work}:$PATH LD_LIBRARY_PATH=${machine.work}/lib ${machine.work}/floatgate/bin/vpnctl --socket ${SOCKET} show system`,
    )
    expect(
      /TUN TSO UDP-GRO, .*LAN UDP-GRO/.test(offloads),
      `not a TUN device without USO and a LAN that merges:\n${offloads}`,
    )
    const client = office.dial('c3', accounts.dialin3, '--profile', 'win10')
    const address = await client.connected(CONNECT_MILLIS)
    const to = { namespace: 'c3', address }
    await must(network.inside('lan', 'ping', '-n', '-c', '1', '-W', '20', address))
    await machine.must(`nft -f - <<'END'
table inet trains {
  chain f { type filter hook forward priority 0; oifname "fg0" udp dport 7000-7999 counter; }
}
END`)
    let sent = 0
    for (const flows of kinds) {
      const { taken } = await playTrains(network, flows, to, PATIENCE)
      assert.deepEqual(taken, Object.fromEntries(flows.map(f => [f.port, whole(f)])))
      sent += flows.reduce((sum, f) => sum + f.count, 0)
    }
    // Larger than the link, and may not be cut, beside some that fit.
    const large: Flow = { port: 7006, count: 40, bytes: 1450, last: 1450, checksum: true, pmtu: 3 }
    const small: Flow = { port: 7007, count: 40, bytes: 900, last: 9, checksum: true, pmtu: 3 }
    const { taken, told } = await playTrains(network, [large, small], to, PATIENCE)
    const route = await machine.must(`ip route get ${address}`)
    expect(
      told !== '' && route.includes(`mtu ${told} `),
      `the sender was told of an MTU of ${told}, not of that in ${route}`,
    )
    assert.equal(taken[large.port]?.count, 0)
    assert.deepEqual(taken[small.port], whole(small))
    sent += large.count + small.count
    const trains = Number(/counter packets (\d+)/.exec(await machine.must('nft list table inet trains'))![1])
    // Or they were not merged at all, and this shows nothing.
    expect(trains < sent / 2, `nftables saw ${trains} of ${sent}: nothing was merged`)
    return `${sent} datagrams in ${trains} trains, on Linux ${parts.kernel.release}`
  } finally {
    await machine?.cutPower()
    await office.remove()
  }
}

export const oldKernelScenarios: readonly Scenario[] = [
  {
    name: 'trains-without-uso',
    about: "UDP merged by the LAN's card, on Debian's kernel in QEMU",
    play: trainsWithoutUso,
    apart: true,
  },
]
