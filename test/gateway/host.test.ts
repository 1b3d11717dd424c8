import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  deviceAddresses,
  deviceExists,
  deviceIsDown,
  deviceMtu,
  hostLacks,
  udpPortHolder,
} from '../../src/gateway/host.ts'
import { ipv4 } from '../../src/packet/ip.ts'

/** A UDP socket of this very process, on a port that the kernel chose. */
async function bound(type: 'udp4' | 'udp6', address: string): Promise<number> {
  const socket = createSocket(type)
  onTestFinished(() => {
    socket.close()
  })
  await new Promise<void>(resolve => socket.bind(0, address, resolve))
  return socket.address().port
}

describe('the host', () => {
  it('tells who holds a UDP port: here, this very process', async () => {
    const port = await bound('udp4', '127.0.0.1')
    const name = readFileSync('/proc/self/comm', 'utf8').trim()
    expect(udpPortHolder(port)).toBe(`${name} (pid ${process.pid})`)
  })

  it('knows nobody behind a port that is free', async () => {
    const socket = createSocket('udp4')
    await new Promise<void>(resolve => socket.bind(0, '127.0.0.1', resolve))
    const { port } = socket.address()
    await new Promise<void>(resolve => socket.close(resolve))
    expect(udpPortHolder(port)).toBeUndefined()
  })

  it('has its loopback, with its MTU', () => {
    expect(deviceAddresses()).toContainEqual({ device: 'lo', address: ipv4('127.0.0.1'), mask: ipv4('255.0.0.0') })
    expect(deviceExists('lo')).toBe(true)
    expect(deviceExists('no-such-device')).toBe(false)
    expect([deviceIsDown('lo'), deviceIsDown('no-such-device')]).toEqual([false, false])
    expect(deviceMtu('lo')).toBeGreaterThan(1500)
    expect(deviceMtu('no-such-device')).toBe(1500)
  })

  it('says each lack in one line that ends with what mends it', () => {
    const forwarding = readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1'
    const lacks = hostLacks()
    expect(lacks.some(l => l.includes('sysctl -w net.ipv4.ip_forward=1'))).toBe(!forwarding)
    for (const line of lacks) expect(line).not.toContain('\n')
  })
})
