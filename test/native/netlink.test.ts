/** The netlink socket: what the kernel answers to sense and to nonsense. */

import { afterEach, describe, expect, it } from 'vitest'
import { emitBind, parseAnswer } from '../../src/gateway/nflog.ts'
import { Descriptors, LOOPBACK, native, thrownBy } from './support.ts'

const fds = new Descriptors()
afterEach(() => fds.closeAll())

describe('a netlink socket', () => {
  it.each(['netfilterSocket', 'routeSocket'] as const)('has nothing to tell before it is asked: %s', open => {
    const fd = fds.keep(native[open](0))
    expect(native.netlinkReceive(fd, new Uint8Array(4096))).toBe(-1)
  })

  it('is answered at once, and cut to the room there is', () => {
    const fd = fds.keep(native.netfilterSocket(0))
    const bytes = new Uint8Array(4096)
    const [bind] = emitBind(64_999, 128, 1, 10)
    // Nobody may bind without root, and kernels without nfnetlink_log say so: an answer it is in any case.
    native.netlinkSend(fd, bind!)
    const length = native.netlinkReceive(fd, bytes)
    expect(parseAnswer(bytes.subarray(0, length))).toBeGreaterThanOrEqual(0)
    native.netlinkSend(fd, bind!)
    expect(native.netlinkReceive(fd, new Uint8Array(8))).toBe(8)
    expect(native.netlinkReceive(fd, new Uint8Array(0))).toBe(-1)
  })

  it('survives nonsense', () => {
    const fd = fds.keep(native.netfilterSocket(0))
    const bytes = new Uint8Array(4096)
    for (let length = 0; length < 64; length++) {
      try {
        native.netlinkSend(fd, new Uint8Array(length).fill(length))
      } catch (e) {
        expect((e as NodeJS.ErrnoException).syscall).toBe('sendto')
      }
      for (let got = 0; got !== -1; ) got = native.netlinkReceive(fd, bytes)
    }
  })

  it('is none: what is no netlink socket, and no number', () => {
    const udp = fds.keep(native.udpSocket(LOOPBACK, 0, false))
    expect(thrownBy(() => native.netlinkSend(udp, new Uint8Array(20))).syscall).toBe('sendto')
    expect(native.netlinkReceive(udp, new Uint8Array(20))).toBe(-1)
    expect(thrownBy(() => native.netlinkReceive(-1, new Uint8Array(20))).code).toBe('EBADF')
    expect(thrownBy(() => native.netlinkReceive(udp, 'x' as never))).toBeInstanceOf(TypeError)
  })
})
