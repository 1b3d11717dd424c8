/** ENABLE ... DEBUG over a live gateway: what is told, to whom, how much, and what never is. */

import { describe, expect, it } from 'vitest'
import { carryOut } from '../../src/gateway/commands.ts'
import { Debug } from '../../src/gateway/debug.ts'
import { toHex } from '../../src/packet/bytes.ts'
import { windows10 } from '../support/profiles.ts'
import { commandWorld, screen } from './command-world.ts'
import { FakeClock } from './fakes.ts'
import { anna, OFFICE, World } from './world.ts'

function setUp(script = OFFICE) {
  const world = new World({ script })
  const terminal = screen()
  const commands = commandWorld(world, {
    system: () => ({
      name: 'Gate',
      version: '1.0.0',
      uptimeSeconds: 1,
      workers: 2,
      crypto: 'none',
      listening: [],
      tun: 'fg0',
      offloads: 'none',
      warnings: [],
    }),
    tell: terminal.tell,
  })
  const type = (text: string, terminal?: number) =>
    carryOut(commands, text, { uid: 0, pid: 1, ...(terminal === undefined ? {} : { terminal }) })
  /** Without module and time. */
  const said = () => terminal.lines.map(line => line.replace(/^[A-Z0-9]+ \d\d:\d\d:\d\d: /, ''))
  return { world, type, screen: terminal.lines, said }
}

describe('ENABLE ISAKMP DEBUG', () => {
  it('tells every change of state by the names of SHOW ISAKMP EXCHANGE', async () => {
    const { world, type, screen, said } = setUp()
    expect((await type('enable isakmp debug=state', 7)).exit).toBe(0)
    world.connect(world.guest(anna))
    expect(screen[0]).toBe('ISAKMP 00:16:40: Exch 1: MAIN IDLE -> SARECV')
    expect(said()).toEqual([
      'Exch 1: MAIN IDLE -> SARECV',
      'Exch 1: MAIN SARECV -> SASENT',
      'Exch 1: MAIN SASENT -> KERECV',
      'Exch 1: MAIN KERECV -> KESENT',
      'Exch 1: MAIN KESENT -> AUTHRECV',
      'Exch 1: MAIN AUTHRECV -> AUTHSENT',
      'Exch 1: MAIN AUTHSENT -> UP',
      'Exch 2: QUICK STARTING -> RECEIVING_MESSAGE',
      'Exch 2: QUICK RECEIVING_MESSAGE -> SENDING_HASH_SA_NONCE',
      'Exch 2: QUICK SENDING_HASH_SA_NONCE -> WAIT_HASH',
      'Exch 2: QUICK WAIT_HASH -> DONE',
    ])
    screen.length = 0
    expect((await type('dis isakmp debug=all', 7)).exit).toBe(0)
    world.connect(world.guest({ ...anna, user: 'ben', password: 'bananas', ports: { 500: 32_001, 4500: 32_002 } }))
    expect(screen).toEqual([])
    expect((await type('show debug active')).data).toEqual([])
  })

  it('tells of one that times out, and nothing of one that stands still', async () => {
    const { world, type, said } = setUp()
    const quiet = world.guest({ ...anna, user: 'ben', password: 'bananas', ports: { 500: 32_001, 4500: 32_002 } })
    world.connect(quiet)
    await type('enable isakmp debug=state', 7)
    const lost = world.guest(anna)
    let sent = 0
    lost.pass = direction => direction === 'down' || ++sent < 2
    world.act(lost, { kind: 'start' })
    world.advance(300_000)
    expect(said()).toEqual([
      'Exch 3: MAIN IDLE -> SARECV',
      'Exch 3: MAIN SARECV -> SASENT',
      'Exch 3: MAIN SASENT -> deleted',
    ])
    // Seen for the first time in its farewell, it is known from before that.
    world.act(quiet, { kind: 'disconnect' })
    world.advance(5000)
    expect(said().slice(3)).toEqual(['Exch 1: MAIN UP -> deleted'])
  })

  it('walks through the payloads, of encrypted messages, too', async () => {
    const { world, type, said } = setUp()
    await type('ena isakmp debug=trace', 7)
    world.connect(world.guest(anna))
    const lines = said()
    expect(lines[0]).toMatch(
      /^from 203\.0\.113\.101:31001 at port 500: MAIN [0-9a-f]{16}:0{16} msgid 00000000, \d+ bytes$/,
    )
    expect(lines[1]).toMatch(/^payloads SA\(\d+\) VID\(20\)/)
    expect(lines).toContainEqual(expect.stringMatching(/^payloads KE\(256\) NONCE\(\d+\) NAT-D\(20\) NAT-D\(20\)$/))
    expect(lines).toContainEqual(expect.stringMatching(/^payloads ID\(\d+\) HASH\(20\)$/))
    expect(lines).toContainEqual(
      expect.stringMatching(/^payloads HASH\(20\) SA\(\d+\) NONCE\(\d+\) ID\(\d+\) ID\(\d+\)/),
    )
  })

  it('decodes them, and says why one fails', async () => {
    const { world, type, said } = setUp(`${OFFICE}set isakmp policy=roaming1 remoteid=somebody-else\n`)
    await type('enable isakmp debug', 7)
    world.connect(world.guest(anna))
    const lines = said().map(line => line.trim())
    expect(lines).toContain('ID: XPCLIENT 0/0')
    expect(lines).toContainEqual(expect.stringMatching(/^transform 1: Encryption TripleDes, Hash Sha1, Group 14/))
    expect(lines).toContainEqual(expect.stringMatching(/Remote ID different to expected/))
    expect(lines).toContain('discarded a datagram from 203.0.113.101:31002: bad-identity')
  })

  it('never tells a key, a password or a hash of one', async () => {
    const { world, type, screen } = setUp()
    for (const what of ['isakmp', 'l2tp', 'ipsec policy']) {
      expect((await type(`enable ${what} debug=all`, 7)).exit, what).toBe(0)
    }
    expect((await type('enable ppp debug=all', 7)).exit).toBe(0)
    const guest = world.guest(anna)
    world.connect(guest)
    expect(guest.client.phase).toBe('up')
    const text = screen.join('\n')
    expect(text).toContain('CHAP')
    const keys = world.control.ike.exportKeys().map(k => toHex(k.encryptionKey.reveal()))
    const esp = [...world.control.peers.all.values()].flatMap(p =>
      [...p.sas.values()].flatMap(({ sa }) =>
        [sa.inboundKeys, sa.outboundKeys].flatMap(k => [toHex(k.encryption.reveal()), toHex(k.integrity.reveal())]),
      ),
    )
    expect(keys).toHaveLength(1)
    expect(esp).toHaveLength(4)
    for (const secret of [...keys, ...esp, 'apples', 'roam-free-2005']) expect(text).not.toContain(secret)
  })
})

