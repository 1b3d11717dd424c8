/** Commands on a running gateway: what they do not concern goes on, and what they do concern changes at once. */

import { describe, expect, it } from 'vitest'
import { carryOut } from '../../src/gateway/commands.ts'
import { Log } from '../../src/gateway/log.ts'
import { formatIpv4, ipv4 } from '../../src/packet/ip.ts'
import { windows10 } from '../support/profiles.ts'
import { commandWorld } from './command-world.ts'
import { anna, type Guest, type GuestOptions, LAN_HOST, OFFICE, ping, World } from './world.ts'

const ben: GuestOptions = {
  ...anna,
  profile: windows10,
  user: 'ben',
  password: 'bananas',
  outer: ipv4('203.0.113.102'),
}

function running(script = OFFICE) {
  const world = new World({ script })
  const commands = commandWorld(world, { log: new Log(() => undefined) })
  const type = async (text: string) => {
    const answer = await carryOut(commands, text, { uid: 0, pid: 4711 })
    expect(answer.exit, `${text}: ${answer.text}`).toBe(0)
    world.advance(1000)
    return answer.text
  }
  const join = (o: GuestOptions): Guest => {
    const guest = world.guest(o)
    world.connect(guest)
    return guest
  }
  return { world, type, join }
}

/** Whether a packet of the guest's comes out at the LAN, and the answer comes back. */
function carries(world: World, guest: Guest): boolean {
  const [before, answered] = [world.toLan.length, guest.received.length]
  world.act(guest, { kind: 'ipPacket', bytes: ping(guest.client.address, LAN_HOST) })
  world.fromLan(ping(LAN_HOST, guest.client.address, true))
  return world.toLan.length === before + 1 && guest.received.length === answered + 1
}

const UNRELATED = [
  'set system name=Other',
  'add user=dora password="two dates" login=no',
  'set user=ben password=berries',
  'set user=ben ipaddress=192.168.8.77',
  'disable user=ben',
  'enable user=ben',
  'delete user=ben',
  'create ip pool=more ip=192.168.8.150-192.168.8.160',
  'set ip pool=callers ip=192.168.8.120-192.168.8.130',
  'create ppp template=2 ippool=more authentication=chap',
  'set ppp template=1 echo=60',
  'set ppp dnsprimary=192.168.8.3',
  'add l2tp ip=198.51.100.1-198.51.100.9 ppptemplate=2',
  'create enco key=7 type=general value=another-key',
  'create isakmp policy=partner peer=198.51.100.7 key=7',
  'set isakmp policy=partner encalg=aes256 group=14',
  'destroy isakmp policy=partner',
  'create ipsec policy=web interface=eth0 action=permit lport=80 position=1',
  'destroy ipsec policy=web',
  'create ipsec saspecification=9 keymanagement=isakmp protocol=esp encalg=aes128 hashalg=sha mode=transport',
  'create ipsec bundlespecification=9 keymanagement=isakmp string=9',
  'add firewall policy=main rule=10 interface=eth0 action=allow protocol=tcp port=80',
  'delete firewall policy=main rule=10',
  'set firewall policy=main udptimeout=7',
  'add ip route=10.9.0.0 mask=255.255.0.0 interface=vlan1 nexthop=192.168.8.9',
  'add alias=who string="show session"',
  'add ssh user=secoff password=seven-seals',
  'set user securedelay=120',
]

describe('a change that does not concern a session', () => {
  it('lets it go on, whatever and however many', async () => {
    const { world, type, join } = running()
    const guest = join(anna)
    const id = [...world.control.sessions.all.keys()]
    for (const text of UNRELATED) {
      await type(text)
      expect(carries(world, guest), text).toBe(true)
    }
    world.advance(200_000)
    expect(carries(world, guest)).toBe(true)
    expect([...world.control.sessions.all.keys()]).toEqual(id)
    expect(world.control.bugs).toBe(0)
  })
})

