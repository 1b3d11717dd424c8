import { spawn, spawnSync } from 'node:child_process'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { AdminSocket } from '../../src/gateway/admin.ts'
import { loadNative } from '../../src/gateway/native.ts'
import { temporaryDirectory } from './fakes.ts'
import { operatorWorld } from './operators.ts'

const main = fileURLToPath(new URL('../../dist/src/vpnctl/main.js', import.meta.url))
const haveScript = spawnSync('which', ['script']).status === 0
if (!haveScript) console.warn('terminal tests are skipped: no script (apt-get install bsdutils)')

async function gateway(trusted = true) {
  const w = await operatorWorld()
  const path = join(temporaryDirectory(), 'ctl.sock')
  const admin = new AdminSocket(
    path,
    loadNative(),
    request => w.type(w.root, request.command),
    (wire, size) => w.terminals.start(w.operator({ trusted }, 'vpnctl'), wire, size.columns, size.rows),
  )
  await admin.listen()
  onTestFinished(() => admin.close())
  return { ...w, path, admin }
}

/** vpnctl on a pseudo terminal: types each step when the screen shows what the one before waits for. */
function onTerminal(path: string, steps: readonly (readonly [wait: string, keys: string])[], size = 'cols 80 rows 24') {
  return new Promise<{ status: number | null; screen: string }>((resolve, reject) => {
    const command = `stty ${size}; ${process.execPath} ${main} --socket ${path}; status=$?; stty -a; exit $status`
    const child = spawn('script', ['-qefc', command, '/dev/null'], { timeout: 60_000 })
    let screen = ''
    let seen = 0
    const waiting = [...steps]
    child.stdout.on('data', (data: Buffer) => {
      screen += data.toString('utf8')
      for (let step = waiting[0]; step; step = waiting[0]) {
        const at = screen.indexOf(step[0], seen)
        if (at < 0) break
        seen = at + step[0].length
        child.stdin.write(step[1])
        waiting.shift()
      }
    })
    child.stdin.on('error', () => undefined)
    child.on('error', reject)
    child.on('close', status => resolve({ status, screen }))
  })
}

describe.skipIf(!haveScript)('vpnctl on a terminal', () => {
  it('is the router’s prompt, until LOGOFF', async () => {
    const { path } = await gateway()
    const { status, screen } = await onTerminal(path, [
      ['SecOff Gate> ', 'sh\tali?'],
      ['Options : ALIas[=]', 'as\r'],
      ['show session', 'login mgr\r'],
      ['Password: ', 'many-hands\r'],
      ['Manager Gate> ', 'logoff\r'],
    ])
    expect(status).toBe(0)
    expect(screen).not.toContain('many-hands')
    expect(screen.replaceAll('\x1b[K', '')).toMatch(/SecOff Gate> show ali\?\s+Options : ALIas\[=\]/)
    // The terminal is as it was.
    expect(screen).toMatch(/ icanon\b/)
    expect(screen).toMatch(/ echo\b/)
  })

  it('knows how large the terminal is', async () => {
    const { path } = await gateway()
    const { screen } = await onTerminal(
      path,
      [
        ['> ', 'show user\r'],
        ['--More--', 'q'],
        ['Gate> ', '\x04'],
      ],
      'cols 60 rows 8',
    )
    const page = screen.slice(screen.indexOf('User Auth'), screen.indexOf('--More--'))
    expect(page.split('\r\n').filter(row => row !== '').length).toBeLessThanOrEqual(7)
  })

  it('asks for a login whom the kernel does not name as root', async () => {
    const { path } = await gateway(false)
    const { screen, status } = await onTerminal(path, [
      ['login: ', 'guest\r'],
      ['Password: ', 'no-rights\r'],
      ['Gate> ', 'show session\r'],
      ['only a manager may do this', 'logout\r'],
    ])
    expect(status).toBe(0)
    expect(screen).not.toContain('SecOff')
  })

  it('exits with 3 where no gateway is, and where it goes away', async () => {
    const gone = await onTerminal(join(temporaryDirectory(), 'ctl.sock'), [])
    expect(gone.status).toBe(3)
    expect(gone.screen).toContain('the gateway is not running')
    const { path, admin, terminals } = await gateway()
    const left = onTerminal(path, [])
    await expect.poll(() => terminals.operators().length).toBe(1)
    admin.close()
    expect((await left).screen).toMatch(/ icanon\b/)
  })
})

describe('the terminal’s messages', () => {
  /** Sends lines and answers all screens until the other side hangs up. */
  const exchange = (path: string, lines: readonly string[]) =>
    new Promise<string>(resolve => {
      const socket = createConnection(path, () => socket.write(lines.map(l => `${l}\n`).join('')))
      let text = ''
      socket.setEncoding('utf8')
      socket.on('data', data => (text += data))
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(text))
    })
  const start = '{"terminal":{"columns":80,"rows":24}}'

  it('carry keys and sizes one way and the screen the other', async () => {
    const { path } = await gateway()
    const text = await exchange(path, [
      start,
      '{"columns":40,"rows":10}',
      '{"keys":"show al"}',
      '{"keys":"ias\\rlo\\r"}',
    ])
    const screens = text
      .trim()
      .split('\n')
      .map(line => (JSON.parse(line) as { screen: string }).screen)
    expect(screens.join('')).toContain('show session')
  })

  it.each(['nonsense', '{}', '{"keys":7}', '{"columns":"x","rows":1}', 'null', '[]', 'x'.repeat(300_000)])(
    'that are none end the terminal, and nothing else: %.40s',
    async line => {
      const { path, terminals } = await gateway()
      await exchange(path, [start, line])
      expect(terminals.operators()).toEqual([])
      expect(await exchange(path, ['{"command":"show alias","json":false}'])).toContain('show session')
    },
  )
})