describe('ENABLE L2TP, PPP and IPSEC POLICY DEBUG', () => {
  it('tells messages and states of tunnels and calls', async () => {
    const { world, type, said } = setUp()
    await type('enable l2tp debug=all', 7)
    world.connect(world.guest(anna))
    const lines = said()
    expect(lines[0]).toMatch(/^peer 1 in SCCRQ, tunnel 0 session 0 Ns 0 Nr 0$/)
    expect(lines).toContain('  HostName XPCLIENT')
    expect(lines).toContainEqual(expect.stringMatching(/^peer 1 tunnel \d+: idle -> waitControlConnection$/))
    expect(lines).toContainEqual(expect.stringMatching(/^peer 1 tunnel \d+ call \d+: .* -> established$/))
  })

  it('tells frames and states of one link, and ends after so many messages', async () => {
    const { world, type, said } = setUp()
    expect((await type('enable ppp template=1 debug=lcp,auth,ncp', 7)).exit).toBe(0)
    expect((await type('enable ppp template=2 debug=all', 7)).exit).toBe(1)
    world.connect(world.guest({ ...anna, profile: windows10 }))
    const lines = said()
    expect(lines).toContain('ppp0: LCP Initial -> Req-Sent')
    expect(lines).toContain('ppp0: LCP Ack-Rcvd -> Opened')
    expect(lines).toContainEqual(expect.stringMatching(/^ppp0: in CHAP Response id \d+, value of 16 bytes, name anna$/))
    expect(lines).toContain('ppp0: phase authenticate -> network')
    expect((await type('show debug active')).data).toMatchObject([{ module: 'ppp', object: 'template 1' }])

    await type('disable ppp template=1 debug=all')
    await type('enable ppp=0 debug=pkt numpkts=2', 7)
    const before = said().length
    world.advance(200_000)
    const added = said()
      .slice(before)
      .filter(line => line.startsWith('ppp0:'))
    expect(added).toHaveLength(2)
    expect((await type('show debug active')).data).toEqual([])
  })

  it('tells what becomes of the SAs of one policy', async () => {
    const { world, type, said } = setUp()
    expect((await type('enable ipsec policy=nobody debug=all', 7)).exit).toBe(1)
    expect((await type('ena ipsec poli=roaming debug=all', 7)).exit).toBe(0)
    const guest = world.guest(anna)
    world.connect(guest)
    expect(said()[0]).toMatch(
      /^inbound SA made: policy roaming, peer 1 203\.0\.113\.101:31002, in 0x[0-9a-f]{8} out 0x[0-9a-f]{8}, 3des-sha1, in UDP, life 3600 s \/ 250000 kB$/,
    )
    expect(said()).toContainEqual(expect.stringMatching(/^first packet on inbound SA 0x[0-9a-f]{8}$/))
    world.act(guest, { kind: 'disconnect' })
    world.advance(5000)
    expect(said()).toContainEqual(expect.stringMatching(/^SA removed: in 0x[0-9a-f]{8} out 0x[0-9a-f]{8}, peer 1: /))
  })
})

