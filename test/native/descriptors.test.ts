import { openSync, readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { BATCH_CAPACITY, batchLayout, NEAR_CAPACITY } from '../../src/packet/batch.ts'
import { Verdict } from '../../src/packet/verdict.ts'
import { attached, Descriptors, freePort, LOOPBACK, native, thrownBy } from './support.ts'

const fds = new Descriptors()
afterEach(() => fds.closeAll())

const O_NONBLOCK = 0o4000
const O_CLOEXEC = 0o2000000
const flagsOf = (fd: number) => {
  const line = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))
  return Number.parseInt(line![1]!, 8)
}
const countOpen = () => readdirSync('/proc/self/fd').length

describe('descriptors', () => {
  it('are non-blocking and not inherited', () => {
    const made = [fds.keep(native.udpSocket(LOOPBACK, freePort(), true)), fds.keep(native.eventFd())]
    for (const fd of made) expect(flagsOf(fd) & (O_NONBLOCK | O_CLOEXEC)).toBe(O_NONBLOCK | O_CLOEXEC)
  })

  it('do not stay open where making them fails', () => {
    const port = freePort()
    fds.keep(native.udpSocket(LOOPBACK, port, false))
    const event = fds.keep(native.eventFd())
    const before = countOpen()
    for (let i = 0; i < 20; i++) {
      thrownBy(() => native.udpSocket(LOOPBACK, port, false))
      thrownBy(() => native.tunOpen('no/such name', 2))
      thrownBy(() => native.rawEspSocket(1, 1))
      thrownBy(() => native.steerTun(event, 1, 1))
      thrownBy(() => native.watch(-1, () => {}))
    }
    expect(countOpen()).toBe(before)
  })
})

describe('columns full of nonsense', () => {
  const wild = fc.oneof(
    fc.nat(4096),
    fc.integer({ min: 0, max: 0xffffffff }),
    fc.constantFrom(batchLayout.size - batchLayout.bytes, batchLayout.size, 0xffffffff, 0x80000000),
  )
  const row = fc.record({ offset: wild, length: wild, port: wild, verdict: fc.nat(255) })

  it('send nothing from outside of the batch', () => {
    const port = freePort()
    const socket = fds.keep(native.udpSocket(LOOPBACK, port, false))
    const size = batchLayout.size - batchLayout.bytes
    fc.assert(
      fc.property(fc.array(row, { maxLength: NEAR_CAPACITY }), rows => {
        const { batch, handle } = attached()
        for (const [i, r] of rows.entries()) {
          batch.offset[i] = r.offset
          batch.length[i] = r.length
          batch.address[i] = LOOPBACK
          // A port that is one is ours: nothing leaves for strangers.
          batch.port[i] = r.port > 0xffff ? r.port : port
          batch.verdict[i] = r.verdict % 3
        }
        const sent = native.sendEsp(socket, -1, handle, rows.length)
        const good = rows.filter(r => r.verdict % 3 === 0 && r.port <= 0xffff && r.offset + r.length <= size)
        // UDP takes no more than 65,507 bytes.
        expect(sent).toBe(good.filter(r => r.length <= 65_507).length)
        const forwards = rows.filter((_, i) => batch.verdict[i] === Verdict.Forward).length
        expect(forwards).toBe(sent)
        const { handle: drain } = attached()
        while (native.receiveUdp(socket, drain, 0) > 0);
      }),
    )
  })

  it('write nothing from outside of the batch', () => {
    const nowhere = fds.keep(openSync('/dev/null', 'w'))
    fc.assert(
      fc.property(fc.array(row, { maxLength: BATCH_CAPACITY }), rows => {
        const { batch, handle } = attached()
        for (const [i, r] of rows.entries()) {
          batch.offset[i] = r.offset
          batch.length[i] = r.length
          batch.verdict[i] = r.verdict % 3
        }
        const size = batchLayout.size - batchLayout.bytes
        const good = rows.filter(r => r.verdict % 3 === 0 && r.offset + r.length <= size)
        expect(native.writeTun(nowhere, handle, rows.length)).toBe(good.length)
      }),
    )
  })
})
