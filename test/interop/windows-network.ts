/** How a Windows guest is plugged in: a TAP device in its segment, and DHCP, by which every Windows asks as it comes. */
import { natInside } from '../support/plan.ts'
import { requireProgram } from './rootfs.ts'
import type { World } from './world.ts'

export type Segment = 'nat' | 'pub'

export interface Card {
  readonly segment: Segment
  readonly tap: string
  readonly mac: string
}

const mostGuests = 20
const mac = (number: number) => `52:54:00:fa:57:${number.toString(16).padStart(2, '0')}`
const segments = {
  nat: { address: (number: number) => `10.1.0.${30 + number}`, subnet: '10.1.0.0', router: natInside },
  // Without a router, as the other guests there.
  pub: { address: (number: number) => `203.0.113.${60 + number}`, subnet: '203.0.113.0', router: '' },
} as const
const pubHost = '203.0.113.254'

/** What was made in a world, by name: each is made once. */
const made = new WeakMap<World, Map<string, Promise<void>>>()

async function once(world: World, name: string, make: () => Promise<void>): Promise<void> {
  let things = made.get(world)
  if (things === undefined) made.set(world, (things = new Map()))
  let thing = things.get(name)
  if (thing === undefined) things.set(name, (thing = make()))
  await thing
}

/** The card of guest `number` (from 1 on) in a segment, which has DHCP for it. */
export async function plug(world: World, segment: Segment, number: number): Promise<Card> {
  if (number < 1 || number > mostGuests) throw new Error(`${mostGuests} such guests at most`)
  const tap = `w${number}${segment}`
  await once(world, segment, () => startDhcp(world, segment))
  await once(world, tap, async () => {
    await world.network.ip(segment, `tuntap add dev ${tap} mode tap`)
    await world.network.ip(segment, `link set ${tap} up master br0`)
  })
  return { segment, tap, mac: mac(number) }
}

async function startDhcp(world: World, segment: Segment): Promise<void> {
  await requireProgram('dnsmasq', 'dnsmasq-base', line => process.stderr.write(`interop: ${line}\n`))
  const { address, subnet, router } = segments[segment]
  if (segment === 'pub') await world.network.ip('pub', `address add ${pubHost}/24 dev br0`)
  const hosts = Array.from({ length: mostGuests }, (_, i) => `--dhcp-host=${mac(i + 1)},${address(i + 1)}`)
  const { directory } = world.network
  world.network.start(
    segment,
    `dhcp-${segment}`,
    'dnsmasq',
    ...[
      ...['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root', '--log-facility=-', '--log-dhcp'],
      ...['--interface=br0', '--bind-interfaces', `--dhcp-leasefile=${directory}/dhcp-${segment}.leases`],
      ...[`--pid-file=${directory}/dhcp-${segment}.pid`, `--dhcp-range=${subnet},static,255.255.255.0,1h`],
      ...[`--dhcp-option=3${router === '' ? '' : `,${router}`}`, '--dhcp-authoritative', ...hosts],
    ],
  )
}
