import { describe, expect, it } from 'vitest'
import type { AuthenticationMethod, PppEffect } from '../../src/ppp/effects.ts'
import { Pair, type PairOptions } from '../ppp/pair.ts'

const either = (options: PairOptions = {}) =>
  new Pair({ ...options, template: { authentication: 'either', ...options.template } }).start()

const chapOnly = (pair: Pair) => pair.ladder.filter(l => l.includes('CHAP'))
const asked = (pair: Pair): AuthenticationMethod[] => pair.all('authenticate').map(e => e.method)
const isUp = (effects: readonly PppEffect[]) => effects.some(e => e.kind === 'networkUp')

const agreed = (pair: Pair) => pair.link.snapshot().authentication

describe('MS-CHAPv2', () => {
  it('comes first where the template leaves the choice, and proves both sides to each other', () => {
    const pair = either().run(1000)
    expect(chapOnly(pair)).toEqual(['< CHAP Challenge', '> CHAP Response', '< CHAP Success'])
    expect(asked(pair)).toEqual(['mschap2'])
    expect(agreed(pair)).toBe('mschap2')
    expect(pair.client.chapAlgorithm).toBe(0x81)
    expect(pair.client.chapMessage).toMatch(/^S=[0-9A-F]{40} M=Welcome$/)
    expect(pair.client.ipcpOpened).toBe(true)
  })

  it.each(['xp', 'win7', 'plain'] as const)('lets in a client of flavour %s', flavour => {
    const pair = either({ client: { flavour, acceptsChap: false } }).run(1000)
    expect(pair.client.ipcpOpened).toBe(true)
    expect(isUp(pair.effects)).toBe(true)
  })

  it.each([
    ['WORKGROUP\\dialin2', 'dialin2'],
    ['dialin2@office.example', 'dialin2'],
    ['DIALIN2', 'dialin2'],
  ])('takes %s for %s', (name, user) => {
    const pair = either({ client: { name } }).run(1000)
    expect(pair.all('networkUp').map(e => e.user)).toEqual([user])
  })

  it('gives way to CHAP where the client wants that, and takes it at the first Nak', () => {
    const pair = either({ client: { acceptsMsChap2: false } }).run(1000)
    expect(pair.ladder.filter(l => l === '> LCP Nak 3')).toHaveLength(1)
    expect(asked(pair)).toEqual(['chap-md5'])
    expect(agreed(pair)).toBe('chap-md5')
    expect(pair.client.ipcpOpened).toBe(true)
  })

  it('and CHAP are all there is: a client that wants EAP is told so', () => {
    const pair = either({ client: { acceptsMsChap2: false, acceptsChap: false } }).run(5000)
    expect(pair.ladder.filter(l => l === '> LCP Nak 3')).toHaveLength(2)
    expect(pair.all('down')[0]).toMatchObject({ cause: 'peer-refused' })
    expect(pair.all('down')[0]!.detail).toContain(
      "refuses MS-CHAPv2 or CHAP: it wants EAP; allow MS-CHAPv2 or CHAP in the client's security settings",
    )
  })

  it('alone is insisted on where the template says so', () => {
    const template = { authentication: 'mschap2' } as const
    expect(asked(new Pair({ template }).start().run(1000))).toEqual(['mschap2'])
    const other = new Pair({ template, client: { acceptsMsChap2: false } }).start().run(5000)
    expect(other.all('down')[0]!.detail).toContain('refuses MS-CHAPv2: it wants CHAP (MD5)')
  })

  it('is not offered by a template that says CHAP', () => {
    const pair = new Pair({ template: { authentication: 'chap' } }).start().run(1000)
    expect(asked(pair)).toEqual(['chap-md5'])
  })

  it('ends with error 778 where our proof is wrong: the client does not trust us', () => {
    const pair = either({ proof: `S=${'0'.repeat(40)}` }).run(1000)
    expect(pair.client.ended).toBe('error 778')
    expect(pair.client.authenticated).toBe(false)
    expect(isUp(pair.effects)).toBe(false)
    expect(pair.all('down')[0]).toMatchObject({ cause: 'peer-terminated' })
    expect(pair.all('down')[0]!.detail).toContain('778')
  })
})

describe('a mistyped password', () => {
  it.each([0, 1] as const)('may be typed once more: the Response comes with the identifier plus %d', retryIdStep => {
    const pair = either({ client: { password: 'wrong', retryPasswords: ['friend2'], retryIdStep } }).run(1000)
    expect(chapOnly(pair)).toEqual([
      '< CHAP Challenge',
      '> CHAP Response',
      '< CHAP Failure',
      '> CHAP Response',
      '< CHAP Success',
    ])
    expect(pair.client.ipcpOpened).toBe(true)
    const [first, second] = pair.all('authenticate')
    expect(Buffer.compare(first!.challenge, second!.challenge)).not.toBe(0)
    expect(pair.all('down')).toEqual([])
  })

  it('may be typed three times in all', () => {
    const pair = either({ client: { password: 'a', retryPasswords: ['b', 'c', 'friend2'] } }).run(5000)
    expect(asked(pair)).toHaveLength(3)
    expect(pair.client.chapMessage).toMatch(/^E=691 R=0 C=[0-9A-F]{32} V=3 M=Authentication failed$/)
    expect(pair.client.ended).toBe('terminated by the gateway')
    expect(pair.all('down')).toEqual([
      { kind: 'down', cause: 'authentication-failed', detail: 'the password is wrong' },
    ])
  })

  it('is the reason that is told when the user gives up', () => {
    const pair = either({ client: { password: 'wrong' } }).run(1000)
    expect(pair.client.chapMessage).toMatch(/^E=691 R=1 C=[0-9A-F]{32} V=3 M=Authentication failed$/)
    expect(pair.client.ended).toBe('error 691')
    expect(pair.all('down')).toEqual([
      { kind: 'down', cause: 'authentication-failed', detail: 'the password is wrong' },
    ])
  })

  it('sounds the same as a name that nobody bears', () => {
    const said = (client: PairOptions['client']) =>
      either({ client: client! }).run(1000).client.chapMessage.replace(/C=\w+/, 'C=')
    expect(said({ name: 'nobody' })).toBe(said({ password: 'wrong' }))
  })

  it('leaves the user two minutes, and no more', () => {
    let gone = false
    const pair = either({ authenticate: false, loses: () => gone }).run(1000)
    gone = true
    const result = { kind: 'rejected', reason: 'wrong-password', message: 'no' } as const
    pair.input({ kind: 'authenticated', request: 1, result })
    pair.run(119_000)
    expect(pair.all('down')).toEqual([])
    pair.run(10_000)
    expect(pair.all('down')[0]).toMatchObject({ cause: 'authentication-failed' })
  })
})

