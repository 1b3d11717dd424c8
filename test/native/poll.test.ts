import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { addonPath, Descriptors, freePort, LOOPBACK, native, thrownBy } from './support.ts'

const fds = new Descriptors()
afterEach(() => fds.closeAll())
const eventFd = () => fds.keep(native.eventFd())

describe('the clock', () => {
  it('is that of process.hrtime, in whole milliseconds', () => {
    const millis = () => Number(process.hrtime.bigint() / 1_000_000n)
    const before = millis()
    const now = native.now()
    expect(now).toBeGreaterThanOrEqual(before)
    expect(now).toBeLessThanOrEqual(millis())
    expect(Number.isInteger(now)).toBe(true)
  })

  it('of a thread counts its own work, and not its sleep', () => {
    const before = native.threadTime()
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60)
    expect(native.threadTime() - before).toBeLessThan(50)
    for (const end = native.threadTime() + 5; native.threadTime() < end; );
    expect(native.threadTime() - before).toBeGreaterThanOrEqual(5)
  })
})

describe('a poller', () => {
  it('answers which descriptors are readable', () => {
    const events = [eventFd(), eventFd(), eventFd()]
    const poller = native.poller(events)
    expect(native.wait(poller, 0)).toBe(0)
    native.signal(events[2]!)
    expect(native.wait(poller, -1)).toBe(4)
    native.signal(events[0]!)
    native.signal(events[0]!)
    expect(native.wait(poller, -1)).toBe(5)
    native.clearEvent(events[0]!)
    native.clearEvent(events[2]!)
    native.clearEvent(events[2]!)
    expect(native.wait(poller, 0)).toBe(0)
  })

  it('answers for 31 descriptors, and refuses more', () => {
    const events = Array.from({ length: 31 }, eventFd)
    for (const fd of events) native.signal(fd)
    expect(native.wait(native.poller(events), 0)).toBe(0x7fffffff)
    expect(thrownBy(() => native.poller([...events, eventFd()]))).toBeInstanceOf(TypeError)
  })

  it('waits as long as it was told', () => {
    const poller = native.poller([eventFd()])
    const before = performance.now()
    expect(native.wait(poller, 50)).toBe(0)
    expect(performance.now() - before).toBeGreaterThanOrEqual(49)
  })

  it('tells when it ended, and how long it took', () => {
    const times = new Float64Array(2)
    const poller = native.poller([eventFd()], times)
    const before = native.now()
    native.wait(poller, 0)
    expect(times[1]).toBeLessThanOrEqual((native.now() + 1 - before) * 1000)
    native.wait(poller, 20)
    expect(times[0]).toBeGreaterThanOrEqual(before + 19)
    expect(times[0]).toBeLessThanOrEqual(native.now())
    expect(times[1]).toBeGreaterThanOrEqual(19_000)
    expect(thrownBy(() => native.poller([], new Float64Array(1))).message).toMatch('Float64Array of two numbers')
    expect(thrownBy(() => native.poller([], new Uint8Array(16) as never))).toBeInstanceOf(TypeError)
  })

  it('sees a datagram come', () => {
    const port = freePort()
    const socket = fds.keep(native.udpSocket(LOOPBACK, port, false))
    const poller = native.poller([eventFd(), socket])
    expect(native.wait(poller, 0)).toBe(0)
    native.sendTo(socket, 0, LOOPBACK, port, new Uint8Array([1]))
    expect(native.wait(poller, 1000)).toBe(2)
  })

  it('throws on descriptors that cannot be polled, and on what is no poller', () => {
    expect(thrownBy(() => native.poller([-1])).code).toBe('EBADF')
    expect(thrownBy(() => native.wait({} as never, 0)).message).toBe('not a poller')
    expect(thrownBy(() => native.signal(-1)).code).toBe('EBADF')
    expect(thrownBy(() => native.clearEvent(-1)).code).toBe('EBADF')
  })

  it('is woken from another thread while it blocks', async () => {
    const fd = eventFd()
    const worker = new Worker(
      `const { workerData, parentPort } = require('node:worker_threads')
       const native = require(workerData.addonPath)
       parentPort.postMessage('waiting')
       parentPort.postMessage(native.wait(native.poller([workerData.fd]), 5000))`,
      { eval: true, workerData: { addonPath, fd } },
    )
    const exited = once(worker, 'exit')
    await once(worker, 'message')
    const answer = once(worker, 'message')
    native.signal(fd)
    expect(await answer).toEqual([1])
    expect(await exited).toEqual([0])
  })
})

