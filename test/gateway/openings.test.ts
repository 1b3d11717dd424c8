/** What the gateway says where the kernel refuses it a socket or a device. */

import { describe, expect, it } from 'vitest'
import type { Native } from '../../src/gateway/native.ts'
import { bind, openSteeredTun, openTun, portTaken } from '../../src/gateway/openings.ts'

const refusing = (code: string) => {
  const refuse = () => {
    throw Object.assign(new Error(`${code}: some words of the kernel's`), { code })
  }
  return { udpSocket: refuse, tunOpen: refuse } as unknown as Native
}

describe('a port that somebody has', () => {
  it('another gateway: not to be stopped like some other service', () => {
    const text = portTaken(500, 'floatgated (pid 812)')
    expect(text).toMatch(/^UDP port 500 is taken by floatgated \(pid 812\): another gateway serves this host/)
    expect(text).not.toContain('systemctl stop')
  })

  it('another IKE daemon, or nobody knows who: an example of what to do', () => {
    expect(portTaken(500, 'charon (pid 812)')).toBe(
      'UDP port 500 is taken by charon (pid 812): stop that first (for example "systemctl stop strongswan-starter")',
    )
    expect(portTaken(4500, undefined)).toContain('taken by another process')
  })
})

describe('a capability that is missing', () => {
  it.each(['EACCES', 'EPERM'])('is named: %s of a port', code => {
    expect(() => bind(refusing(code), 500, false)).toThrow(
      'UDP port 500 cannot be opened: this process lacks CAP_NET_BIND_SERVICE',
    )
  })

  it('is named: EPERM of the TUN device', () => {
    expect(() => openTun(refusing('EPERM'), 1)).toThrow(/lacks CAP_NET_ADMIN/)
    expect(() => openTun(refusing('EBUSY'), 1)).toThrow('the TUN device cannot be made: EBUSY')
  })
})

describe('a kernel that does not let us say which packet goes to which queue of the TUN device', () => {
  it('gets a device with one queue: it would hand packets to queues that nobody reads', () => {
    const closed: number[] = []
    const native = {
      tunOpen: (_: string, queues: number) => ({ name: 'fg0', fds: Array.from({ length: queues }, (_, i) => 40 + i) }),
      steerTun: () => {
        throw new Error('EINVAL: Invalid argument, ioctl')
      },
      close: (fd: number) => closed.push(fd),
    } as unknown as Native
    const warnings: string[] = []
    const { tun, steering } = openSteeredTun(native, 3, warnings)
    expect([tun.fds, steering, closed]).toEqual([[40], undefined, [41, 42]])
    expect(warnings).toEqual([expect.stringContaining('this host refuses TUN steering (EINVAL')])
    expect(openSteeredTun(native, 1, warnings).tun.fds).toEqual([40])
    expect(warnings).toHaveLength(1)
  })
})
