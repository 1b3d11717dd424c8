import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { emptyConfiguration } from '../../src/alliedware/draft.ts'
import { type AdminHandler, AdminSocket } from '../../src/gateway/admin.ts'
import { loadNative } from '../../src/gateway/native.ts'
import { temporaryDirectory } from './fakes.ts'

const main = fileURLToPath(new URL('../../dist/src/vpnctl/main.js', import.meta.url))

interface Outcome {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

/** Runs vpnctl as a user would. */
function vpnctl(...args: string[]): Promise<Outcome> {
  return vpnctlWith({}, '', ...args)
}

/** The same, with an environment and standard input. */
function vpnctlWith(env: NodeJS.ProcessEnv, input: string, ...args: string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    let out = ''
    let err = ''
    child.stdout.on('data', data => {
      out += data
    })
    child.stderr.on('data', data => {
      err += data
    })
    child.on('error', reject)
    child.on('close', status => resolve({ status, out, err }))
  })
}

/** A gateway that answers with `handler`; its control socket. */
async function gateway(handler: AdminHandler): Promise<string> {
  const path = join(temporaryDirectory(), 'ctl.sock')
  const admin = new AdminSocket(path, loadNative(), handler, undefined, caller => ({
    configuration: () => emptyConfiguration,
    perform: async command => await handler({ command, json: false }, caller),
  }))
  await admin.listen()
  onTestFinished(() => admin.close())
  return path
}

