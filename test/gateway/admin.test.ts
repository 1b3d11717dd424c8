import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type AdminHandler, AdminSocket } from '../../src/gateway/admin.ts'
import type { AdminAnswer } from '../../src/gateway/caller.ts'
import { loadNative } from '../../src/gateway/native.ts'
import { temporaryDirectory } from './fakes.ts'

async function listening(handler: AdminHandler, path = join(temporaryDirectory(), 'run', 'ctl.sock')): Promise<string> {
  const admin = new AdminSocket(path, loadNative(), handler)
  await admin.listen()
  onTestFinished(() => admin.close())
  return path
}

const echo: AdminHandler = (request, caller) => ({ exit: 0, text: 'ok', data: { request, caller } })

/** Sends `text` and answers everything that came back until the other side hung up. */
function exchange(path: string, text: string | Uint8Array, then?: (socket: Socket) => void): Promise<string> {
  return new Promise(resolve => {
    const socket = createConnection(path)
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('data', data => {
      answer += data
    })
    socket.on('error', () => resolve(answer))
    socket.on('close', () => resolve(answer))
    socket.on('connect', () => {
      socket.write(text)
      then?.(socket)
    })
  })
}

const ask = async (path: string, text: string) => JSON.parse(await exchange(path, `${text}\n`)) as AdminAnswer

describe('the control socket', () => {
  it('is for its owner and group alone, and makes its directory', async () => {
    const path = await listening(echo)
    expect(statSync(path).mode & 0o777).toBe(0o660)
    expect(statSync(path).isSocket()).toBe(true)
    expect(statSync(join(path, '..')).isDirectory()).toBe(true)
  })

  it('leaves the process’s umask as it was', async () => {
    const mask = process.umask()
    await listening(echo)
    expect(process.umask()).toBe(mask)
  })

  it('answers one line with one line, and knows who asks', async () => {
    const path = await listening(echo)
    const raw = await exchange(path, '{"command": "show system", "json": true}\n')
    expect(raw.endsWith('\n')).toBe(true)
    expect(raw.trim().split('\n').length).toBe(1)
    expect(JSON.parse(raw)).toEqual({
      exit: 0,
      text: 'ok',
      data: {
        request: { command: 'show system', json: true },
        caller: { uid: process.getuid!(), pid: process.pid },
      },
    })
  })

  it('takes a request in pieces, in the midst of a character too', async () => {
    const path = await listening(echo)
    const bytes = Buffer.from('{"command": "add user=jürgen", "json": false}\n')
    const at = bytes.indexOf(0xc3) + 1
    const answer = await exchange(path, bytes.subarray(0, at), socket => {
      setTimeout(() => socket.write(bytes.subarray(at)), 20)
    })
    expect(JSON.parse(answer).data.request.command).toBe('add user=jürgen')
  })

  it.each(['', 'garbage', '{"command": 7}', '[]', 'null', '{"json": true}', '\u0000\u0001'])(
    'answers %j with exit 2 and lives on',
    async text => {
      const path = await listening(echo)
      expect(await ask(path, text)).toEqual({ exit: 2, text: 'not a request' })
      expect((await ask(path, '{"command": "x"}')).exit).toBe(0)
    },
  )

  it('hangs up on a request beyond all measure, and lives on', async () => {
    const path = await listening(echo)
    expect(await exchange(path, 'x'.repeat(20_000))).toBe('')
    expect(await exchange(path, `{"command": "${'x'.repeat(20_000)}"}\n`)).toBe('')
    expect((await ask(path, '{"command": "x"}')).exit).toBe(0)
  })

  it('hears one request a connection', async () => {
    let asked = 0
    const path = await listening(() => {
      asked++
      return { exit: 0, text: 'done' }
    })
    const answer = await exchange(path, '{"command": "a"}\n{"command": "b"}\n', socket => {
      socket.write('{"command": "c"}\n')
    })
    expect(answer.trim().split('\n').length).toBe(1)
    expect(asked).toBe(1)
  })

  it('says what went wrong inside, and lives on', async () => {
    const path = await listening(() => {
      throw new Error('a bug')
    })
    expect(await ask(path, '{"command": "x"}')).toEqual({ exit: 1, text: 'internal error: a bug' })
    expect((await ask(path, '{"command": "x"}')).exit).toBe(1)
  })

  it('does not mind who hangs up before the answer', async () => {
    let answer: (a: AdminAnswer) => void = () => undefined
    const path = await listening(request =>
      request.command === 'slow' ? new Promise(resolve => (answer = resolve)) : { exit: 0, text: 'ok' },
    )
    await exchange(path, '{"command": "slow"}\n', socket => setTimeout(() => socket.destroy(), 20))
    answer({ exit: 0, text: 'too late' })
    expect((await ask(path, '{"command": "x"}')).exit).toBe(0)
  })

  it('is not taken from a gateway that serves there', async () => {
    const path = await listening(echo)
    const second = new AdminSocket(path, loadNative(), echo)
    await expect(second.listen()).rejects.toThrow(`${path}: a gateway is already serving there`)
    expect((await ask(path, '{"command": "x"}')).exit).toBe(0)
  })

  it('replaces what a killed run left', async () => {
    const path = join(temporaryDirectory(), 'ctl.sock')
    writeFileSync(path, '')
    await listening(echo, path)
    expect((await ask(path, '{"command": "x"}')).exit).toBe(0)
  })

  it('is gone after close, with its connections', async () => {
    const path = join(temporaryDirectory(), 'ctl.sock')
    const admin = new AdminSocket(path, loadNative(), echo)
    await admin.listen()
    const hanging = exchange(path, '{"comm')
    await new Promise(resolve => setTimeout(resolve, 50))
    admin.close()
    expect(await hanging).toBe('')
    expect(() => statSync(path)).toThrow()
  })

  it('fails in plain words where there can be no socket', async () => {
    const directory = join(temporaryDirectory(), 'ctl.sock')
    mkdirSync(directory)
    const admin = new AdminSocket(directory, loadNative(), echo)
    await expect(admin.listen()).rejects.toThrow()
  })
})

describe('a socket that nobody answers on', () => {
  it('is an earlier run’s', async () => {
    const path = join(temporaryDirectory(), 'ctl.sock')
    // A listener whose socket file stays behind: closed by its descriptor only, as a kill would.
    const stale = createServer()
    await new Promise<void>(resolve => stale.listen(path, resolve))
    const kept = `${path}.kept`
    const { linkSync, renameSync } = await import('node:fs')
    linkSync(path, kept)
    await new Promise<void>(resolve => stale.close(() => resolve()))
    renameSync(kept, path)
    expect(statSync(path).isSocket()).toBe(true)
    await listening(echo, path)
    expect((await ask(path, '{"command": "x"}')).exit).toBe(0)
  })
})
