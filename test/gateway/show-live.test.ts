/** SHOW over a live gateway: with fixed dice and in virtual time each answer is the same, and stands in a file beside this. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import type { IpsecPolicyState, PppState } from '../../src/alliedware/show/state.ts'
import { carryOut } from '../../src/gateway/commands.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { windows10 } from '../support/profiles.ts'
import { commandWorld } from './command-world.ts'
import { anna, type Guest, type GuestOptions, LAN_HOST, OFFICE, ping, World } from './world.ts'

const update = process.env['UPDATE_GOLDEN'] === '1'
if (update && process.env['CI']) throw new Error('UPDATE_GOLDEN rewrites what a check compares with: not in CI')

const carl: GuestOptions = {
  profile: windows10,
  user: 'carl',
  password: 'cherries',
  address: ipv4('203.0.113.50'),
}

const SCRIPT = `${OFFICE}
add ip route=0.0.0.0 mask=0.0.0.0 interface=eth0 nexthop=203.0.113.254
add radius server=192.168.8.3 secret=radishes
create ipsec policy=isakmp interface=eth0 action=permit position=1
set ipsec policy=isakmp lport=500
`

/** Each file of answers, and the commands that it holds. */
const pages: Readonly<Record<string, readonly string[]>> = {
  isakmp: [
    'show isakmp',
    'show isakmp sa',
    'show isakmp sa=1',
    'show isakmp exchange',
    'show isakmp policy',
    'show isakmp policy=roaming1',
    'show isakmp counter',
    'show isakmp counter=main',
  ],
  ipsec: [
    'show ipsec',
    'show ipsec sa',
    'show ipsec sa=0 counter',
    'show ipsec policy',
    'show ipsec policy=roaming counter',
    'show ipsec saspecification',
    'show ipsec bundlespecification',
    'show ipsec counter',
    'show ipsec udptunnel',
  ],
  l2tp: ['show l2tp', 'show l2tp tunnel', 'show l2tp call', 'show l2tp ip', 'show l2tp user', 'show l2tp counter'],
  ppp: [
    'show ppp',
    'show ppp=0 counter',
    'show ppp configuration',
    'show ppp idletimer',
    'show ppp limits',
    'show ppp nameservers',
    'show ppp multilink',
    'show ppp utilisation',
    'show ppp=0 txstatus',
    'show ppp template',
  ],
  ip: [
    'show ip',
    'show ip interface',
    'show ip route',
    'show ip route=192.168.8.50',
    'show ip arp',
    'show ip pool',
    'show ip counter',
    'show ip udp',
  ],
  others: [
    'show user',
    'show session',
    'show log',
    'show log counter',
    'show log status',
    'show log queue',
    'show log receive',
    'show log severity=>=4',
    'show enco',
    'show enco key',
    'show enco counter',
    'show enco channel',
    'show feature',
    'show radius',
    'show system',
    'show time',
  ],
}

describe('SHOW over two connected clients', () => {
  let world: World
  let guest: Guest
  let type: (text: string) => ReturnType<typeof carryOut>

  beforeEach(() => {
    world = new World({ script: SCRIPT })
    const commands = commandWorld(world, {
      system: () => ({
        name: 'Gate',
        version: '1.0.0',
        uptimeSeconds: 93_784,
        workers: 2,
        crypto: 'OpenSSL 3.0.15',
        listening: ['UDP 500', 'UDP 4500', 'IP protocol 50'],
        tun: 'fg0',
        offloads: 'TUN TSO USO, UDP GRO GSO',
        warnings: [],
      }),
    })
    type = text => carryOut(commands, text, { uid: 0, pid: 4711 })
    guest = world.guest(anna)
    world.connect(guest)
    world.connect(world.guest(carl))
    world.advance(3000)
    pings(4)
  })

  /** Echo requests from the client, and the answers of the LAN. */
  function pings(count: number): void {
    for (let i = 0; i < count; i++) {
      world.act(guest, { kind: 'ipPacket', bytes: ping(guest.client.address, LAN_HOST) })
      world.fromLan(ping(LAN_HOST, guest.client.address, true))
    }
  }

  it.each(Object.entries(pages))(
    update ? 'WRITES %s anew (UPDATE_GOLDEN)' : 'prints %s as ever',
    async (file, list) => {
      let text = ''
      for (const command of list) {
        const answer = await type(command)
        expect(answer.exit, `${command}: ${answer.text}`).toBe(0)
        expect(answer.data, command).toBeDefined()
        text += `SecOff> ${command}\n\n${answer.text}\n\n`
      }
      for (const secret of ['apples', 'bananas', 'cherries', 'roam-free-2005', 'radishes']) {
        expect(text).not.toContain(secret)
      }
      const path = join(import.meta.dirname, 'shown', `${file}.txt`)
      if (update) writeFileSync(path, text)
      expect(existsSync(path)).toBe(true)
      expect(text.split('\n')).toEqual(readFileSync(path, 'utf8').split('\n'))
    },
  )

  it('counts four pings as the note says: outProcessDone and inProcessDone rise by four', async () => {
    const counters = async () => ((await type('sh ipsec poli=roaming count')).data as IpsecPolicyState).counters
    const links = async () => (await type('sh ppp=0 count')).data as PppState[]
    const [before, linkBefore] = [await counters(), await links()]
    pings(4)
    const [after, linkAfter] = [await counters(), await links()]
    expect(after.outProcessDone - before.outProcessDone).toBe(4)
    expect(after.inProcessDone - before.inProcessDone).toBe(4)
    expect(linkAfter[0]!.packetsIn - linkBefore[0]!.packetsIn).toBe(4)
    expect(linkAfter[0]!.packetsOut - linkBefore[0]!.packetsOut).toBe(4)
  })

  it('gives as data what it prints, and no more', async () => {
    const { data, text } = await type('show log module=user tail=1')
    expect(data).toMatchObject([{ module: 'USER', text: 'User carl authenticated on ppp1' }])
    expect(text).not.toContain('anna')
    expect((await type('show log reverse=2 type=vint')).data).toMatchObject([{ subtype: 'UP' }, { subtype: 'UP' }])
    const bundle = await type('show ipsec policy=roaming sabundle')
    expect((bundle.data as { sas: unknown[] }).sas).toHaveLength(2)
    expect(bundle.text).toContain('203.0.113.101:31002')
  })

  it('names what does not exist', async () => {
    for (const command of [
      'show isakmp sa=99',
      'show isakmp exchange=99',
      'show isakmp policy=none',
      'show ipsec sa=99',
      'show ipsec saspecification=99',
      'show l2tp tunnel=9',
      'show ppp=99',
      'show ppp template=9',
      'show ip pool=none',
      'show user=nobody',
      'show session=99',
      'show enco key=99',
    ]) {
      const answer = await type(command)
      expect(answer.exit, command).toBe(1)
      expect(answer.text).toContain('does not exist')
    }
  })

  it('shows an exchange while it lasts', async () => {
    const late = world.guest({ ...anna, user: 'ben', password: 'bananas', ports: { 500: 32_001, 4500: 32_002 } })
    // The third message of Main Mode is lost for good.
    let sent = 0
    late.pass = direction => direction === 'down' || ++sent < 2
    world.act(late, { kind: 'start' })
    const { data } = await type('show isakmp exchange')
    const [exchange] = data as { id: number }[]
    const one = await type(`show isakmp exchange=${exchange!.id}`)
    expect(one.text).toContain('State ............................ SASENT')
    expect(one.text).toContain('Policy ........................... roaming1')
  })
})
