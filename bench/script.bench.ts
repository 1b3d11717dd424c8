/**
 * What a script costs to load: the vendor's note, and a long one of firewall rules. Reading it into a configuration, and the
 * workers' rules and the kernel's table made of that (what nft then takes is not in it). The first time is told apart: it is
 * what a start pays, before anything is compiled.
 */

import { readFileSync } from 'node:fs'
import { difference } from '../src/alliedware/difference.ts'
import { readScript } from '../src/alliedware/script.ts'
import { writeScript } from '../src/alliedware/write.ts'
import { buildRuleset } from '../src/firewall/compile.ts'
import { nftablesTable } from '../src/firewall/nftables.ts'
import { ipsecLists } from '../src/gateway/translate.ts'
import { ipv4 } from '../src/packet/ip.ts'
import { note as noteRow } from './rows.ts'

const ROUNDS = 50
const RULES = 1000

const values = {
  'your password': 'correct horse',
  'YOUR private DNS  server address, if applicable': '192.168.8.1',
  'office private LAN address': '192.168.8.254',
  'interconnect LAN address': '203.0.113.1',
  'appropriate mask': '255.255.255.248',
  'your NAT gateway or ISP next-hop address': '203.0.113.6',
  'x.x.x.x-x.x.x.x': '192.168.8.60-192.168.8.99',
  'Office Internet Address': '203.0.113.1',
  'secoff password': 'battery staple',
  'trusted remote ip address': '198.51.100.9',
}
const note = readFileSync('test/alliedware/fixtures/ar450s-note.cfg', 'utf8')
const long = [
  'enable firewall',
  'create firewall policy=main',
  'add firewall policy=main interface=vlan1 type=private',
  'add firewall policy=main interface=eth0 type=public',
  ...Array.from(
    { length: RULES },
    (_, i) =>
      `add firewall policy=main rule=${i + 1} interface=eth0 action=allow protocol=tcp port=${1000 + i} remoteip=198.51.${i >> 8}.${i & 255}`,
  ),
].join('\n')

const around = {
  interfaces: [
    { name: 'vlan1', device: 'lan0', address: ipv4('192.168.8.1'), mask: ipv4('255.255.255.0') },
    { name: 'eth0', device: 'pub0', address: ipv4('203.0.113.1'), mask: ipv4('255.255.255.0') },
  ],
  routes: [],
  own: [ipv4('192.168.8.1')],
  workers: 2,
}

/** Milliseconds: the first time, and the best of many, which a busy machine disturbs least. */
function measured(run: () => unknown): readonly [first: number, best: number] {
  const times = Array.from({ length: ROUNDS }, () => {
    const start = performance.now()
    run()
    return performance.now() - start
  })
  return [times[0]!, Math.min(...times)]
}

const shown = (ms: number) => `${ms.toFixed(2).padStart(9)} ms`

for (const [name, text] of [
  ['the note', note],
  [`${RULES} firewall rules`, long],
] as const) {
  const read = measured(() => readScript(text, { values, keys: [1] }))
  const { configuration: c, faults } = readScript(text, { values, keys: [1] })
  const wrong = faults.filter(f => f.severity === 'error')
  if (wrong.length > 0) throw new Error(wrong.map(f => f.text).join('\n'))
  const written = writeScript(c)
  const commands = written.split('\n').filter(line => line !== '' && !line.startsWith('#')).length
  const rows: readonly (readonly [string, readonly [number, number]])[] = [
    ['read', read],
    ['rules for the workers', measured(() => buildRuleset(c.firewall, around))],
    [
      'table for the kernel',
      measured(() =>
        nftablesTable({
          firewall: c.firewall,
          ipsec: ipsecLists(c),
          interfaces: around.interfaces,
          devices: { vlan1: 'lan0', eth0: 'pub0' },
          owned: [],
          ports: [500, 4500],
          tableName: 'bench',
          tunDevice: 'fg0',
          sessions: [],
        }),
      ),
    ],
    ['written back', measured(() => writeScript(c))],
    ['compared with itself', measured(() => difference(c, c))],
  ]
  console.log(`${name}: ${commands} commands, ${c.inert.length} waiting`)
  console.log(`  ${''.padEnd(24)}${'first'.padStart(12)}${'best'.padStart(12)}`)
  for (const [what, [first, best]] of rows) {
    console.log(`  ${what.padEnd(24)}${shown(first)}${shown(best)}`)
    noteRow({ what: `${name}, ${what}, first time`, value: first, unit: 'ms' })
    noteRow({ what: `${name}, ${what}, best`, value: best, unit: 'ms' })
  }
  console.log(`  ${((1000 * read[1]) / commands).toFixed(0)} µs for each command read`)
}
