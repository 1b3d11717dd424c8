import { describe, expect, it } from 'vitest'
import type { HostNetwork } from '../../src/gateway/ports.ts'
import { SessionRoutes } from '../../src/gateway/session-routes.ts'
import { formatIpv4, ipv4 } from '../../src/packet/ip.ts'
import { anna, World } from './world.ts'

function recorded() {
  const done: string[] = []
  const network: HostNetwork = {
    addSession: (address, mtu, proxy, user) => done.push(`add ${formatIpv4(address)} ${mtu} ${proxy} ${user}`),
    removeSession: address => done.push(`remove ${formatIpv4(address)}`),
    proxyDevice: () => 'lan0',
    publicMtu: 1500,
    localAddress: 0,
  }
  return { done, routes: new SessionRoutes(network) }
}

describe('the routes of sessions', () => {
  const [first, second] = [ipv4('192.168.8.100'), ipv4('192.168.8.101')]

  it('are asked for once, and again where the MTU is another', () => {
    const { done, routes } = recorded()
    routes.lay(1, first, 1400, 'anna')
    routes.lay(1, first, 1400, 'anna')
    routes.lay(1, first, 1300, 'anna')
    expect(done).toEqual(['add 192.168.8.100 1400 lan0 anna', 'add 192.168.8.100 1300 lan0 anna'])
  })

  it('go where they were, whoever the client says it is by now', () => {
    const { done, routes } = recorded()
    routes.lay(1, first, 1400, 'anna')
    routes.lay(1, second, 1400, 'carl')
    routes.remove(1)
    routes.remove(1)
    expect(done.filter(d => d.startsWith('remove'))).toEqual(['remove 192.168.8.100', 'remove 192.168.8.101'])
  })

  it('are there before IPCP is done, and go with a link that ends before', () => {
    const w = new World()
    const guest = w.guest(anna)
    // Behind the client's password nothing gets through any more.
    guest.pass = () => w.routes.size === 0
    w.act(guest, { kind: 'start' })
    w.advance(5000)
    expect([...w.routes.keys()]).toEqual([first])
    expect(guest.client.phase).not.toBe('up')
    expect(w.take().filter(d => d.startsWith('networkUp') || d.startsWith('steer'))).toEqual([])
    w.advance(600_000)
    expect(w.routes.size).toBe(0)
    expect(w.take().filter(d => d.startsWith('steer'))).toEqual([])
  })

  it('are those that the link needs in the end', () => {
    const w = new World()
    const guest = w.guest(anna)
    w.connect(guest)
    const laid = w.take().filter(d => d.startsWith('route'))
    expect(laid).toHaveLength(1)
    expect(laid[0]).toContain(`mtu ${w.routes.get(ipv4(guest.innerAddress))!.mtu}`)
  })
})