describe('over a bad path', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])('any one frame may be lost, frame %d among them', lost => {
    const pair = either({ loses: index => index === lost }).run(20_000)
    expect(pair.client.ipcpOpened).toBe(true)
    expect(pair.all('networkUp')).toHaveLength(1)
  })

  it('a Response that comes twice is verified once', () => {
    const pair = either({ doubles: () => true, client: { password: 'wrong', retryPasswords: ['friend2'] } }).run(10_000)
    expect(asked(pair)).toEqual(['mschap2', 'mschap2'])
    expect(pair.client.ipcpOpened).toBe(true)
  })

  it('a Response to an earlier challenge, which comes after the Failure, is no try of its own', () => {
    // The path takes two seconds: a second challenge is on its way when the first Response comes.
    const pair = either({
      delay: 2000,
      client: { password: 'wrong', retryPasswords: ['friend2', 'friend2', 'friend2'] },
    })
    pair.run(40_000)
    expect(pair.client.ipcpOpened).toBe(true)
    expect(asked(pair).length).toBeLessThanOrEqual(3)
  })
})

describe.each(['chap', 'mschap2'] as const)('a challenge on a link that is up (%s)', authentication => {
  const template = { authentication, rechallengeSeconds: [600, 600], echoSeconds: undefined } as const

  it('is answered in silence, and nothing else changes', () => {
    const pair = new Pair({ template }).start().run(599_000)
    expect(pair.client.responses).toBe(1)
    pair.run(2000)
    expect(pair.client.responses).toBe(2)
    expect(pair.all('authenticate').map(e => e.again)).toEqual([false, true])
    expect(chapOnly(pair).slice(-3)).toEqual(['< CHAP Challenge', '> CHAP Response', '< CHAP Success'])
    pair.run(600_000)
    expect(pair.client.responses).toBe(3)
    expect(pair.all('networkUp')).toHaveLength(1)
    expect(pair.all('networkDown')).toEqual([])
    expect(pair.all('down')).toEqual([])
  })

  it('ends the session where the password is no longer the right one, without another try', () => {
    const pair = new Pair({ template, client: { retryPasswords: ['friend2'] } }).start().run(1000)
    Object.assign(pair.client.options, { password: 'forgotten' })
    pair.run(600_000)
    expect(pair.client.ended).toBe('terminated by the gateway')
    expect(pair.ladder.filter(l => l === '< CHAP Failure')).toHaveLength(1)
    expect(pair.effects.slice(-2)).toEqual([
      { kind: 'networkDown' },
      { kind: 'down', cause: 'authentication-failed', detail: 'the password is wrong' },
    ])
  })

  it('has two and a half minutes to be answered', () => {
    let gone = false
    const pair = new Pair({ template, loses: () => gone }).start().run(599_000)
    gone = true
    pair.run(101_000)
    gone = false
    pair.run(30_000)
    expect(pair.all('down')).toEqual([])
    gone = true
    pair.run(900_000)
    expect(pair.all('down')[0]).toMatchObject({
      cause: 'authentication-failed',
      detail: 'the client does not answer our CHAP challenges',
    })
  })

  it('is not sent where the template says nothing of it', () => {
    const pair = new Pair({ template: { authentication, echoSeconds: undefined } }).start().run(10_000_000)
    expect(pair.client.responses).toBe(1)
  })
})

it('between 360 and 3600 seconds go by where the template leaves that open', () => {
  const template = { authentication: 'chap', rechallengeSeconds: [360, 3600], echoSeconds: undefined } as const
  const pair = new Pair({ template }).start()
  const gaps: number[] = []
  let last = 0
  for (let i = 0; i < 36_000; i++) {
    const before = pair.client.responses
    pair.run(1000)
    if (pair.client.responses === before) continue
    if (last > 0) gaps.push(pair.now - last)
    last = pair.now
  }
  expect(gaps.length).toBeGreaterThan(8)
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(359_000)
  expect(Math.max(...gaps)).toBeLessThanOrEqual(3_601_000)
  expect(new Set(gaps).size).toBeGreaterThan(3)
})

it('on a link that is up another name than the admitted one ends the session, and AAA is not asked', () => {
  const template = { authentication: 'chap', rechallengeSeconds: [600, 600], echoSeconds: undefined } as const
  const pair = new Pair({ template }).start().run(1000)
  Object.assign(pair.client.options, { name: 'dialin1', password: 'friend1' })
  pair.run(600_000)
  expect(pair.all('authenticate')).toHaveLength(1)
  expect(pair.ladder).toContain('< CHAP Failure')
  expect(pair.all('down')[0]).toMatchObject({ cause: 'authentication-failed', detail: 'the user may not connect' })
})
