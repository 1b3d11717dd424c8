/** What SHOW prints, printer by printer, character by character. */

import { describe, expect, it } from 'vitest'
import { printAttempts } from '../../src/alliedware/show/attempt.ts'
import { printCounters } from '../../src/alliedware/show/counter.ts'
import { printEncoKeys } from '../../src/alliedware/show/enco.ts'
import { printIpPools } from '../../src/alliedware/show/ip.ts'
import { printL2tpTunnels } from '../../src/alliedware/show/l2tp.ts'
import { printLog } from '../../src/alliedware/show/log.ts'
import { printPpp } from '../../src/alliedware/show/ppp.ts'
import { printSession, printSessions } from '../../src/alliedware/show/session.ts'
import type { AttemptState, LogState, SessionState } from '../../src/alliedware/show/state.ts'
import { printSystem } from '../../src/alliedware/show/system.ts'
import { printUsers } from '../../src/alliedware/show/user.ts'

/** The lines of an expectation, so that it can stand indented here. */
const lines = (...text: string[]) => text.join('\n')
const RULE = '-'.repeat(79)

const started: LogState = {
  time: '2025-02-21T09:57:11.250Z',
  severity: 3,
  module: 'ISAK',
  type: 'MSG',
  subtype: '',
  text: 'ISAKMP MAIN Phase 1 (resp) started with peer 203.0.113.7',
}
const completed: LogState = { ...started, time: '2025-02-21T09:57:12.000Z', text: 'Exch 1: Completed' }
const userLog: LogState = {
  ...started,
  time: '2025-02-21T09:57:13.000Z',
  severity: 5,
  module: 'USER',
  type: 'USER',
  subtype: 'LON',
  text: 'dialin1 logged in',
}

describe('SHOW LOG', () => {
  it('wraps long text under Message', () => {
    expect(printLog([started, completed])).toBe(
      lines(
        'Date/Time   S Mod  Type  SType Message',
        RULE,
        '21 09:57:11 3 ISAK MSG         ISAKMP MAIN Phase 1 (resp) started with peer',
        '                               203.0.113.7',
        '21 09:57:12 3 ISAK MSG         Exch 1: Completed',
      ),
    )
  })

  it('filters by module and severity, keeps the last ones, turns the order round', () => {
    expect(printLog([started, completed, userLog], { module: 'user' })).toBe(
      lines('Date/Time   S Mod  Type  SType Message', RULE, '21 09:57:13 5 USER USER  LON   dialin1 logged in'),
    )
    const order = (text: string) =>
      text
        .split('\n')
        .slice(2)
        .map(l => l.slice(31))
    const short = [completed, userLog, { ...completed, text: 'Exch 2: Completed' }]
    expect(order(printLog(short, { severity: { first: 4, last: 7 } }))).toEqual(['dialin1 logged in'])
    expect(order(printLog(short, { tail: 2 }))).toEqual(['dialin1 logged in', 'Exch 2: Completed'])
    expect(order(printLog(short, { tail: 2, reverse: true }))).toEqual(['Exch 2: Completed', 'dialin1 logged in'])
    expect(order(printLog(short, { tail: 1, module: 'USER' }))).toEqual(['dialin1 logged in'])
    expect(printLog(short, { tail: 0 })).toBe('No log messages.')
    expect(printLog([])).toBe('No log messages.')
  })
})

const session: SessionState = {
  id: 3,
  user: 'dialin1',
  identity: '10.0.0.5',
  remote: '198.51.100.9:61234',
  nat: 'client',
  suite: '3des-sha1',
  address: '192.168.8.50',
  bytesIn: 1_234_567,
  bytesOut: 512,
  packetsIn: 1200,
  packetsOut: 4,
  since: '2025-02-21T09:41:02.000Z',
  client: 'Windows XP',
  hostName: 'pc7',
  mtu: 1400,
}

