import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
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
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
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
  const admin = new AdminSocket(path, loadNative(), handler)
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

  it.each([[[]], [['--nonsense']], [['--socket']]])('exits with 2 on %j', async args => {
    const { status, err } = await vpnctl(...args)
    expect(status).toBe(2)
    expect(err).not.toBe('')
  })

  it('explains itself', async () => {
    const { status, out } = await vpnctl('--help')
    expect(status).toBe(0)
    expect(out).toContain('Exit status')
  })
})
