/** Whole PPP conversations with clients that behave like the built-in ones, step by step in virtual time. */

import { describe, expect, it } from 'vitest'
import { formatIpv4, ipv4 } from '../../src/packet/ip.ts'
import { Pair } from '../ppp/pair.ts'

describe('a Windows XP client', () => {
  it('comes up: callback refused once, CHAP, CCP refused, IPCP in three rounds', () => {
    const pair = new Pair({ dns: ['10.0.0.53', '10.0.0.54'] }).start().run(1000)
    expect(pair.ladder).toEqual([
      '< LCP Req 1,3,5',
      '> LCP Req 1,5,7,8,13',
      '> LCP Ack 1,3,5',
      '< LCP Rej 13',
      '> LCP Req 1,5,7,8',
      '< LCP Ack 1,5,7,8',
      '< CHAP Challenge',
      '> LCP Ident',
      '> LCP Ident',
      '> CHAP Response',
      '< CHAP Success',
      '< IPCP Req 3',
      '> CCP Req 18',
      '> IPCP Req 3,129,130,131,132',
      '> IPCP Ack 3',
      '< LCP ProtRej',
      '< IPCP Rej 130,132',
      '> IPCP Req 3,129,131',
      '< IPCP Nak 3,129,131',
      '> IPCP Req 3,129,131',
      '< IPCP Ack 3,129,131',
    ])
    expect(pair.client).toMatchObject({
      authenticated: true,
      ipcpOpened: true,
      chapMessage: 'Welcome',
      address: ipv4('192.168.8.50'),
      serverAddress: ipv4('192.168.8.254'),
      serverMru: 1400,
      dns: [ipv4('10.0.0.53'), ipv4('10.0.0.54')],
      protocolRejects: [0x80fd],
    })
    expect(pair.all('networkUp')).toEqual([
      {
        kind: 'networkUp',
        address: ipv4('192.168.8.50'),
        localAddress: ipv4('192.168.8.254'),
        user: 'dialin2',
        peerMru: 1400,
        compressAddress: true,
        compressProtocol: true,
      },
    ])
    expect(pair.link.snapshot()).toMatchObject({
      phase: 'network',
      lcp: 'Opened',
      ipcp: 'Opened',
      user: 'dialin2',
      peerMagic: 0x12345678,
      identifications: ['MSRASV5.10', 'MSRAS-0-XPCLIENT'],
    })
  })

  it('is told to leave out VJ and the servers we lack in a single Reject, never the address', () => {
    const pair = new Pair({ client: { headerCompression: true }, dns: [] }).start().run(1000)
    expect(pair.ladder.filter(l => l.startsWith('< IPCP Rej'))).toEqual(['< IPCP Rej 2,129,130,131,132'])
    expect(formatIpv4(pair.client.address)).toBe('192.168.8.50')
    expect(pair.client.ipcpOpened).toBe(true)
  })

  it('hangs up, and the reason is said in words', () => {
    const pair = new Pair().start().run(1000)
    pair.fromClient(pair.client.hangUp(pair.now))
    pair.run(1000)
    expect(pair.ladder.slice(-2)).toEqual(['> LCP TermReq', '< LCP TermAck'])
    expect(pair.all('down')).toEqual([{ kind: 'down', cause: 'peer-terminated', detail: 'the user hung up' }])
    expect(pair.link.deadline).toBeUndefined()
  })

  it('says error 742 when its settings want MPPE', () => {
    const pair = new Pair().start().run(1000)
    pair.fromClient(pair.client.hangUp(pair.now, 742))
    pair.run(100)
    expect(pair.all('down')[0]!.detail).toContain('742')
    expect(pair.all('down')[0]!.detail).toContain('encrypt')
  })

  it('with a wrong password gets a Failure and is hung up on', () => {
    const pair = new Pair({ client: { password: 'wrong' } }).start().run(5000)
    expect(pair.ladder).toContain('< CHAP Failure')
    expect(pair.client).toMatchObject({ authenticated: false, chapMessage: 'Authentication failed' })
    expect(pair.client.ended).toBe('terminated by the gateway')
    expect(pair.all('down')).toEqual([
      { kind: 'down', cause: 'authentication-failed', detail: 'the password is wrong' },
    ])
  })

  it('without CHAP ticked is told so after two tries', () => {
    const pair = new Pair({ client: { acceptsChap: false } }).start().run(10_000)
    expect(pair.ladder.filter(l => l === '> LCP Nak 3')).toHaveLength(2)
    expect(pair.all('down')).toHaveLength(1)
    expect(pair.all('down')[0]).toMatchObject({ cause: 'peer-refused' })
    expect(pair.all('down')[0]!.detail).toMatch(/it wants MS-CHAPv2; allow CHAP/)
  })

  it('that renegotiates LCP is authenticated anew and keeps its link', () => {
    const pair = new Pair().start().run(1000)
    pair.fromClient(pair.client.renegotiate(pair.now))
    pair.run(2000)
    expect(pair.effects.map(e => e.kind).filter(k => k !== 'event')).toEqual([
      'authenticate',
      'networkUp',
      'networkDown',
      'authenticate',
      'networkUp',
    ])
    expect(pair.client.ipcpOpened).toBe(true)
    expect(pair.link.snapshot().phase).toBe('network')
  })

  it('is asked for a sign of life only when it is quiet', () => {
    const pair = new Pair().start().run(1000)
    const echoes = () => pair.ladder.filter(l => l === '< LCP EchoReq').length
    for (let i = 0; i < 6; i++) {
      pair.input({ kind: 'active' })
      pair.run(30_000)
    }
    expect(echoes()).toBe(0)
    pair.run(120_000)
    expect(echoes()).toBeGreaterThanOrEqual(1)
    expect(pair.all('down')).toEqual([])
  })

  it('that is gone without a word is declared dead after four Echo-Requests', () => {
    let gone = false
    const pair = new Pair({ loses: () => gone }).start().run(1000)
    gone = true
    pair.run(181_000)
    expect(pair.ladder.filter(l => l === 'x< LCP EchoReq')).toHaveLength(4)
    expect(pair.all('down')).toEqual([
      { kind: 'down', cause: 'echo-failed', detail: 'no answer to 4 LCP Echo-Requests' },
    ])
  })

  it('gets its Echo-Requests answered with our magic number', () => {
    const pair = new Pair().start().run(1000)
    pair.fromClient(pair.client.echo(pair.now))
    pair.run(100)
    expect(pair.client.echoRepliesSeen.map(b => b.readUInt32BE(0))).toEqual([pair.link.snapshot().localMagic])
  })
})