describe('SHOW SESSION', () => {
  it('prints a row a session that fits a terminal, and beneath it the rest', () => {
    expect(printSessions([session])).toBe(
      lines(
        'Sessions',
        '',
        'Id   User          Address          Remote                 In        Out',
        RULE,
        '3    dialin1       192.168.8.50     198.51.100.9:61234     1.2 MB    512 B',
        '    Since: 09:41:02 21-Feb-2025 UTC   NAT: client   Suite: 3des-sha1',
      ),
    )
  })

  it('widens a column by its content', () => {
    const wide = { ...session, user: 'someone.with.a.long.name@example.net' }
    const [, , head, , first, , second] = printSessions([session, wide]).split('\n')
    const at = (line: string | undefined, text: string) => line?.indexOf(text)
    expect(at(first, '192.168.8.50')).toBe(at(head, 'Address'))
    expect(at(second, '192.168.8.50')).toBe(at(head, 'Address'))
    expect(second).toContain('someone.with.a.long.name@example.net  192.168.8.50')
  })

  it('prints all that is known of one', () => {
    expect(printSession(session)).toBe(
      lines(
        'Session',
        RULE,
        'Id ............................... 3',
        'User ............................. dialin1',
        'Address .......................... 192.168.8.50',
        'Remote ........................... 198.51.100.9:61234',
        'IKE Identity ..................... 10.0.0.5',
        'NAT .............................. client',
        'Suite ............................ 3des-sha1',
        'MTU .............................. 1400',
        'In ............................... 1.2 MB in 1200 packets',
        'Out .............................. 512 B in 4 packets',
        'Since (UTC) ...................... 09:41:02 21-Feb-2025',
        'Client ........................... Windows XP',
        'Host Name ........................ pc7',
      ),
    )
  })

  it('says so where there is none', () => {
    expect(printSessions([])).toBe('No sessions.')
  })

  it('never lets a name that a peer chose move the cursor or begin a line', () => {
    expect(printSession({ ...session, hostName: 'pc\u001b[2J\nfake\u202e' })).toContain(' pc?[2J?fake?')
  })
})

const attempt: AttemptState = {
  id: 1,
  time: '2025-02-21T09:57:11.250Z',
  remote: '198.51.100.9:61234',
  client: 'Windows XP',
  user: 'dialin1',
  outcome: 'connected',
  text: 'connected as 192.168.8.50',
  remedy: '',
  setupMillis: 412,
}

describe('SHOW ATTEMPT', () => {
  it('prints what happened within the width of a terminal, and what to change where it failed', () => {
    const failed: AttemptState = {
      ...attempt,
      id: 2,
      client: '',
      user: '',
      outcome: 'failed',
      text: '198.51.100.9:61234 offered DES-MD5; ISAKMP policy "roaming1" allows 3DES-SHA1',
      remedy: 'add an SA specification with 3DES and SHA',
      setupMillis: undefined,
    }
    const slow: AttemptState = {
      ...attempt,
      id: 3,
      outcome: 'ended',
      setupMillis: 1260,
      text: 'connected as 192.168.8.50; ended: dead peer',
    }
    expect(printAttempts([attempt, failed, slow])).toBe(
      lines(
        'Connection Attempts',
        '',
        'Id   Date/Time    Remote                 User              Outcome     Setup',
        RULE,
        '1    21 09:57:11  198.51.100.9:61234     dialin1           connected   412 ms',
        '    Client: Windows XP',
        '    connected as 192.168.8.50',
        '2    21 09:57:11  198.51.100.9:61234     -                 failed      -',
        '    198.51.100.9:61234 offered DES-MD5; ISAKMP policy "roaming1" allows',
        '    3DES-SHA1',
        '    To do: add an SA specification with 3DES and SHA',
        '3    21 09:57:11  198.51.100.9:61234     dialin1           ended       1.3 s',
        '    Client: Windows XP',
        '    connected as 192.168.8.50; ended: dead peer',
      ),
    )
  })

  it('says so where there is none', () => {
    expect(printAttempts([])).toBe('No connection attempts.')
  })
})

