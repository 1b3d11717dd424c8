/** What a seed stands for: who is there, behind what, and how rough it gets. */

import type { Millis } from '../../src/machine.ts'
import { formatIpv4, type Ipv4, ipv4 } from '../../src/packet/ip.ts'
import type { Rng } from '../fuzz/random.ts'
import type { DeleteForm } from '../support/ike-client.ts'
import { SERVICES } from '../support/memory-gateway.ts'
import { profiles, type VpnProfile } from '../support/profiles.ts'
import { libreswanGcm, strongSwanGcm } from '../support/unix-profiles.ts'
import { anyQuality, type LinkQuality, PERFECT } from './link.ts'
import type { NatKind } from './nat.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** The longest that a client without keepalives of its own is silent. */
const SILENCE_MILLIS = MINUTE

const ORDERLY: readonly DeleteForm[] = ['each', 'together']

export interface PlannedHouse {
  readonly profile: VpnProfile
  readonly user: string
  readonly password: string
  /** False for one who tries with a wrong password. */
  readonly welcome: boolean
  readonly address: Ipv4
  /** Index of its NAT, or undefined for none. */
  readonly nat: number | undefined
  readonly sameTunnelId: boolean
  readonly deletes: DeleteForm
  readonly quality: LinkQuality
}

export interface Plan {
  readonly houses: readonly PlannedHouse[]
  readonly nats: readonly { readonly kind: NatKind; readonly timeout: Millis }[]
  readonly workers: number
  /** The gateway itself is behind a NAT that hands its two ports through. */
  readonly serverBehindNat: boolean
  readonly forceEncapsulation: boolean
  readonly script: string
  /** How long things happen, how far apart in the mean, and whether anything but traffic does. */
  readonly roughMillis: Millis
  readonly gapMillis: Millis
  readonly quiet: boolean
  /** How long all is well afterwards, and every ping has to arrive. */
  readonly calmMillis: Millis
  /** Whether everybody stays for a day. */
  readonly marathon: boolean
  /** Whether in the end the operator, the clients and the gateway itself hang up in order, and each has to hear of it. */
  readonly partings: boolean
}

export function planOf(rng: Rng): Plan {
  const quiet = rng.chance(10)
  const count = 1 + rng.below(5)
  const nats = Array.from({ length: 1 + rng.below(2) }, () => ({
    kind: rng.pick(['cone', 'symmetric'] as const),
    timeout: rng.pick([25_000, 45_000, 120_000, 600_000]),
  }))
  const houses = Array.from({ length: count }, (_, i): PlannedHouse => {
    const profile = variant(rng.pick(Object.values(profiles)), i)
    const drawn = rng.chance(80) ? rng.below(nats.length) : undefined
    const nat = drawn !== undefined && mayLiveBehind(profile, nats[drawn]!.timeout) ? drawn : undefined
    return {
      profile,
      user: `user${i}`,
      password: `word${i}`,
      welcome: count === 1 || !rng.chance(7),
      // Behind NATs many houses have the same address.
      address: nat === undefined ? ipv4('198.51.100.10') + i : ipv4('192.168.1.2') + (rng.chance(50) ? 0 : i),
      nat,
      sameTunnelId: rng.chance(60),
      deletes: rng.pick(quiet ? ORDERLY : [...ORDERLY, 'isakmpFirst', 'none']),
      quality: quiet || rng.chance(20) ? PERFECT : anyQuality(rng),
    }
  })
  const fixed = new Set(houses.flatMap((_, i) => (rng.chance(25) ? [i] : [])))
  return {
    houses,
    nats,
    workers: 1 + rng.below(3),
    serverBehindNat: rng.chance(20) && houses.every(h => h.profile.natTraversal),
    forceEncapsulation: rng.chance(15) && houses.every(h => h.profile.natTraversal),
    script: script(houses, fixed, count + rng.below(3), rng),
    roughMillis: rng.chance(15) ? rng.below(3 * HOUR) : MINUTE + rng.below(10 * MINUTE),
    gapMillis: 2000 + rng.below(40_000),
    quiet,
    marathon: rng.chance(5),
    partings: true,
    calmMillis: rng.chance(15) ? 2 * HOUR + rng.below(HOUR) : MINUTE,
  }
}

/** Linux clients in every other house are set by hand: the same in all but what they offer for ESP. */
function variant(profile: VpnProfile, house: number): VpnProfile {
  if (house % 2 === 0) return profile
  if (profile === profiles.strongswan) return strongSwanGcm
  return profile === profiles.libreswan ? libreswanGcm : profile
}

/** Whether such a client can stay connected behind a NAT that forgets unused mappings after `timeout`. */
export function mayLiveBehind(profile: VpnProfile, timeout: Millis): boolean {
  return profile.natTraversal && (profile.keepaliveMillis !== undefined || timeout > SILENCE_MILLIS)
}

/** The same plan, with few clients, much trouble and no hours in it: for a test that plays many. */
export function brief(plan: Plan): Plan {
  return {
    ...plan,
    houses: plan.houses.slice(0, 3),
    roughMillis: Math.min(plan.roughMillis, 3 * MINUTE),
    gapMillis: Math.min(plan.gapMillis, 4000),
    calmMillis: Math.min(plan.calmMillis, MINUTE),
    marathon: false,
  }
}

/** What some offices set: short lives of SAs, in seconds and in kilobytes, and no DELETEs. */
function limits(rng: Rng): string {
  const lines = []
  if (rng.chance(15)) lines.push(`set ipsec bundlespecification=1 expirykbytes=${rng.pick([60, 300, 2000])}`)
  if (rng.chance(15)) lines.push(`set ipsec bundlespecification=1 expiryseconds=${rng.pick([300, 900, 2400])}`)
  if (rng.chance(15)) lines.push(`set isakmp policy=roaming1 expiryseconds=${rng.pick([600, 1200, 3600])}`)
  if (rng.chance(10)) lines.push('set isakmp policy=roaming1 senddeletes=false')
  return lines.map(line => `${line}\n`).join('')
}

/** An office gateway with these users, some of them with an address of their own, and a pool for the others. */
function script(houses: readonly PlannedHouse[], fixed: ReadonlySet<number>, pool: number, rng: Rng): string {
  const users = houses.map(({ user, password }, i) => {
    const address = fixed.has(i) ? ` ipaddress=${formatIpv4(ipv4('192.168.8.50') + i)}` : ''
    return `add user=${user} password=${password} login=no${address}`
  })
  return `
set system name=Gate
${users.join('\n')}
create ip pool=callers ip=192.168.8.100-${formatIpv4(ipv4('192.168.8.100') + pool - 1)}
create ppp template=1 ippool=callers authentication=${rng.pick(['chap', 'either'])} echo=30
${SERVICES}create ipsec saspecification=3 keymanagement=isakmp protocol=esp encalg=aesgcm256 mode=transport
create ipsec saspecification=4 keymanagement=isakmp protocol=esp encalg=aesgcm128 mode=transport
set ipsec bundlespecification=1 string="3 or 4 or 1 or 2"
${limits(rng)}`
}