describe('vpnctl', () => {
  it('is compiled: setup does it before the tests', () => {
    expect(existsSync(main)).toBe(true)
  })

  it('prints what the gateway answers, and exits with its word', async () => {
    const path = await gateway(r => ({ exit: 0, text: `you said: ${r.command}`, data: [{ json: r.json }] }))
    expect(await vpnctl('--socket', path, 'show', 'session')).toEqual({
      status: 0,
      out: 'you said: show session\n',
      err: '',
    })
    const json = await vpnctl(`--socket=${path}`, '--json', 'show', 'session')
    expect(json.status).toBe(0)
    expect(JSON.parse(json.out)).toEqual([{ json: true }])
    expect(JSON.parse((await vpnctl('--socket', path, 'show', 'session', '--json')).out)).toEqual([{ json: true }])
  })

  it.each([1, 2] as const)('exits with %i where the gateway says so, on standard error', async exit => {
    const path = await gateway(() => ({ exit, text: 'Error: no' }))
    expect(await vpnctl('--socket', path, '--json', 'reset', 'session=9')).toEqual({
      status: exit,
      out: '',
      err: 'Error: no\n',
    })
  })

  it('gives back the quotes that the shell took away', async () => {
    const path = await gateway(r => ({ exit: 0, text: r.command }))
    const { out } = await vpnctl('--socket', path, 'add', 'user=anna', 'password=two words', 'login=no')
    expect(out).toBe('add user=anna password="two words" login=no\n')
  })

  it.each([[['show session']], [['show session', '--json']], [['show  ipsec', 'sa']]])(
    'takes a whole command in quotes of the shell: %j',
    async words => {
      const path = await gateway(r => ({ exit: 0, text: r.command }))
      const { out } = await vpnctl('--socket', path, ...words)
      expect(out).toBe(`${words.filter(w => w !== '--json').join(' ')}\n`)
    },
  )

  it('exits with 3 and one plain line where no gateway is', async () => {
    const path = join(temporaryDirectory(), 'ctl.sock')
    const { status, out, err } = await vpnctl('--socket', path, 'show', 'session')
    expect(status).toBe(3)
    expect(out).toBe('')
    expect(err).toBe(
      `vpnctl: ${path}: the gateway is not running (start it with floatgated, or name its socket with --socket)\n`,
    )
  })

  it('exits with 3 where the gateway hangs up', async () => {
    const path = await gateway(() => ({ exit: 0, text: '' }))
    const { status, err } = await vpnctl('--socket', path, `show ${'x'.repeat(20_000)}`)
    expect(status).toBe(3)
    expect(err.trim().split('\n').length).toBe(1)
  })

  it.each([[['--nonsense']], [['--socket']]])('exits with 2 on %j', async args => {
    const { status, err } = await vpnctl(...args)
    expect(status).toBe(2)
    expect(err).not.toBe('')
  })

  it('carries out a script line by line, tells each error with its line, and exits with the worst', async () => {
    const heard: string[] = []
    const path = await gateway(r => {
      heard.push(r.command)
      return r.command.startsWith('bad') ? { exit: 2, text: 'Error: no' } : { exit: 0, text: `done ${r.command}` }
    })
    const script = '# a comment\n\nadd x\r\nbad one\n  *# a note\nadd y'
    expect(await vpnctlWith({}, script, '--socket', path)).toEqual({
      status: 2,
      out: 'done add x\ndone add y\n',
      err: 'line 4: Error: no\n',
    })
    expect(heard).toEqual(['add x', 'bad one', 'add y'])
    expect((await vpnctlWith({}, 'add x\n', '--socket', path)).status).toBe(0)
  })

  it('joins wrapped lines as a script of the gateway’s own is read', async () => {
    const heard: string[] = []
    const path = await gateway(r => {
      heard.push(r.command)
      return { exit: 0, text: 'Info (1035003): Operation successful.' }
    })
    const script = [
      '# A comment that goes on in the next line, where it says that an',
      'address is needed: this is none of the commands.',
      'create ppp template=1 bap=off ippool="myippool" authentication=chap echo=30',
      'lqr=off',
      'add fire policy=main rule=1 int=eth0 action=allow protocol=udp ip=<office',
      'Internet address> port=500',
      '',
      'create alien=x',
      'add alias=ed string="enable isa debug"',
      'ed',
      'create ipsec bundle=1 key=isakmp string="1 or 2',
      'or 3"',
    ].join('\n')
    expect(await vpnctlWith({}, script, '--socket', path)).toMatchObject({ status: 0, err: '' })
    expect(heard).toEqual([
      'create ppp template=1 bap=off ippool="myippool" authentication=chap echo=30 lqr=off',
      'add fire policy=main rule=1 int=eth0 action=allow protocol=udp ip=<office Internet address> port=500',
      'create alien=x',
      'add alias=ed string="enable isa debug"',
      'ed',
      'create ipsec bundle=1 key=isakmp string="1 or 2 or 3"',
    ])
  })

  it('tells of a line that a comment has swallowed', async () => {
    const path = await gateway(r => ({ exit: 0, text: r.command }))
    const { out } = await vpnctlWith({}, '# users\nadd user=anna\n# more\nadr user=ben pass=x\n', '--socket', path)
    expect(out).toContain('add user=anna')
    expect(out).toContain('line 4: Warning (2035001): taken as the rest of the comment')
    expect(out).not.toContain('adr')
  })

  it('answers each line of somebody who types, without waiting for the next', async () => {
    const path = await gateway(r => ({ exit: 0, text: `done ${r.command}` }))
    const child = spawn(process.execPath, [main, '--socket', path], { stdio: ['pipe', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', data => (out += data))
    for (const line of ['show session', 'show user']) {
      child.stdin.write(`${line}\n`)
      await expect.poll(() => out).toContain(`done ${line}`)
    }
    child.stdin.end()
    await new Promise(resolve => child.on('close', resolve))
    expect(child.exitCode).toBe(0)
  })

  it('gives the data of each SHOW of a script with --json', async () => {
    const path = await gateway(r => ({ exit: 0, text: r.command, data: [r.command] }))
    const { out } = await vpnctlWith({}, 'show user\nshow alias\n', '--json', '--socket', path)
    expect(out).toBe('[\n  "show user"\n]\n[\n  "show alias"\n]\n')
  })

  it('ends a script where the gateway is gone', async () => {
    const path = join(temporaryDirectory(), 'ctl.sock')
    const { status, err } = await vpnctlWith({}, 'a\nb\nc\n', '--socket', path)
    expect(status).toBe(3)
    expect(err.trim().split('\n').length).toBe(1)
  })

  it('takes the command that an SSH client asked for, where it is the forced one', async () => {
    const path = await gateway(r => ({ exit: 0, text: r.command, data: { asked: r.command } }))
    const forced = { SSH_ORIGINAL_COMMAND: 'show session' }
    expect((await vpnctlWith(forced, '', '--socket', path)).out).toBe('show session\n')
    const json = await vpnctlWith({ SSH_ORIGINAL_COMMAND: 'show session --json' }, '', '--socket', path)
    expect(JSON.parse(json.out)).toEqual({ asked: 'show session' })
    // What stands in the forced command itself goes first.
    expect((await vpnctlWith(forced, '', '--socket', path, 'show', 'log')).out).toBe('show log\n')
  })

  it('explains itself', async () => {
    const { status, out } = await vpnctl('--help')
    expect(status).toBe(0)
    expect(out).toContain('Exit status')
  })
})
