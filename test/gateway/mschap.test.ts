/** MS-CHAPv2 and RECHALLENGE from the script to the user's address, with whole clients around a whole gateway. */

import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/packet/bytes.ts'
import { formatIpv4, ipv4 } from '../../src/packet/ip.ts'
import type { PppClientOptions } from '../support/ppp-client.ts'
import { windows10, windowsXp } from '../support/profiles.ts'
import { LAN_HOST, OFFICE, ping, World } from './world.ts'

const template = (words: string) => OFFICE.replace('authentication=chap', words)
const EITHER = template('authentication=either')

function connect(script: string, ppp: Partial<PppClientOptions>, user = 'anna', password = 'apples') {
  const w = new World({ script })
  const guest = w.guest({ profile: windows10, user, password, address: ipv4('203.0.113.77') })
  Object.assign(guest.client.ppp.options, ppp)
  w.connect(guest, 60_000)
  return { w, guest, ppp: guest.client.ppp }
}

const authentications = (w: World) => w.log.filter(l => / authenticat/.test(l))

describe('a client that knows only MS-CHAPv2', () => {
  it.each([windowsXp, windows10])('connects where the template says EITHER: $name', profile => {
    const w = new World({ script: EITHER })
    const guest = w.guest({ profile, user: 'OFFICE\\Anna', password: 'apples', address: ipv4('203.0.113.77') })
    Object.assign(guest.client.ppp.options, { acceptsChap: false })
    w.connect(guest)
    expect(guest.client.phase).toBe('up')
    expect(w.attempts[0]).toMatchObject({ outcome: 'connected', user: 'anna' })
    expect(w.control.bugs).toBe(0)
  })

  it('is told what to change where the template says CHAP', () => {
    const { w, guest } = connect(OFFICE, { acceptsChap: false })
    expect(guest.client.phase).not.toBe('up')
    expect(w.attempts[0]).toMatchObject({
      outcome: 'failed',
      text: "PPP failed: the client refuses CHAP (MD5): it wants MS-CHAPv2; allow CHAP in the client's security settings",
      remedy: expect.stringContaining('AUTHENTICATION=EITHER'),
    })
  })

  it('may type the password again, and the attempt ends well', () => {
    const { w, guest } = connect(EITHER, { retryPasswords: ['apples'] }, 'anna', 'pears')
    expect(guest.client.phase).toBe('up')
    expect(authentications(w)).toHaveLength(2)
    expect(w.attempts).toMatchObject([{ outcome: 'connected', user: 'anna', remedy: '' }])
    expect(w.control.admissions.counts.get('anna')).toEqual({ good: 1, bad: 1 })
  })

  it('that cannot be let in is refused with one reason', () => {
    const { w, guest } = connect(EITHER, { retryPasswords: ['b', 'c'] }, 'anna', 'a')
    expect(guest.client.phase).toBe('down')
    expect(w.attempts).toMatchObject([{ outcome: 'failed', text: 'wrong password for user "anna"' }])
    w.advance(60_000)
    expect(w.control.sessions.all.size).toBe(0)
    expect(w.control.bugs).toBe(0)
  })

  it('learns of a full pool by another number than that of a wrong password', () => {
    const { ppp } = connect(EITHER.replace('ippool=callers ', ''), {})
    expect(ppp.chapMessage).toMatch(/^E=649 R=0 /)
  })
})

it('a client that wants CHAP has it with EITHER', () => {
  const { guest, ppp } = connect(EITHER, { acceptsMsChap2: false })
  expect(guest.client.phase).toBe('up')
  expect(ppp.chapAlgorithm).toBe(5)
})

describe.each(['chap', 'either'])('RECHALLENGE with AUTHENTICATION=%s', authentication => {
  const script = template(`authentication=${authentication} rechallenge=360`)

  it('asks every so often, and the session stays as it is', () => {
    const { w, guest, ppp } = connect(script, {})
    w.advance(1_000_000)
    expect(ppp.responses).toBe(3)
    expect(authentications(w).at(-1)).toContain('User anna authenticated again on ppp0')
    expect(guest.client.phase).toBe('up')
    expect([...w.routes]).toHaveLength(1)
    w.act(guest, { kind: 'ipPacket', bytes: ping(guest.client.address, LAN_HOST) })
    expect(w.toLan).toHaveLength(1)
  })

  it('ends the session of a user whose password has changed', () => {
    const { w, guest } = connect(script, {})
    const { configuration } = w.control
    const users = configuration.users.map(u => (u.name === 'anna' ? { ...u, password: Secret.fromText('pears') } : u))
    w.control.configure({ ...configuration, users })
    expect(guest.client.phase).toBe('up')
    w.advance(400_000)
    expect(guest.client.phase).not.toBe('up')
    expect(w.control.sessions.all.size).toBe(0)
    expect(w.routes.size).toBe(0)
    expect(w.attempts[0]!.text).toContain('ended: the password is wrong')
  })

  it('does not move a user whose own address changed meanwhile', () => {
    const { w, guest } = connect(script, {}, 'carl', 'cherries')
    const { configuration } = w.control
    const users = configuration.users.map(u => ({ ...u, ipAddress: u.ipAddress && ipv4('192.168.8.60') }))
    w.control.configure({ ...configuration, users })
    w.advance(400_000)
    expect(guest.client.phase).toBe('up')
    expect([...w.routes.keys()].map(a => (typeof a === 'number' ? formatIpv4(a) : a))).toEqual(['192.168.8.50'])
    w.act(guest, { kind: 'disconnect' })
    w.advance(60_000)
    expect(w.routes.size).toBe(0)
    expect(w.control.bugs).toBe(0)
  })
})
