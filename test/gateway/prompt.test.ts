import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { flashWorld, operatorWorld, sitDown } from './operators.ts'

/** Rows of the screen that hold something. */
const rows = (text: string) => text.split('\n').filter(row => row.trim() !== '')

describe('the prompt', () => {
  it('of root is the security officer’s, with the system’s name in it', async () => {
    const w = await operatorWorld()
    const { screen, keys } = await sitDown(w, w.root)
    expect(screen.text()).toBe('SecOff Gate>')
    await keys('set system name=""\r')
    expect(screen.line()).toBe('SecOff >')
  })

  it('frames an answer in blank lines', async () => {
    const w = await operatorWorld()
    const { screen, keys } = await sitDown(w, w.root)
    await keys('add alias=a string=b\r')
    expect(screen.text().split('\n')).toEqual([
      'SecOff Gate> add alias=a string=b',
      '',
      'Info (1036003): Operation successful.',
      '',
      'SecOff Gate>',
    ])
  })

  it('asks whoever is not root for name and password', async () => {
    const w = await operatorWorld()
    const { screen, keys } = await sitDown(w, w.operator())
    expect(screen.text()).toBe('login:')
    await keys('mgr\r')
    expect(screen.line()).toBe('Password:')
    await keys('wrong\r')
    expect(rows(screen.text())).toEqual([
      'login: mgr',
      'Password:',
      'Error (3045007): wrong name or password',
      'login:',
    ])
    await keys('mgr\rmany-hands\r')
    expect(screen.line()).toBe('Manager Gate>')
    expect(screen.text()).not.toContain('many-hands')
  })

  it('changes the password of who has logged in, whatever the privilege', async () => {
    const w = await operatorWorld()
    const { screen, keys, state } = await sitDown(w, w.operator({ account: 'guest' }), { rows: 60 })
    await keys('set user=guest password=easy-one\r')
    expect(screen.text()).toContain('only a manager may do this')
    await keys('set password\rno-rights\rnew "one" <x>\rnew one\r')
    expect(screen.text()).toContain('the two are not the same')
    await keys('set password\rno-rights\rnew "one" <x>\rnew "one" <x>\r')
    expect(rows(screen.text()).at(-2)).toBe('Info (1045003): Operation successful.')
    expect(w.access.login('there', 'guest', 'new "one" <x>')).toEqual({ user: 'guest' })
    expect(w.access.login('there', 'guest', 'no-rights')).toHaveProperty('refused')
    for (const secret of ['no-rights', 'new "one"']) {
      expect(screen.text()).not.toContain(secret)
      expect(w.lines.join('\n')).not.toContain(secret)
    }
    for (let i = 0; i < 3; i++) await keys('set password\rwrong\r')
    expect(state.closed).toBe(true)
  })

  it('says to root that it has no password here', async () => {
    const w = await operatorWorld()
    const { screen, keys } = await sitDown(w, w.root)
    await keys('set password\r')
    expect(screen.text()).toContain('who logged in at the prompt')
  })

  it('withholds the password from a place that is locked', async () => {
    const w = await operatorWorld()
    const { screen, keys } = await sitDown(w, w.operator(), { rows: 60 })
    for (let i = 0; i < 5; i++) await keys('mgr\rwrong\r')
    await keys('mgr\r')
    expect(rows(screen.text()).slice(-3)).toEqual([
      'login: mgr',
      'Error (3045007): too many wrong logins: locked for 600 seconds',
      'login:',
    ])
  })

  it('changes with LOGIN, and forgets what the one before had typed', async () => {
    const w = await operatorWorld()
    const { screen, keys, state } = await sitDown(w, w.root)
    await keys('add user=x password=topsecret\rlogin guest\rno-rights\r')
    expect(screen.line()).toBe('Gate>')
    await keys('\x1b[A\x1b[A\x1b[A')
    expect(screen.line()).toBe('Gate>')
    await keys('logoff\r')
    expect(state.closed).toBe(true)
  })

  it.each(['logoff\r', 'logout\r', 'lo\r', '\x04'])('is left by %j', async text => {
    const w = await operatorWorld()
    const { keys, state } = await sitDown(w, w.root)
    await keys(text)
    expect(state.closed).toBe(true)
    expect(w.terminals.operators()).toEqual([])
  })

  it('lists at once what may follow "?", and goes on with the line', async () => {
    const w = await operatorWorld()
    const { screen, keys } = await sitDown(w, w.root)
    await keys('show ipsec p?')
    expect(screen.text().split('\n')).toEqual([
      'SecOff Gate> show ipsec p?',
      ' Options : POLicy[=]',
      '',
      'SecOff Gate> show ipsec p',
    ])
  })

  it('looks through an alias for help', async () => {
    const w = await operatorWorld()
    const { screen, keys } = await sitDown(w, w.root)
    await keys('who u?')
    expect(screen.text()).toContain(' Options : USer=')
  })

  it('completes with Tab, and lists where there is a choice', async () => {
    const w = await operatorWorld()
    const { screen, keys } = await sitDown(w, w.root)
    await keys('sh\tus\t\t')
    expect(screen.line()).toBe('SecOff Gate> show user')
    await keys('\x15wh\t')
    expect(screen.line()).toBe('SecOff Gate> who')
    await keys('\x15show ipsec s\t\t')
    expect(screen.text()).toContain(' Options : SA[=] SASpecification[=]')
    expect(screen.line()).toBe('SecOff Gate> show ipsec sa')
  })

  it('completes the names of users, policies and files, but not for those who may see nothing', async () => {
    const w = await operatorWorld()
    const { screen, keys } = await sitDown(w, w.root)
    await keys('set conf=v\t')
    expect(screen.line()).toBe('SecOff Gate> set conf=vpn.cfg')
    await keys('\x15show user=sec\t')
    expect(screen.line()).toBe('SecOff Gate> show user=secoff')
    await keys('\x15delete user=?')
    expect(screen.text()).toMatch(/Options : a name of 1 to 64 characters\n +anna/)
    const guest = await sitDown(w, w.operator({ account: 'guest' }))
    await guest.keys('delete user=?')
    expect(guest.screen.text()).not.toContain('anna')
  })

  it('reads the file of SET HELP', async () => {
    const w = await flashWorld()
    const { text } = await w.type('set help=site.hlp')
    expect(text).toMatch(/^Warning \(\d+\): file "site.hlp" is not in flash/)
    expect((await w.type('help new caller')).text).toContain('There is no help on')
    w.flash.write('site.hlp', '# New caller\nAsk Vienna.\n')
    expect((await w.type('set help=SITE.hlp')).text).not.toContain('Warning')
    expect((await w.type('help new')).text).toBe('New caller\n\nAsk Vienna.')
  })

  it('pages what is longer than the screen, and takes what is typed ahead', async () => {
    const w = await operatorWorld()
    const { screen, keys } = await sitDown(w, w.root, { rows: 10 })
    await keys('show user\r')
    expect(screen.line()).toMatch(/^--More--/)
    await keys('\r \r\rqshow alias\r')
    expect(screen.text()).toContain('who             show session')
    expect(screen.line()).toBe('SecOff Gate>')
    expect(screen.text()).not.toContain('--More--')
    await keys('set asyn page=off\rshow user\r')
    expect(screen.line()).toBe('SecOff Gate>')
    await keys('set asyn page=5\rshow user\r')
    expect(screen.line()).toMatch(/^--More--/)
  })

  it('helps from the table', async () => {
    const w = await operatorWorld()
    const { screen, keys } = await sitDown(w, w.root)
    await keys('help add alias\r')
    expect(screen.text()).toContain('ADD ALIas= STring=')
  })

  it('shows who is logged in', async () => {
    const w = await operatorWorld()
    const { screen, keys } = await sitDown(w, w.operator({ account: 'mgr' }, 'ssh 192.0.2.7'), { rows: 100 })
    await keys('show user\r')
    expect(screen.text()).toMatch(/Active \(logged in\) Users[\s\S]*mgr +manager +.* ssh 192\.0\.2\.7/)
  })

  it('is told things in the midst of a line, which stays', async () => {
    const w = await operatorWorld()
    const { screen, keys } = await sitDown(w, w.root)
    const guest = await sitDown(w, w.operator({ account: 'guest' }))
    await keys('show us')
    w.terminals.announce('An attack!')
    expect(screen.text().split('\n')).toEqual(['An attack!', 'SecOff Gate> show us'])
    expect(guest.screen.text()).not.toContain('attack')
  })

  it('can be told by its number alone', async () => {
    const w = await operatorWorld()
    const [first, second] = [w.operator({ trusted: true }), w.operator({ trusted: true })]
    const [one, two] = [await sitDown(w, first), await sitDown(w, second)]
    expect(w.terminals.tell(first.caller.terminal!, 'for the first')).toBe(true)
    expect(one.screen.text()).toContain('for the first')
    expect(two.screen.text()).not.toContain('for the first')
    await one.keys('logoff\r')
    expect(w.terminals.tell(first.caller.terminal!, 'late')).toBe(false)
  })

  it('takes no more terminals than it can bear', async () => {
    const w = await operatorWorld()
    for (let i = 0; i < 64; i++) await sitDown(w, w.root)
    const { screen, state } = await sitDown(w, w.root)
    expect(state.closed).toBe(true)
    expect(screen.text()).toBe('Too many terminals are open.')
  })
})

