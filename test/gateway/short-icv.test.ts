import { expect, it } from 'vitest'
import { counters } from '../../src/gateway/show.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { androidSha256 } from '../support/unix-profiles.ts'
import { OFFICE, World } from './world.ts'

it('a client that cuts SHA-256 to 96 bits is served, told in the log and counted', () => {
  const w = new World({ script: OFFICE.replace('encalg=aes256 hashalg=sha ', 'encalg=aes256 hashalg=sha256 ') })
  const guest = w.guest({
    profile: androidSha256,
    user: 'anna',
    password: 'apples',
    address: ipv4('10.1.0.11'),
    outer: ipv4('203.0.113.101'),
    ports: { 500: 31_001, 4500: 31_002 },
  })
  w.connect(guest)
  expect(guest.client.phase).toBe('up')
  expect(counters(w.control, {})['ike']!['short-icv']).toBe(1)
  expect(w.log.some(l => l.includes('cuts SHA-256 to 96 bits'))).toBe(true)
})
