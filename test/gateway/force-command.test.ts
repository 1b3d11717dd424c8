/** The host's own sshd with `ForceCommand vpnctl`, as docs/cli.md says: OpenSSH on both sides, the prompt behind it. */

import { spawn } from 'node:child_process'
import { chmodSync, chownSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { AdminSocket } from '../../src/gateway/admin.ts'
import { loadNative } from '../../src/gateway/native.ts'
import { Screen } from '../support/screen.ts'
import { noSshd, OPERATOR, startSshd } from '../support/sshd.ts'
import { temporaryDirectory } from './fakes.ts'
import { operatorWorld } from './operators.ts'

if (noSshd !== undefined) console.warn(`tests with the host's sshd are skipped: ${noSshd}`)

/** A gateway whose socket is open to the operator's group, behind an sshd that runs nothing but vpnctl. */
async function host() {
  const w = await operatorWorld()
  const directory = temporaryDirectory()
  const socket = join(directory, 'ctl.sock')
  const place = (uid: number) => `vpnctl (uid ${uid})`
  const admin = new AdminSocket(
    socket,
    loadNative(),
    (request, { uid }) => w.type(w.operator({ trusted: uid === 0 }, place(uid)), request.command),
    (wire, size, { uid }) =>
      w.terminals.start(w.operator({ trusted: uid === 0 }, place(uid)), wire, size.columns, size.rows),
    ({ uid }) => {
      const operator = w.operator({ trusted: uid === 0 }, place(uid))
      return { configuration: () => w.world.control.configuration, perform: text => w.type(operator, text) }
    },
  )
  await admin.listen()
  onTestFinished(() => admin.close())
  chownSync(socket, 0, OPERATOR.id)
  chmodSync(socket, 0o660)
  const sshd = await startSshd(directory, `{node} {root}/dist/src/vpnctl/main.js --socket ${socket}`)
  onTestFinished(() => sshd.stop())

  /** Runs the client; types each step when the screen shows what the one before waits for. */
  const ssh = (
    user: string,
    o: {
      command?: string
      input?: string
      steps?: readonly (readonly [wait: string, keys: string])[]
      shows?: (out: string) => void
    },
  ) =>
    new Promise<{ status: number | null; out: string; err: string }>((resolve, reject) => {
      const tty = o.steps ? ['-tt'] : ['-T']
      const args = [...sshd.client, ...tty, `${user}@127.0.0.1`, ...(o.command ? [o.command] : [])]
      const child = spawn('ssh', args, { timeout: 60_000 })
      let [out, err, seen] = ['', '', 0]
      const waiting = [...(o.steps ?? [])]
      child.stdout.on('data', data => {
        out += data
        o.shows?.(out)
        for (let step = waiting[0]; step; step = waiting[0]) {
          const at = out.indexOf(step[0], seen)
          if (at < 0) break
          seen = at + step[0].length
          child.stdin.write(step[1])
          waiting.shift()
        }
      })
      child.stderr.on('data', data => (err += data))
      child.on('error', reject)
      child.on('close', status => resolve({ status, out, err }))
      child.stdin.on('error', () => undefined)
      if (!o.steps) child.stdin.end(o.input ?? '')
    })
  return { ...w, ssh, sshd }
}

describe.skipIf(noSshd !== undefined)('an sshd with ForceCommand vpnctl', () => {
  it('gives a user of the group a login, and behind it the prompt of the account', async () => {
    const { ssh, lines } = await host()
    const { status, out, err } = await ssh(OPERATOR.name, {
      steps: [
        ['login: ', 'secoff\r'],
        ['Password: ', 'seven-seals\r'],
        ['SecOff Gate> ', 'sh us\t=sec\t\r'],
        ['Username: secoff', 'logoff\r'],
      ],
    })
    expect({ status, err }).toEqual({ status: 0, err: '' })
    expect(out.replaceAll('\x1b[K', '')).toContain('SecOff Gate> sh user=secoff')
    expect(out).not.toContain('seven-seals')
    expect(lines.join('\n')).toContain(`Login of secoff from vpnctl (uid ${OPERATOR.id})`)
  })

  it('carries out a command for root alone, with its data and exit status', async () => {
    const { ssh } = await host()
    expect((await ssh('root', { command: 'show alias' })).out).toContain('show session')
    const json = await ssh('root', { command: 'show alias --json' })
    expect(JSON.parse(json.out)).toEqual([{ name: 'who', string: 'show session' }])
    expect(await ssh('root', { command: 'nonsense' })).toMatchObject({ status: 2, err: /unknown command/ })
    expect(await ssh(OPERATOR.name, { command: 'show alias' })).toMatchObject({
      status: 1,
      out: '',
      err: /log in first/,
    })
  })

  it('runs nothing else, whatever is asked for', async () => {
    const { ssh } = await host()
    for (const command of ['/bin/sh -c id', 'id; id', '$(id)', '--socket /tmp/other show alias']) {
      const { status, out, err } = await ssh('root', { command })
      expect(status, command).not.toBe(0)
      expect(out + err, command).not.toContain('uid=')
    }
  })

  it('reads a script of root’s', async () => {
    const { ssh, world } = await host()
    const input = 'add alias=a\nstring="show ppp"\nnonsense\nadd alias=b string="show log"\n'
    const { status, err } = await ssh('root', { input })
    expect(status).toBe(2)
    expect(err).toMatch(/^line 3: Error \(3035002\): unknown command/)
    expect(world.control.configuration.aliases.map(a => a.name)).toEqual(['who', 'a', 'b'])
  })

  it('shows what is announced to managers on the terminal of one, in the midst of a line', async () => {
    const { ssh, terminals } = await host()
    const user = ssh(OPERATOR.name, {
      steps: [
        ['login: ', 'guest\r'],
        ['Password: ', 'no-rights\r'],
        ['Attack', '\x04'],
      ],
    })
    let shown = ''
    const manager = ssh(OPERATOR.name, {
      shows: text => {
        shown = text.replaceAll('\x1b[K', '')
      },
      steps: [
        ['login: ', 'mgr\r'],
        ['Password: ', 'many-hands\r'],
        ['Manager Gate> ', 'show al'],
        ['Attack', 'ias\r'],
        ['show session', 'logoff\r'],
      ],
    })
    const operators = () => terminals.operators().map(o => o.account)
    await expect.poll(() => operators().sort()).toEqual(['guest', 'mgr'])
    await expect.poll(() => shown).toContain('Manager Gate> show al')
    terminals.announce('Attack: port scan from 203.0.113.9')
    const { status, out } = await manager
    expect(status).toBe(0)
    // The line that was typed is drawn again below it.
    const screen = new Screen(80, 24)
    screen.write(out)
    expect(screen.text()).toMatch(/^Attack: port scan from 203\.0\.113\.9\s*\nManager Gate> show alias\s*$/m)
    terminals.close(o => o.account === 'guest')
    expect((await user).out).not.toContain('Attack')
  })
})