describe('a change that does concern it', () => {
  it.each([
    ['delete user=anna', 'user anna is deleted or disabled'],
    ['disable user=anna', 'user anna is deleted or disabled'],
    ['purge user', 'user anna is deleted or disabled'],
    ['disable l2tp', 'L2TP is disabled'],
    ['disable l2tp server', 'L2TP is disabled'],
    ['disable isakmp', 'ISAKMP is disabled'],
    ['disable ipsec', 'IPsec is disabled'],
    ['purge ipsec', 'IPsec is disabled'],
    ['destroy ipsec policy=roaming', 'IPsec policy "roaming" is gone'],
    ['set ipsec policy=roaming action=deny', 'IPsec policy "roaming" is gone'],
  ])('"%s" ends it, and the next attempt fails', async (text, why) => {
    const { world, type, join } = running()
    const guest = join(anna)
    await type(text)
    expect(guest.client.phase).not.toBe('up')
    expect(world.control.sessions.all.size).toBe(0)
    expect(world.routes.size).toBe(0)
    expect(world.attempts[0]!.text).toContain(why)
    const again = world.guest({ ...anna, life: 2, ports: { 500: 31_003, 4500: 31_004 } })
    world.connect(again, 60_000)
    expect(again.client.phase).not.toBe('up')
    expect(world.control.bugs).toBe(0)
  })

  it('is the first session’s alone: who comes by another policy, and who else there is, stays', async () => {
    const two = `${OFFICE}
create isakmp policy=second peer=203.0.113.102 key=1
create ipsec policy=other interface=eth0 action=ipsec keymanagement=isakmp bundlespecification=1 peeraddress=203.0.113.102 isakmppolicy=second position=1
set ipsec policy=other transportprotocol=udp lport=1701`
    const { world, type, join } = running(two)
    const [first, second] = [join(anna), join(ben)]
    expect([...world.control.peers.all.values()].map(p => p.ipsecPolicy)).toEqual(['roaming', 'other'])
    await type('destroy ipsec policy=other')
    await type('destroy isakmp policy=second')
    expect(second.client.phase).not.toBe('up')
    expect(carries(world, first)).toBe(true)
  })

  it('is the end of an ISAKMP policy that no IPsec policy names', async () => {
    const two = `${OFFICE.replace(' isakmppolicy=roaming1', '')}
create isakmp policy=second peer=203.0.113.102 key=1`
    const { world, type, join } = running(two)
    const [first, second] = [join(anna), join(ben)]
    expect([...world.control.peers.all.values()].map(p => p.policy)).toEqual(['roaming1', 'second'])
    await type('destroy isakmp policy=second')
    expect(second.client.phase).not.toBe('up')
    expect(world.attempts[1]!.text).toContain('ISAKMP policy "second" is gone')
    expect(carries(world, first)).toBe(true)
  })

  it('says of a disabled user what to do, and ENABLE USER lets it in again', async () => {
    const { world, type, join } = running()
    await type('disable user=anna')
    const out = join(anna)
    expect(out.client.phase).not.toBe('up')
    expect(world.attempts[0]).toMatchObject({ outcome: 'failed', text: 'user "anna" is disabled' })
    expect(await type('show config dynamic')).toContain('disable user=anna')
    await type('enable user=anna')
    expect(await type('show config dynamic')).not.toContain('disable user=anna')
    const guest = join({ ...anna, life: 2, ports: { 500: 31_003, 4500: 31_004 } })
    expect(guest.client.phase).toBe('up')
  })

  it('keeps what was done to users who are not in the script, too', async () => {
    const { world, type, join } = running()
    await type('add user=dora password="two dates" login=no')
    await type('disable user=dora')
    expect(world.secrets.allUsers()).toMatchObject([{ name: 'dora', disabled: true }])
    expect(join({ ...anna, user: 'dora', password: 'two dates' }).client.phase).not.toBe('up')
    await type('purge user')
    expect(world.secrets.allUsers()).toEqual([])
    expect(world.control.configuration.users).toEqual([])
  })

  it('gives the next caller an address of the changed pool, under the changed template', async () => {
    const { world, type, join } = running()
    const first = join(anna)
    await type('set ip pool=callers ip=192.168.8.120-192.168.8.121')
    await type('set ppp dnsprimary=192.168.8.9')
    await type('set ppp template=1 mru=1300')
    expect(carries(world, first)).toBe(true)
    const second = join(ben)
    expect([first, second].map(g => g.innerAddress)).toEqual(['192.168.8.100', '192.168.8.120'])
    expect(second.client.ppp.dns.map(formatIpv4)).toContain('192.168.8.9')
    expect(first.client.ppp.dns.map(formatIpv4)).toContain('192.168.8.2')
    expect([first, second].map(g => g.client.ppp.serverMru)).toEqual([1400, 1300])
  })

  it('opens and closes the firewall for packets at once', async () => {
    const { world, type, join } = running()
    const guest = join(anna)
    expect(carries(world, guest)).toBe(true)
    await type('delete firewall policy=main interface=dyn-roaming')
    expect(carries(world, guest)).toBe(false)
    await type('add firewall policy=main interface=dyn-roaming type=private')
    expect(carries(world, guest)).toBe(true)
  })
})