describe('SHOW L2TP TUNNEL', () => {
  it('prints the calls below their tunnel', () => {
    const tunnel = {
      localTunnelId: 17,
      remoteTunnelId: 5,
      peer: 1,
      remote: '198.51.100.9:61234',
      hostName: 'pc7',
      vendor: 'Microsoft',
      state: 'established',
      ns: 3,
      nr: 4,
      ageSeconds: 35,
      calls: [{ session: 3, localSessionId: 21, remoteSessionId: 1, state: 'established', ppp: 'ppp0' }],
    }
    const idle = { ...tunnel, localTunnelId: 18, remote: '', ageSeconds: 93_784, calls: [] }
    expect(printL2tpTunnels([tunnel, idle])).toBe(
      lines(
        'L2TP Tunnels',
        '',
        'LocalId  RemoteId  Peer                   Host          State         Up',
        RULE,
        '17       5         198.51.100.9:61234     pc7           established   00:00:35',
        '    Call: 21/1   State: established   PPP: ppp0   Session: 3',
        '18       5         -                      pc7           established   1 day 02:03:04',
        '    No calls.',
      ),
    )
    expect(printL2tpTunnels([])).toBe('No L2TP tunnels.')
  })
})

describe('SHOW PPP', () => {
  it('prints one row a control protocol', () => {
    const link = {
      name: 'ppp0',
      session: 3,
      template: 1,
      over: 'TNL-17/21',
      user: 'dialin1',
      lcp: 'Opened',
      ipcp: 'Opened',
      phase: 'network',
      address: '192.168.8.50',
      localAddress: '192.168.8.1',
      peerMru: 1400,
      authentication: 'MS-CHAPv2' as const,
      identification: ['MSRASV5.10', 'MSRAS-0-PC7'],
      ageSeconds: 35,
      localMru: 1400,
      compression: ['ACFC', 'PFC'],
      missedEchoes: 0,
      idleSeconds: 5,
      idleLimitSeconds: undefined,
      echoSeconds: 30,
      bytesIn: 336,
      bytesOut: 336,
      packetsIn: 4,
      packetsOut: 4,
      counters: { framesIn: 12 },
    }
    const early = { ...link, name: 'ppp1', user: '', address: '', lcp: 'Req-Sent', ipcp: 'Initial', identification: [] }
    expect(printPpp([link, early])).toBe(
      lines(
        'PPP Interfaces',
        '',
        'Name    Over           User            Address          CP    State',
        RULE,
        'ppp0    TNL-17/21      dialin1         192.168.8.50     IPCP  OPENED',
        '                                                        LCP   OPENED',
        '    Phase: network   Local: 192.168.8.1   Peer MRU: 1400',
        '    Template: 1   Session: 3   Age: 00:00:35   Authentication: MS-CHAPv2',
        '    Identification: MSRASV5.10',
        '    Identification: MSRAS-0-PC7',
        'ppp1    TNL-17/21      -               -                IPCP  INITIAL',
        '                                                        LCP   REQ-SENT',
        '    Phase: network   Local: 192.168.8.1   Peer MRU: 1400',
        '    Template: 1   Session: 3   Age: 00:00:35   Authentication: MS-CHAPv2',
      ),
    )
    expect(printPpp([])).toBe('No PPP interfaces.')
  })
})

describe('SHOW IP POOL', () => {
  it('prints who has which address', () => {
    const pool = {
      name: 'myippool',
      first: '192.168.8.50',
      last: '192.168.8.59',
      size: 10,
      free: 9,
      used: [{ address: '192.168.8.50', user: 'dialin1' }],
    }
    expect(printIpPools([pool])).toBe(
      lines(
        'IP Pools',
        '',
        'Name             First            Last             Size    Used    Free',
        RULE,
        'myippool         192.168.8.50     192.168.8.59     10      1       9',
        '    192.168.8.50     dialin1',
      ),
    )
    expect(printIpPools([])).toBe('No IP pools.')
  })
})

