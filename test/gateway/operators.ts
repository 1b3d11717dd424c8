/** A gateway in memory with accounts, and operators on it, in virtual time. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { namesOf } from '../../src/alliedware/names.ts'
import { Flash } from '../../src/gateway/flash.ts'
import { Log } from '../../src/gateway/log.ts'
import { Access } from '../../src/gateway/login.ts'
import { Operator } from '../../src/gateway/operator.ts'
import { helpFile, type OperatorWorld, perform, understood } from '../../src/gateway/operator-commands.ts'
import { Terminals } from '../../src/gateway/terminals.ts'
import { Screen } from '../support/screen.ts'
import { temporaryDirectory } from './fakes.ts'
import { OFFICE, World } from './world.ts'

export const ACCOUNTS = [
  'set user securedelay=60',
  'add user=secoff password=seven-seals privilege=securityofficer login=yes',
  'add user=mgr password=many-hands privilege=manager login=yes',
  'add user=guest password=no-rights login=yes',
  'add alias=who string="show session"',
]

export async function operatorWorld() {
  const world = new World()
  const lines: string[] = []
  const log = new Log(line => lines.push(line))
  const clock = { now: 1_000_000 }
  const access = new Access({
    configuration: () => world.control.configuration,
    mode: world.secrets,
    now: () => clock.now,
    log,
  })
  const commands: OperatorWorld = {
    control: world.control,
    secrets: world.secrets,
    log,
    system: () => {
      throw new Error('a bug that the test asks for')
    },
    moreCounters: () => ({}),
    configure: async configuration => {
      world.control.configure(configuration)
      return []
    },
    access,
    operators: () => terminals.operators(),
    sshState: () => 'disabled',
    keysChanged: async () => [],
  }
  const terminals: Terminals = new Terminals({
    access,
    configuration: () => world.control.configuration,
    helpFile: () => helpFile(commands),
    names: () => namesOf(world.control.configuration, { file: () => ['boot.cfg', 'vpn.cfg'] }),
    now: () => clock.now,
    understood: text => understood(commands, text),
    perform: (operator, text, own) => perform(commands, operator, text, own),
  })
  onTestFinished(() => terminals.close(() => true))
  const operator = (who: { trusted?: boolean; account?: string } = {}, place = 'here') =>
    new Operator({ access, place, since: new Date(0), now: clock.now, source: { uid: 7, pid: 8 }, ...who })
  const root = operator({ trusted: true })
  const type = (o: Operator, text: string) => perform(commands, o, text)
  for (const text of ACCOUNTS) await type(root, text)
  lines.length = 0
  return { world, commands, access, terminals, clock, lines, log, operator, root, type }
}

/** The same with flash and a script to start with, in a directory of its own. */
export async function flashWorld(fixed = false) {
  const state = temporaryDirectory()
  const w = await operatorWorld()
  const flash = new Flash(state)
  const script = join(state, 'gateway.cfg')
  writeFileSync(script, OFFICE, { mode: 0o600 })
  const files = {
    flash,
    running: script,
    fixed,
    places: (name?: string) => ({
      script: name === undefined ? (flash.boot ?? script) : flash.path(name),
      site: join(state, 'site.json'),
      siteGiven: false,
    }),
    stored: () => ({ keys: [1], users: w.world.secrets.allUsers(), file: (name: string) => flash.read(name) }),
  }
  const commands = { ...w.commands, files, wall: () => new Date(Date.UTC(2026, 1, 3, 4, 5, 6)) }
  const type = (text: string, operator: Operator = w.root) => perform(commands, operator, text)
  const configuration = () => w.world.control.configuration
  const done = async (text: string) => {
    const answer = await type(text)
    expect(answer.exit, answer.text).toBe(0)
    return answer
  }
  return { ...w, state, script, flash, files, type, done, configuration }
}

/** A terminal of that world with somebody's eyes on it. */
export async function sitDown(
  w: Awaited<ReturnType<typeof operatorWorld>>,
  operator: Operator,
  { columns = 79, rows = 24 } = {},
) {
  const screen = new Screen(columns, rows)
  const state = { closed: false }
  const end = w.terminals.start(
    operator,
    {
      write: text => screen.write(text),
      close: () => {
        state.closed = true
      },
    },
    columns,
    rows,
  )
  /** Types, and waits until what it asks for is done. */
  const keys = async (text: string) => {
    end?.keys(text)
    for (let i = 0; i < 20; i++) await Promise.resolve()
    await new Promise(resolve => setImmediate(resolve))
  }
  return { screen, state, keys, end }
}