describe('a Windows 7 client', () => {
  it('asks for IPV6CP and CCP first and goes on without them', () => {
    const pair = new Pair({ client: { flavour: 'win7', name: 'WORKGROUP\\dialin1', password: 'friend1' } })
      .start()
      .run(1000)
    expect(pair.client.protocolRejects).toEqual([0x8057, 0x80fd])
    expect(formatIpv4(pair.client.address)).toBe('192.168.8.11')
    expect(pair.all('networkUp')).toHaveLength(1)
    expect(pair.link.snapshot().identifications).toEqual(['MSRASV5.20', 'MSRAS-0-XPCLIENT', '9d'.repeat(16)])
    const down = pair.all('networkUp')[0]!
    expect(down.user).toBe('dialin1')
  })
})

describe('a pppd client', () => {
  it('negotiates ACCM, asks for DNS only, and gets through', () => {
    const pair = new Pair({ client: { flavour: 'plain' }, dns: ['10.0.0.53'] }).start().run(1000)
    expect(pair.ladder.filter(l => l.startsWith('< LCP Rej'))).toEqual([])
    expect(pair.client).toMatchObject({ ipcpOpened: true, dns: [ipv4('10.0.0.53'), 0] })
  })
})

describe('without authentication', () => {
  it('the link asks only for an address', () => {
    const pair = new Pair({ template: { authentication: 'none' } }).start().run(100)
    pair.fromClient(pair.client.startWithoutAuthentication(pair.now))
    pair.run(1000)
    expect(pair.all('authenticate')).toMatchObject([{ method: 'none', name: '', identifier: 0 }])
    expect(pair.all('networkUp')).toHaveLength(1)
    expect(pair.ladder.some(l => l.includes('CHAP'))).toBe(false)
  })
})

describe('the gateway hangs up', () => {
  it('with a Terminate-Request that the client acknowledges', () => {
    const pair = new Pair().start().run(1000)
    pair.input({ kind: 'close', reason: 'RESET PPP' })
    pair.run(1000)
    expect(pair.client.ended).toBe('terminated by the gateway')
    expect(pair.effects.slice(-2)).toEqual([
      { kind: 'networkDown' },
      { kind: 'down', cause: 'closed', detail: 'RESET PPP' },
    ])
  })

  it('and does not wait for ever where nobody answers', () => {
    let gone = false
    const pair = new Pair({ loses: () => gone }).start().run(1000)
    gone = true
    pair.input({ kind: 'close', reason: 'RESET PPP' })
    pair.run(3100)
    expect(pair.ladder.filter(l => l === 'x< LCP TermReq')).toHaveLength(2)
    expect(pair.all('down')).toHaveLength(1)
  })

  it('before PPP began', () => {
    const pair = new Pair()
    pair.input({ kind: 'close', reason: 'shutdown' })
    expect(pair.effects).toEqual([{ kind: 'down', cause: 'closed', detail: 'shutdown' }])
  })

  it('when the carrier is lost, without a word', () => {
    const pair = new Pair().start().run(1000)
    const effects = pair.input({ kind: 'lost', reason: 'tunnel down' })
    expect(effects).toEqual([{ kind: 'down', cause: 'lost', detail: 'tunnel down' }])
  })
})

describe('loss and silence', () => {
  it('a client that never answers is given up after ten Configure-Requests', () => {
    const pair = new Pair({ loses: () => true }).start().run(60_000)
    expect(pair.ladder.filter(l => l === 'x< LCP Req 1,3,5')).toHaveLength(10)
    expect(pair.all('down')).toEqual([
      { kind: 'down', cause: 'lcp-failed', detail: 'the client does not answer PPP at all' },
    ])
  })

  it('survives the loss of any one frame, with one session and no renegotiation', () => {
    const frames = new Pair().start().run(1000).ladder.length
    for (let lost = 0; lost < frames; lost++) {
      const pair = new Pair({ loses: index => index === lost }).start().run(20_000)
      expect([lost, pair.client.ipcpOpened, pair.all('networkUp').length]).toEqual([lost, true, 1])
    }
  })

  it('gets through with every third frame lost', () => {
    for (let phase = 0; phase < 3; phase++) {
      const pair = new Pair({ loses: index => index % 3 === phase }).start().run(60_000)
      expect(pair.client.ipcpOpened).toBe(true)
      expect(pair.all('down')).toEqual([])
    }
  })

  it('works over a path of two and a half seconds each way', () => {
    const pair = new Pair({ delay: 2500, client: { restartMillis: 8000 } }).start().run(60_000)
    expect(pair.client.ipcpOpened).toBe(true)
    expect(pair.all('down')).toEqual([])
  })

  it('ends when AAA never answers', () => {
    const pair = new Pair({ authenticate: false }).start().run(90_000)
    expect(pair.all('down')).toMatchObject([{ cause: 'authentication-failed' }])
  })
})