describe('whatever is typed', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'show ',
      'user',
      'help ',
      'add ',
      'alias=',
      'x',
      'log',
      '"',
      '?',
      '\t',
      '\r',
      '\n',
      ' ',
      '=',
      'q',
      'c',
    ),
    fc.constantFrom(
      '\x1b',
      '[',
      'A',
      '\x1b[A',
      '\x1b[3~',
      '\x01',
      '\x03',
      '\x10',
      '\x16',
      '\x17',
      '\x7f',
      '\x00',
      '\x9b',
    ),
    fc.string({ unit: 'binary', maxLength: 4 }),
  )

  it('the prompt comes back, the screen gets nothing odd, and nobody is let in', async () => {
    const w = await operatorWorld()
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 30 }), fc.boolean(), async (pieces, root) => {
        const seat = await sitDown(w, w.operator(root ? { trusted: true } : {}, `place ${pieces.length}`), { rows: 8 })
        for (const keys of pieces) await seat.keys(keys)
        if (!seat.state.closed) {
          // Out of an escape sequence, a literal, a page and a half-typed line; a password is asked for no more.
          await seat.keys('x\x03\x03')
          expect(seat.screen.line()).toMatch(root ? /^SecOff .*>$/ : /^login:$/)
          await seat.keys('\x04')
        }
        expect(seat.state.closed).toBe(true)
        expect(w.access.mode.securityMode).toBe(false)
      }),
      { numRuns: 150 },
    )
    expect(w.terminals.operators()).toEqual([])
  })
})

