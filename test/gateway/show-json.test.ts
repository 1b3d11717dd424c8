/** Every SHOW of the command table, with each of its parameters, answers as text and as data, and neither holds a secret. */

import { describe, expect, it } from 'vitest'
import type { CommandEntry } from '../../src/alliedware/grammar.ts'
import { commandTable } from '../../src/alliedware/table.ts'
import type { AdminAnswer } from '../../src/gateway/caller.ts'
import { perform } from '../../src/gateway/operator-commands.ts'
import { Pki } from '../../src/gateway/pki.ts'
import { flashWorld } from './operators.ts'
import { anna } from './world.ts'

/** A value for each object and parameter that wants one, of a gateway with one client. */
const VALUES: Readonly<Record<string, string>> = {
  'isakmp sa': '1',
  'isakmp policy': 'roaming1',
  'isakmp counter': 'main',
  'ipsec sa': '0',
  'ipsec policy': 'roaming',
  ppp: '0',
  'ppp template': '1',
  user: 'anna',
  session: '1',
  'firewall policy': 'main',
  'firewall event': 'deny',
  'enco key': '1',
  alias: 'who',
  counter: 'ike',
  'log output': 'temporary',
  file: 'boot.cfg',
  'ip pool': 'callers',
  'ip interface': 'vlan1',
  'ip route': '192.168.8.50',
  attempt: '1',
  log: 'temporary',
  'ipsec saspecification': '1',
  'ipsec bundlespecification': '1',
}
const ARGUMENTS: Readonly<Record<string, string>> = {
  tail: '5',
  reverse: '5',
  module: 'USER',
  severity: '>=3',
  type: 'AUTH',
  user: 'anna',
  peer: '203.0.113.101',
  ip: '192.168.8.1',
  port: '53',
  protocol: 'udp',
  policy: 'main',
  rule: '1',
  limitrule: '1',
  dynamic: 'ip,user',
  active: 'isakmp',
}
/** What does not exist in that gateway, or in any, and is refused for it. */
const ABSENT = [
  'show isakmp exchange=',
  'show firewall session=',
  'show firewall monitor',
  'show firewall sessionreport',
  'show l2tp tunnel=',
  'show l2tp call=',
]
const SECRETS = ['apples', 'bananas', 'cherries', 'roam-free-2005', 'seven-seals', 'many-hands', 'hush']

const shows = commandTable.filter(e => e.verb === 'show')

function commands(e: CommandEntry): string[] {
  const words = e.path.map(w => w.name).join(' ')
  const value = VALUES[words]
  const bare = e.path.some(w => w.value === 'required') ? [] : [`show ${words}`]
  const named = value === undefined ? [] : [`show ${words}=${value}`]
  const parameters = e.parameters.flatMap(p => {
    const given = ARGUMENTS[p.name]
    const typed = [
      ...(p.type.bare === undefined ? [] : [p.name]),
      ...(p.type.bare === 'always' || given === undefined ? [] : [`${p.name}=${given}`]),
    ]
    return typed.flatMap(word => [...bare, ...named].map(head => `${head} ${word}`))
  })
  return [...bare, ...named, ...parameters].filter(c => !e.needs.length || e.needs.every(n => c.includes(n)))
}

/** A gateway with a client, and secrets of every kind. */
async function gateway() {
  const w = await flashWorld()
  w.flash.write('boot.cfg', 'add user=x password=hush login=no\n')
  w.world.connect(w.world.guest(anna))
  const system = () => ({
    name: 'Gate',
    version: '1.0.0',
    uptimeSeconds: 1,
    workers: 1,
    crypto: 'none',
    listening: ['UDP 500'],
    tun: 'fg0',
    offloads: '',
    warnings: [],
  })
  const world = { ...w.commands, files: w.files, system, pki: new Pki(w.state, () => new Date()) }
  const type = (text: string) => perform(world, w.root, text)
  await type('add alias=bob string="add user=bob password=hush login=no"')
  await type('add radius server=192.0.2.1 secret=hush')
  await type('add ssh user=secoff password=hush')
  return type
}

/** What is wrong with an answer; nothing where all is well. */
function faultOf(command: string, { exit, text, data }: AdminAnswer): string[] {
  const wrong = (why: string) => [`${command}: ${why}: ${text.slice(0, 200)}`]
  if (ABSENT.some(a => command.startsWith(a))) return exit === 1 ? [] : wrong('is no refusal')
  if (exit !== 0) return wrong(`exits with ${exit}`)
  if (text.trim() === '') return wrong('has no text')
  if (data === undefined || data === null || typeof data !== 'object') return wrong('has no data')
  const told = text + JSON.stringify(data)
  return SECRETS.filter(secret => told.includes(secret)).flatMap(secret => wrong(`tells ${secret}`))
}

describe('SHOW', () => {
  it('answers as text and as data, whatever it is about, and tells no secret', async () => {
    const all = [...new Set(shows.flatMap(commands))]
    // The search itself works.
    expect(shows.length).toBeGreaterThan(50)
    expect(all.length).toBeGreaterThan(120)
    const type = await gateway()
    const faults: string[] = []
    for (const command of all) faults.push(...faultOf(command, await type(command)))
    expect(faults).toEqual([])
  })
})
