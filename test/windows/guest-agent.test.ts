/** The agent itself, in C, compiled for this host: the half of it that is the same on Windows. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { crc32 } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Agent, AgentRefused } from '../interop/windows-agent.ts'
import { emitLine, type Line, LineReader, parseLine } from '../interop/windows-line.ts'
import { compileForLinux } from '../interop/windows-program.ts'

const folder = mkdtempSync(join(tmpdir(), 'floatgate-agent-'))
const program = join(folder, 'agent')
const children: ChildProcess[] = []

beforeAll(async () => {
  await compileForLinux(program)
  writeFileSync(join(folder, 'SETTINGS.INI'), 'entry=Floatgate\r\nserver=203.0.113.1\r\nhow=phonebook\r\n')
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(() => rmSync(folder, { recursive: true }))

const isLine = (found: ReturnType<typeof parseLine>): found is Line => found !== undefined && 'kind' in found

/** Starts the agent as START.CMD does; `edit` changes what goes to it, line by line. */
function start(edit: (text: string) => string = text => text) {
  const child = spawn(program, ['fd:3', `${folder}/`], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, FG_PRETEND: '5.1.2600' },
  })
  children.push(child)
  const line = child.stdio[3] as Duplex
  line.setEncoding('latin1')
  line.on('error', () => undefined)
  const agent = new Agent(
    { write: text => void line.write(edit(text), 'latin1'), listen: take => void line.on('data', take) },
    { againMillis: 100, silenceMillis: 5000 },
  )
  return { agent, line }
}

describe('the agent', () => {
  it('says hello, and has read its settings', async () => {
    const { agent } = start()
    expect(await agent.greet(5000)).toMatchObject({ system: 'linux', version: '5.1.2600' })
    expect(await agent.ask('hello')).toMatchObject({ ok: '1', disk: 'read' })
  })

  it('finds a request that noise surrounds, and does without one that is damaged', async () => {
    let count = 0
    const { agent } = start(text => (++count % 2 === 1 ? text.replace('verb', 'VERB') : `\x00\xff~half a li${text}`))
    await agent.greet(5000)
    for (let i = 0; i < 3; i++) expect(await agent.ask('hello')).toMatchObject({ disk: 'read' })
    expect(count).toBe(6)
  })

  it('answers a repeated request with what it answered, and old or foreign ones not at all', async () => {
    const { agent, line } = start()
    const seen: string[] = []
    const reader = new LineReader()
    line.on('data', (text: string) => seen.push(...reader.take(text)))
    await agent.greet(5000)
    await agent.ask('hello')
    await agent.ask('read').catch(error => expect((error as Error).message).toContain('nothing was collected'))
    const parsed = () => seen.map(parseLine).filter(isLine)
    const { boot } = parsed()[0]!
    const answers = (number: number) => parsed().filter(l => l.kind === 'R' && l.number === number)
    for (const [from, number] of [
      [boot, 1],
      ['00000bad', 3],
      [boot, 2],
    ] as const) {
      line.write(emitLine({ kind: 'Q', boot: from, number, words: { verb: 'hello' } }))
    }
    await expect.poll(() => answers(2).length).toBe(2)
    expect(answers(2)[1]).toEqual(answers(2)[0])
    expect([answers(1).length, answers(3).length]).toEqual([1, 0])
  })

  it('refuses what it does not know, and what the system below it cannot do', async () => {
    const { agent } = start()
    await agent.greet(5000)
    await expect(agent.ask('format')).rejects.toThrow('there is no verb "format"')
    await expect(agent.ask('dial', { user: 'a', password: 'b c%d' })).rejects.toThrow(AgentRefused)
  })
})

describe('its download', () => {
  let server: Server
  const body = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) & 255))
  const url = () => ({ host: '127.0.0.1', port: String((server.address() as AddressInfo).port) })

  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === '/file') return response.end(body)
      if (request.url === '/slow') {
        response.write('some')
        return setTimeout(() => response.end('thing'), 1500)
      }
      response.statusCode = 404
      return response.end()
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  })
  afterAll(() => server.close())

  it('counts and checks what came', async () => {
    const { agent } = start()
    await agent.greet(5000)
    const got = await agent.ask('download', { ...url(), path: '/file' })
    expect(got).toMatchObject({ status: '200', bytes: '300000', crc: crc32(body).toString(16).padStart(8, '0') })
    expect(await agent.ask('download', { ...url(), path: '/none' })).toMatchObject({ status: '404', bytes: '0' })
  })

  it('leaves the line alive while it waits', async () => {
    const { agent, line } = start()
    let busy = 0
    const reader = new LineReader()
    await agent.greet(5000)
    line.on('data', (text: string) => {
      busy += reader
        .take(text)
        .map(parseLine)
        .filter(isLine)
        .filter(l => l.kind === 'B').length
    })
    expect(await agent.ask('download', { ...url(), path: '/slow' })).toMatchObject({ status: '200', bytes: '9' })
    expect(busy).toBeGreaterThan(3)
  })

  it('from nobody is refused', async () => {
    const { agent } = start()
    await agent.greet(5000)
    await expect(agent.ask('download', { host: '127.0.0.1', port: '1', path: '/' })).rejects.toThrow('does not take')
  })
})
