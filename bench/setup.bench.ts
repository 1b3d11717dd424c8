/**
 * What a set-up costs the gateway, from Main Mode's first message to IPCP's last: beside what its Diffie-Hellman, its
 * HMACs, its ciphers and the ESP of its packets cost by themselves in the same process. `--clients=N`
 * connect, 100 otherwise.
 */

import { loadNative } from '../src/gateway/native.ts'
import { NativeArithmetic } from '../src/gateway/native-arithmetic.ts'
import { computeBy } from '../src/ike/arithmetic.ts'
import { type VpnProfile, windows10, windowsXp } from '../test/support/profiles.ts'
import { kinds, RecordedCrypto } from './recorded-crypto.ts'
import { RecordedSetups } from './recorded-setups.ts'
import { note } from './rows.ts'

const clients = Number(process.argv.find(a => a.startsWith('--clients='))?.slice('--clients='.length) ?? 100)
/** Rounds until one is the best that so many others did not beat: a gateway that has run for a while is compiled. */
const PATIENCE = 16
const MOST_ROUNDS = 100

const offering = (profile: VpnProfile, group: number): VpnProfile => {
  const offers = (profile.ike.offers ?? []).filter(o => o.group === group)
  return { ...profile, ike: { ...profile.ike, offers } }
}

const scenes = [
  { name: 'Windows XP, 3DES, group 2', profile: offering(windowsXp, 2) },
  { name: 'Windows XP, 3DES, group 14', profile: offering(windowsXp, 14) },
  { name: 'Windows 10, AES-256, group 20', profile: offering(windows10, 20) },
]

/** Seconds of processor time, the best of as many rounds as it takes. */
function best(run: () => number): number {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0, since = 0; round < MOST_ROUNDS && since < PATIENCE; round++, since++) {
    const seconds = run()
    if (seconds >= least) continue
    least = seconds
    since = 0
  }
  return least
}

function timed(run: () => void): number {
  const before = process.cpuUsage()
  run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

const milliseconds = (seconds: number) => `${((1000 * seconds) / clients).toFixed(3).padStart(8)} ms`

computeBy(new NativeArithmetic(loadNative()))
console.log(`${clients} clients connect, processor time for each`)
for (const { name, profile } of scenes) {
  const setups = new RecordedSetups(profile, clients)
  const whole = best(() => setups.play())
  const recorded = new RecordedCrypto(() => setups.play())
  console.log(`\n${name}`)
  console.log(
    `  all of it           ${milliseconds(whole)}  ${(clients / whole).toFixed(0)} set-ups/s, ${setups.datagramsEach.toFixed(0)} datagrams each`,
  )
  let arithmetic = best(() => setups.playEsp())
  console.log(`  ESP                 ${milliseconds(arithmetic)}`)
  for (const kind of kinds) {
    const again = recorded.again(kind)
    const alone = best(() => timed(again))
    arithmetic += alone
    console.log(`  ${kind.padEnd(20)}${milliseconds(alone)}  ${(recorded.count(kind) / clients).toFixed(1)} calls`)
  }
  const share = arithmetic / whole
  note({ what: name, value: clients / whole, unit: 'set-ups/s', ratio: share, against: 'its arithmetic alone' })
  console.log(`  share: ${(100 * share).toFixed(0)} % of what its arithmetic alone would allow`)
}
