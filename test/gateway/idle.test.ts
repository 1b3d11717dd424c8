/** IDLE of a PPP template: a session that carries nothing is hung up, and one that carries something is not. */

import { describe, expect, it } from 'vitest'
import { anna, type Guest, LAN_HOST, OFFICE, ping, World } from './world.ts'

function dialIn(idle: string): { w: World; guest: Guest } {
  const w = new World({ script: OFFICE.replace('echo=30', `echo=30${idle}`) })
  const guest = w.guest(anna)
  w.connect(guest)
  expect(guest.client.phase).toBe('up')
  return { w, guest }
}

describe('IDLE of a PPP template', () => {
  it('hangs up what carries no data, echoes and Hellos or not, with LCP, CDN, StopCCN, and the reason', () => {
    const { w, guest } = dialIn(' idle=300')
    w.advance(290_000)
    expect(guest.client.phase).toBe('up')
    w.advance(25_000)
    expect(guest.down).toMatchObject({ failed: 'connected', reason: 'terminated by the gateway' })
    expect(w.control.sessions.all.size).toBe(0)
    expect(w.routes.size).toBe(0)
    const { callsConnected, tunnelsDead } = w.control.l2tp.snapshot().counters
    expect([callsConnected, tunnelsDead]).toEqual([1, 0])
    expect(w.attempts).toMatchObject([
      { outcome: 'ended', text: 'connected as 192.168.8.100; ended: idle: no data for 300 seconds' },
    ])
    expect(w.log.some(l => l.includes('ppp0: interface is down: idle: no data for 300 seconds'))).toBe(true)
    w.advance(60_000)
    expect(w.control.peers.all.size).toBe(0)
  })

  it.each<[string, (w: World, guest: Guest) => void]>([
    ['up', (w, g) => w.act(g, { kind: 'ipPacket', bytes: ping(g.client.address, LAN_HOST) })],
    ['down', (w, g) => w.fromLan(ping(LAN_HOST, g.client.address, true))],
  ])('lets be what carries data %s, and counts from the last packet on', (way, use) => {
    const { w, guest } = dialIn(' idle=300')
    // What the LAN says on its own the firewall lets pass for a flow that the client began.
    if (way === 'down') w.act(guest, { kind: 'ipPacket', bytes: ping(guest.client.address, LAN_HOST) })
    for (let i = 0; i < 20; i++) {
      use(w, guest)
      w.advance(25_000)
    }
    expect(guest.client.phase).toBe('up')
    w.advance(250_000)
    expect(guest.client.phase).toBe('up')
    w.advance(40_000)
    expect(guest.client.phase).toBe('down')
  })

  it('never does where it is off, and follows a change of the template', () => {
    const { w, guest } = dialIn('')
    w.advance(3600_000)
    expect(guest.client.phase).toBe('up')
    const { configuration } = w.control
    const pppTemplates = configuration.pppTemplates.map(t => ({ ...t, idleSeconds: 60 }))
    w.control.configure({ ...configuration, pppTemplates })
    w.advance(15_000)
    expect(guest.client.phase).toBe('down')
  })
})