describe('SHOW DEBUG', () => {
  it('holds the shows, the latest lines, and says when it is complete', async () => {
    const { world, type } = setUp()
    await type('enable isakmp debug=state')
    world.connect(world.guest(anna))
    const { exit, text, data } = await type('show debug')
    expect(exit).toBe(0)
    for (const part of ['>>> show isakmp sa', '>>> show config dynamic', '>>> show log', 'MAIN AUTHSENT -> UP'])
      expect(text).toContain(part)
    expect(text.endsWith('>>> SHOW DEBUG is complete.')).toBe(true)
    expect(text).not.toContain('apples')
    expect(Object.keys(data as object)).toContain('show ppp configuration')
  })
})

describe('who listens', () => {
  it('without a terminal listens for ten minutes, or follows until it hangs up', async () => {
    const { world, type } = setUp()
    const { follow } = await type('enable isakmp debug=state')
    expect(follow!.millis).toBe(600_000)
    const heard: string[] = []
    const stop = follow!.start(
      text => heard.push(text) > 0,
      () => undefined,
    )
    expect((await type('show debug active')).data).toHaveLength(1)
    world.connect(world.guest(anna))
    expect(heard).toHaveLength(11)
    stop()
    expect((await type('show debug active')).data).toEqual([])
    await type('enable isakmp debug=state timeout=5')
    world.advance(6000)
    expect((await type('show debug active')).data).toEqual([])
  })

  it('ends with its terminal', async () => {
    const { world, type } = setUp()
    await type('enable isakmp debug=state', 9)
    expect((await type('show debug active')).data).toHaveLength(1)
    world.connect(world.guest(anna))
    expect((await type('show debug active')).data).toEqual([])
  })

  it('gets no more than it can read, and is told how much was left out', () => {
    const clock = new FakeClock()
    const debug = new Debug(clock, () => new Date(0))
    const heard: string[] = []
    debug.enable({ module: 'isakmp', modes: ['trace'], who: 'me', write: text => heard.push(text) > 0 })
    for (let i = 0; i < 1000; i++) debug.say('isakmp', 'trace', [`line ${i}`])
    expect(heard).toHaveLength(400)
    clock.advance(1000)
    expect(heard.at(-1)).toBe('600 lines left out')
    debug.say('isakmp', 'trace', ['and on'])
    expect(heard.at(-1)).toBe('ISAKMP 00:00:00: and on')
    debug.say('isakmp', 'state', ['not asked for'])
    expect(heard).toHaveLength(402)
    expect(debug.recent()).toHaveLength(402)
  })
})