describe('SECUREDELAY', () => {
  it('asks for the password again, when it has run out since the last such command', async () => {
    const w = await operatorWorld()
    const { screen, keys } = await sitDown(w, w.operator({ account: 'secoff' }), { rows: 100 })
    const done = 'Info (1045003): Operation successful.'
    await keys('add user=x password=abcdef\r')
    w.clock.now += 59_000
    await keys('set user=x mtu=1400\r')
    expect(screen.text()).not.toContain('Password')
    expect(rows(screen.text()).filter(r => r === done).length).toBe(2)
    w.clock.now += 61_000
    await keys('show alias\r')
    expect(screen.text()).not.toContain('Password')
    await keys('delete user=x\r')
    expect(screen.line()).toBe('Password:')
    await keys('wrong\r')
    expect(screen.text()).toContain('Error (3045007): wrong password')
    expect(w.world.control.world.secrets.allUsers().some(u => u.name === 'x')).toBe(true)
    await keys('delete user=x\rseven-seals\r')
    expect(rows(screen.text()).filter(r => r === done).length).toBe(3)
    expect(w.world.control.world.secrets.allUsers().some(u => u.name === 'x')).toBe(false)
  })

  it('hangs up after MANPWDFAIL wrong answers, and logs that', async () => {
    const w = await operatorWorld()
    const { keys, state } = await sitDown(w, w.operator({ account: 'mgr' }), { rows: 100 })
    await keys('add user=x password=abcdef\r')
    w.clock.now += 61_000
    for (let i = 0; i < 2; i++) await keys('delete user=x\rwrong\r')
    expect(state.closed).toBe(false)
    await keys('delete user=x\rwrong\r')
    expect(state.closed).toBe(true)
    expect(w.lines.join('\n')).toContain('mgr at here is logged off after 3 wrong passwords')
  })

  it('never asks root, who has no password here', async () => {
    const w = await operatorWorld()
    const { screen, keys } = await sitDown(w, w.root)
    await keys('add user=x password=abcdef\r')
    w.clock.now += 1_000_000
    await keys('delete user=x\r')
    expect(screen.text()).not.toContain('Password')
  })
})

describe('time alone', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
  afterEach(() => void vi.useRealTimers())

  it('hangs up where nobody logs in within a minute', async () => {
    const w = await operatorWorld()
    const { state } = await sitDown(w, w.operator())
    w.clock.now += 59_000
    vi.advanceTimersByTime(1000)
    expect(state.closed).toBe(false)
    w.clock.now += 2000
    vi.advanceTimersByTime(1000)
    expect(state.closed).toBe(true)
  })

  it('leaves a minute to an SSH user without an account, who may log in as another', async () => {
    const w = await operatorWorld()
    const { screen, keys, state } = await sitDown(w, w.operator({ account: 'stranger' }, 'ssh 192.0.2.7'))
    w.clock.now += 30_000
    vi.advanceTimersByTime(1000)
    expect(state.closed).toBe(false)
    expect(screen.line()).toBe('login:')
    await keys('mgr\rmany-hands\r')
    expect(screen.line()).toBe('Manager Gate>')
  })

  it('shows an idle security officer the manager’s prompt, in security mode', async () => {
    const w = await operatorWorld()
    await w.type(w.root, 'enable system security')
    const { screen } = await sitDown(w, w.operator({ account: 'secoff' }))
    expect(screen.line()).toBe('SecOff Gate>')
    w.clock.now += 61_000
    vi.advanceTimersByTime(1000)
    expect(screen.line()).toBe('Manager Gate>')
    expect(screen.text()).toContain('Warning (2035001): a security officer who is idle becomes a manager')
  })

  it('ends the terminal of an account that is gone', async () => {
    const w = await operatorWorld()
    const { screen, state } = await sitDown(w, w.operator({ account: 'guest' }))
    await w.type(w.root, 'delete user=guest')
    vi.advanceTimersByTime(1000)
    expect(state.closed).toBe(true)
    expect(screen.text()).toContain('good-bye')
  })
})