describe('SHOW USER', () => {
  it('prints one block a user', () => {
    const user = {
      name: 'dialin1',
      description: '',
      privilege: 'user',
      login: false,
      telnet: false,
      ipAddress: '192.168.8.50',
      sessions: 1,
      authentications: 2,
      fails: 0,
    }
    const officer = {
      ...user,
      name: 'secoff',
      description: 'Security Officer',
      privilege: 'securityofficer',
      login: true,
      ipAddress: '',
    }
    expect(printUsers([user, officer])).toBe(
      lines(
        'User Authentication Database',
        RULE,
        'Username: dialin1 ()',
        '   Privilege: user   Telnet: no   Login: no',
        '   IP address: 192.168.8.50',
        '   Sessions: 1   Authentications: 2   Fails: 0',
        RULE,
        'Username: secoff (Security Officer)',
        '   Privilege: securityofficer   Telnet: no   Login: yes',
        '   IP address: -',
        '   Sessions: 1   Authentications: 2   Fails: 0',
        RULE,
      ),
    )
    expect(printUsers([])).toBe('No users.')
  })
})

describe('SHOW COUNTER', () => {
  it('prints two counters a row under each group', () => {
    const counters = {
      ike: { badCookie: 0, retransmitted: 12, unknownExchange: 3 },
      data: { packetsIn: 10, bytesIn: 1_234_567 },
      empty: {},
      other: { aCounterWhoseNameIsRatherLongIndeed: 1, b: 12_345_678_901 },
    }
    expect(printCounters(counters)).toBe(
      lines(
        'ISAKMP Counters',
        '  badCookie                        0    retransmitted                   12',
        '  unknownExchange                  3',
        '',
        'Data Path Counters',
        '  packetsIn                       10    bytesIn                     1.2 MB',
        '',
        'other Counters',
        '  aCounterWhoseNameIsRatherLongIndeed           1    b                                   12345678901',
      ),
    )
    expect(printCounters({})).toBe('No counters.')
  })
})

describe('SHOW SYSTEM', () => {
  const system = {
    name: 'IPSec Gateway',
    version: '0.1.0',
    uptimeSeconds: 93_784,
    workers: 3,
    crypto: 'OpenSSL 3.0.15',
    offloads: 'TUN TSO USO, UDP GRO GSO',
    listening: ['203.0.113.1:500', '203.0.113.1:4500'],
    tun: 'fg0',
    warnings: [],
  }

  it('prints what runs', () => {
    expect(printSystem(system)).toBe(
      lines(
        'Gateway System Status',
        RULE,
        'System Name .............. IPSec Gateway',
        'Version .................. 0.1.0',
        'Uptime ................... 1 day 02:03:04',
        'Workers .................. 3',
        'Cryptography ............. OpenSSL 3.0.15',
        'Listening ................ 203.0.113.1:500',
        '                           203.0.113.1:4500',
        'TUN Device ............... fg0',
        'Offloads ................. TUN TSO USO, UDP GRO GSO',
        '',
        'No warnings.',
      ),
    )
  })

  it('wraps warnings', () => {
    const warnings = [
      'the kernel refused the steering program for the TUN device: one worker does everything',
      'enco key 1 is missing',
    ]
    expect(printSystem({ ...system, warnings }).split('\n\n')[1]).toBe(
      lines(
        'Warnings:',
        '  - the kernel refused the steering program for the TUN device: one worker does',
        '    everything',
        '  - enco key 1 is missing',
      ),
    )
  })
})

describe('SHOW ENCO KEY', () => {
  it('prints which keys there are, by number', () => {
    const keys = [
      { id: 3, type: 'rsa', length: 1024, description: '', module: '', ipAddress: '' },
      {
        id: 1,
        type: 'general',
        length: 16,
        description: 'of the road warriors',
        module: 'ISAKMP',
        ipAddress: '192.0.2.1',
      },
    ]
    expect(printEncoKeys(keys)).toBe(
      lines(
        'ENCO Keys',
        '',
        'ID    Type       Length     Description               Mod      IP',
        RULE,
        '1     GENERAL    16 bytes   of the road warriors      ISAKMP   192.0.2.1',
        '3     RSA        1024 bits  -                         -        -',
      ),
    )
    expect(printEncoKeys([])).toBe('No keys.')
  })
})
