/**
 * What a set-up costs the gateway, from Main Mode's first message to IPCP's last: beside what its Diffie-Hellman, its
 * HMACs, its ciphers and the ESP of its packets cost by themselves in the same process, as the gateway computes them and
 * as OpenSSL does: node:crypto for IKE's part, and for ESP OpenSSL called from C, a packet at a time. `--clients=N`
 * connect, 100 otherwise.
 */

import { collectWithoutHelp } from '../src/gateway/collector.ts'
import { type CryptoName, loadNative } from '../src/gateway/native.ts'
import { NativeArithmetic } from '../src/gateway/native-arithmetic.ts'
import { type Arithmetic, computeBy } from '../src/ike/arithmetic.ts'
import { nodeArithmetic } from '../src/ike/node-arithmetic.ts'
import { type VpnProfile, windows10, windowsXp } from '../test/support/profiles.ts'
import { kinds, RecordedCrypto } from './recorded-crypto.ts'
import { RecordedSetups } from './recorded-setups.ts'
import { note } from './rows.ts'

const clients = Number(process.argv.find(a => a.startsWith('--clients='))?.slice('--clients='.length) ?? 100)
/** Rounds until one is the best that so many others did not beat: a gateway that has run for a while is compiled. */
const PATIENCE = 16
const MOST_ROUNDS = 100
/** Parts in which a gateway's clients come: all are up before the first's HELLO is due. */
const PARTS = 20
/** Gateways, of each of which every part but the first and the last is a round. */
const PATIENCE_OF_GATEWAYS = 4

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
function best(run: () => number, patience = PATIENCE): number {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0, since = 0; round < MOST_ROUNDS && since < patience; round++, since++) {
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

const percent = (share: number) => `${(100 * share).toFixed(0)} %`
const milliseconds = (seconds: number) => `${((1000 * seconds) / clients).toFixed(3).padStart(8)} ms`

/** The arithmetic of a set-up by itself, in seconds. */
function alone(setups: RecordedSetups, by: Arithmetic, crypto?: CryptoName): number {
  computeBy(by)
  const recorded = new RecordedCrypto(() => setups.play())
  let sum = best(() => setups.playEsp(crypto))
  console.log(`    ESP                 ${milliseconds(sum)}`)
  for (const kind of kinds) {
    const again = recorded.again(kind)
    const seconds = best(() => timed(again))
    sum += seconds
    console.log(`    ${kind.padEnd(20)}${milliseconds(seconds)}  ${(recorded.count(kind) / clients).toFixed(1)} calls`)
  }
  console.log(`    together            ${milliseconds(sum)}`)
  return sum
}

// V8 as the gateway has it.
collectWithoutHelp()
const ours = new NativeArithmetic(loadNative())
console.log(`${clients} clients connect, processor time for each`)
for (const { name, profile } of scenes) {
  computeBy(ours)
  const setups = new RecordedSetups(profile, clients)
  const many = new RecordedSetups(profile, PARTS * clients, PARTS)
  const whole = best(() => Math.min(...many.play().slice(1, -1)), PATIENCE_OF_GATEWAYS)
  console.log(`\n${name}`)
  console.log(
    `  all of it             ${milliseconds(whole)}  ${(clients / whole).toFixed(0)} set-ups/s, ${setups.datagramsEach.toFixed(0)} datagrams each`,
  )
  console.log('  its arithmetic alone, as the gateway computes it')
  const share = alone(setups, ours) / whole
  console.log('  the same by OpenSSL')
  const byOpenssl = alone(setups, nodeArithmetic, 'openssl') / whole
  const row = { value: clients / whole, unit: 'set-ups/s' }
  note({ what: name, ...row, ratio: share, against: 'its arithmetic alone' })
  note({ what: `${name}, beside OpenSSL`, ...row, ratio: byOpenssl, against: 'its arithmetic by OpenSSL alone' })
  console.log(
    `  its rate is ${percent(share)} of what its arithmetic alone would allow, and ${percent(byOpenssl)} of it by OpenSSL's`,
  )
}