describe('a watcher', () => {
  it('calls back as long as its descriptor is readable, until it is unwatched', async () => {
    const fd = eventFd()
    let calls = 0
    let enough: () => void = () => {}
    const called = new Promise<void>(resolve => {
      enough = resolve
    })
    const watcher = native.watch(fd, () => {
      calls++
      if (calls < 3) return // level-triggered: it comes again
      native.clearEvent(fd)
      enough()
    })
    await sleep(5)
    expect(calls).toBe(0)
    native.signal(fd)
    await called
    await sleep(5)
    expect(calls).toBe(3)

    native.unwatch(watcher)
    native.unwatch(watcher)
    native.signal(fd)
    await sleep(5)
    expect(calls).toBe(3)
  })

  it('may unwatch itself from its callback', async () => {
    const fd = eventFd()
    native.signal(fd)
    let calls = 0
    await new Promise<void>(resolve => {
      const watcher = native.watch(fd, () => {
        calls++
        native.unwatch(watcher)
        resolve()
      })
    })
    await sleep(5)
    expect(calls).toBe(1)
  })

  it('refuses what it cannot watch', () => {
    expect(thrownBy(() => native.watch(-1, () => {})).code).toBe('EBADF')
    expect(thrownBy(() => native.watch(eventFd(), undefined as never))).toBeInstanceOf(TypeError)
    expect(thrownBy(() => native.unwatch(native.poller([]) as never)).message).toBe('not a watcher')
    const fd = eventFd()
    const first = native.watch(fd, () => {})
    expect(thrownBy(() => native.watch(fd, () => {})).code).toBe('EEXIST')
    native.unwatch(first)
  })

  it('ends with its thread, whether the thread is terminated or exits', async () => {
    for (const ending of ['terminate', 'exit', 'unwatch']) {
      const fd = eventFd()
      const worker = new Worker(
        `const { workerData, parentPort } = require('node:worker_threads')
         const native = require(workerData.addonPath)
         let calls = 0
         const watcher = native.watch(workerData.fd, () => {
           native.clearEvent(workerData.fd)
           parentPort.postMessage(++calls)
           if (workerData.ending === 'exit') process.exit(3)
           if (workerData.ending === 'unwatch') native.unwatch(watcher)
         })
         parentPort.postMessage('watching')`,
        { eval: true, workerData: { addonPath, fd, ending } },
      )
      const exited = once(worker, 'exit')
      expect(await once(worker, 'message')).toEqual(['watching'])
      const answer = once(worker, 'message')
      native.signal(fd)
      expect(await answer).toEqual([1])
      if (ending === 'terminate') await worker.terminate()
      expect(await exited).toEqual([{ terminate: 1, exit: 3, unwatch: 0 }[ending]])
    }
  })

  it("makes what its callback throws the thread's uncaught exception", async () => {
    const fd = eventFd()
    native.signal(fd)
    const worker = new Worker(
      `const { workerData } = require('node:worker_threads')
       require(workerData.addonPath).watch(workerData.fd, () => { throw new Error('from the callback') })`,
      { eval: true, workerData: { addonPath, fd } },
    )
    const [error] = (await once(worker, 'error')) as [Error]
    expect(error.message).toBe('from the callback')
  })
})

describe('many threads', () => {
  it('load the addon at the same time and leave again', async () => {
    const workers = Array.from(
      { length: 4 },
      () =>
        new Worker(
          `const { workerData, parentPort } = require('node:worker_threads')
           const native = require(workerData.addonPath)
           const buffer = new ArrayBuffer(native.layout().size)
           const batch = native.attach(buffer)
           const fd = native.eventFd()
           native.poller([fd])
           parentPort.postMessage(native.sendEsp(-1, -1, batch, 0))
           native.close(fd)`,
          { eval: true, workerData: { addonPath } },
        ),
    )
    const answers = await Promise.all(workers.flatMap(w => [once(w, 'message'), once(w, 'exit')]))
    expect(answers).toEqual(new Array(8).fill([0]))
  })
})

describe('peerCredentials', () => {
  it('tells who is at the other end of a unix socket', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'fg-test-'))
    const path = join(directory, 'socket')
    const server = createServer().listen(path)
    try {
      await once(server, 'listening')
      const client = connect(path)
      const [socket] = await once(server, 'connection')
      const credentials = native.peerCredentials(socket._handle.fd)
      expect(credentials).toEqual({ pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() })
      client.destroy()
      socket.destroy()
    } finally {
      server.close()
      rmSync(directory, { recursive: true })
    }
    expect(existsSync(path)).toBe(false)
  })

  it('throws on what is no socket', () => {
    expect(thrownBy(() => native.peerCredentials(eventFd())).code).toBe('ENOTSOCK')
  })
})
