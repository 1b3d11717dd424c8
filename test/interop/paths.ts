/** Scenarios of paths that carry less than 1500 bytes at a time. */
import { gatewayPublic, natInside } from '../support/plan.ts'
import type { Client } from './client.ts'
import { download, expect, expectPings, type Scenario, type Stage, upload } from './expectations.ts'
import { aes128, tripleDes } from './settings.ts'

/** Packets that fill the tunnel and may not be fragmented inside it, then megabytes: nothing may stall. */
async function fill(client: Client): Promise<string> {
  const mtu = Number(await client.must('cat /sys/class/net/ppp0/mtu'))
  await expectPings(client, 5, `-M do -s ${mtu - 28}`)
  await expectPings(client, 5, '-M dont -s 4000')
  const down = await download(client, 2_000_000)
  const upward = await upload(client, 2_000_000)
  return `${mtu} inside, ${down.toFixed(0)} down, ${upward.toFixed(0)} up`
}

/** The router before the client has narrow links on both sides, then the gateway itself has one. */
async function narrowPath({ world, c1, c3 }: Stage): Promise<string> {
  const { network } = world
  const figures: string[] = []
  const narrow = async (client: Client, way: string) => {
    await client.connect(client === c1 ? aes128 : tripleDes)
    figures.push(`${way} ${await fill(client)}`)
    expect(await client.disconnect(), `${client.name} could not leave cleanly`)
    await client.must('ip route flush cache')
  }
  const routes = async (mtu: string) => {
    await network.ip('nat', `route replace ${subnet(gatewayPublic)} dev out0 scope link${mtu}`)
    await network.ip('nat', `route replace ${subnet(natInside)} dev br0 scope link${mtu}`)
  }
  try {
    for (const mtu of [1400, 1280]) {
      await routes(` mtu ${mtu}`)
      await narrow(c1, `router ${mtu}`)
    }
    await routes('')
    // A gateway whose own line is narrow, as with PPPoE. Its provider's router fragments towards it; on this wire the
    // other ends have to, for a device takes no more than its MTU.
    await network.ip('gw', 'link set pub0 mtu 1280')
    await routes(' mtu 1280')
    await narrow(c1, 'gateway 1280 in UDP')
    await clientRoute(c3, ' mtu 1280')
    await narrow(c3, 'gateway 1280 bare')
  } finally {
    await routes('')
    await network.ip('gw', 'link set pub0 mtu 1500')
    await clientRoute(c3, '')
  }
  return `Mbit/s: ${figures.join('; ')}`
}

async function clientRoute(client: Client, mtu: string): Promise<void> {
  const way = await client.must(`ip -o route get ${gatewayPublic}`)
  const device = / dev (\S+)/.exec(way)![1]
  await client.must(`ip route replace ${subnet(gatewayPublic)} dev ${device} scope link${mtu}`)
}

const subnet = (address: string) => address.replace(/\d+$/, '0/24')

export const pathScenarios: readonly Scenario[] = [
  {
    name: 'narrow-path',
    about:
      'links of 1400 and 1280 bytes on the way and at the gateway: full pings that may not be fragmented, downloads',
    play: narrowPath,
    beyondReference: "its outward device is a guest's",
  },
]
