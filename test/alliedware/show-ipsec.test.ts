/** What SHOW ISAKMP and SHOW IPSEC print, character by character. */

import { describe, expect, it } from 'vitest'
import type { IsakmpPolicyConfig, SaSpecification } from '../../src/alliedware/config.ts'
import {
  printBundles,
  printIpsecPolicies,
  printIpsecPolicy,
  printIpsecSas,
  printSaSpecifications,
} from '../../src/alliedware/show/ipsec.ts'
import {
  printIsakmpExchanges,
  printIsakmpPolicies,
  printIsakmpSa,
  printIsakmpSas,
} from '../../src/alliedware/show/isakmp.ts'
import type { IpsecPolicyState, IpsecSaState, IsakmpSaState } from '../../src/alliedware/show/state.ts'
import { ipv4 } from '../../src/packet/ip.ts'

const lines = (...text: string[]) => text.join('\n')
const RULE = '-'.repeat(79)

const isakmpSa: IsakmpSaState = {
  id: 1,
  peer: 4,
  remote: '203.0.113.7:4500',
  local: '203.0.113.1:4500',
  policy: 'roaming1',
  identity: '10.0.0.5',
  client: '',
  encryption: '3des',
  hash: 'sha1',
  group: 2,
  initiatorCookie: '0011223344556677',
  responderCookie: '8899aabbccddeeff',
  nat: 'client',
  natTraversal: 'draft-02',
  ageSeconds: 23,
  lifetimeSeconds: 86_400,
  messageBackoff: 'INCREMENTAL',
}

describe('SHOW ISAKMP SA', () => {
  it('prints the limits under their own head', () => {
    expect(printIsakmpSas([isakmpSa])).toBe(
      lines(
        '                                              Expiry Limits - hard/soft/used',
        'SA Id  PeerAddress            EncA.   HashA.  Bytes  Seconds',
        RULE,
        '1      203.0.113.7:4500       3DES    SHA1    -/-/-  86400/-/23',
      ),
    )
  })

  it('keeps that head above its columns where an address is long', () => {
    const text = printIsakmpSas([{ ...isakmpSa, remote: 'gateway.of.a.long.name.example.net:4500' }]).split('\n')
    expect(text[0]!.indexOf('Expiry')).toBe(text[1]!.indexOf('Bytes'))
    expect(text[3]!.indexOf('-/-/-')).toBe(text[1]!.indexOf('Bytes'))
  })

  it('prints one in full', () => {
    expect(printIsakmpSa(isakmpSa)).toBe(
      lines(
        'SA Id ............................ 1',
        'Initiator Cookie ................. 0011223344556677',
        'Responder Cookie ................. 8899aabbccddeeff',
        'Policy name ...................... roaming1',
        'Local Address .................... 203.0.113.1:4500',
        'Remote Address ................... 203.0.113.7:4500',
        'Remote Identity .................. 10.0.0.5',
        'Client ........................... -',
        'Peer ............................. 4',
        'Message Back-off ................. INCREMENTAL',
        'Expiry Limit (seconds) ........... 86400',
        'Seconds since creation ........... 23',
        '',
        'SA Definition Information:',
        '  Encryption Algorithm ........... 3DES',
        '  Hash Algorithm ................. SHA1',
        '  Group .......................... 2',
        '',
        'NAT-Traversal Information:',
        '  Method ......................... draft-02',
        '  Behind NAT ..................... client',
      ),
    )
  })

  it('says so where there is none', () => {
    expect(printIsakmpSas([])).toBe('No ISAKMP SAs.')
  })
})

describe('SHOW ISAKMP EXCHANGE', () => {
  it('prints one line an exchange', () => {
    const exchange = {
      id: 3,
      phase: 1,
      state: 'KESENT',
      peerAddress: '203.0.113.7',
      type: 'MAIN',
      policy: 'roaming1',
      peerPort: 500,
      local: '203.0.113.1:500',
      ageSeconds: 1,
      messageBackoff: 'INCREMENTAL',
    } as const
    expect(printIsakmpExchanges([exchange])).toBe(
      lines(
        'ISAKMP Exchanges',
        '',
        'Id     Phase  State                 PeerAddress      Type',
        RULE,
        '3      1      KESENT                203.0.113.7      MAIN',
      ),
    )
    expect(printIsakmpExchanges([])).toBe('No ISAKMP exchanges.')
  })
})

describe('SHOW ISAKMP POLICY', () => {
  it('prints what the script set, and AUTO for what it left open', () => {
    const open: IsakmpPolicyConfig = {
      name: 'roaming1',
      peer: 'any',
      authType: 'preshared',
      key: 1,
      encryption: undefined,
      hash: undefined,
      group: undefined,
      mode: 'main',
      localId: 'local',
      remoteId: undefined,
      natTraversal: true,
      sendDeletes: true,
      sendNotify: false,
      expirySeconds: undefined,
      msgRetryLimit: 8,
      msgTimeoutSeconds: 4,
      msgBackoff: 'incremental',
    }
    const closed: IsakmpPolicyConfig = {
      ...open,
      name: 'branch',
      peer: ipv4('198.51.100.9'),
      key: undefined,
      encryption: '3desouter',
      hash: 'sha',
      group: 2,
    }
    const named: IsakmpPolicyConfig = { ...closed, name: 'named', peer: 'vpn.example.net', mode: 'aggressive' }
    expect(printIsakmpPolicies([open, closed, named])).toBe(
      lines(
        'ISAKMP Policies',
        '',
        'Name           PeerAddress      Mode  AuthType   Key  EncAlg     HashAlg  Group',
        RULE,
        'roaming1       ANY              MAIN  PRESHARED  1    AUTO       AUTO     AUTO',
        'branch         198.51.100.9     MAIN  PRESHARED  -    3DESOUTER  SHA      2',
        'named          vpn.example.net  AGGR  PRESHARED  -    3DESOUTER  SHA      2',
      ),
    )
    expect(printIsakmpPolicies([])).toBe('No ISAKMP policies.')
  })
})

const ipsecSa: IpsecSaState = {
  id: 0,
  policy: 'all_roaming',
  bundle: 1,
  state: 'Valid',
  protocol: 'ESP',
  inSpi: 0x0000beef,
  outSpi: 0xdeadbeef,
  peer: 4,
  remote: '203.0.113.7:4500',
  suite: '3des-sha1',
  encapsulation: 'UDP',
  ageSeconds: 23,
  lifetimeSeconds: 3600,
  lifetimeKilobytes: 250_000,
}

describe('SHOW IPSEC SA', () => {
  it('prints two lines of what else there is below each', () => {
    const late: IpsecSaState = {
      ...ipsecSa,
      id: 1,
      bundle: undefined,
      state: 'Inbound only',
      lifetimeSeconds: undefined,
      lifetimeKilobytes: undefined,
    }
    expect(printIpsecSas([ipsecSa, late])).toBe(
      lines(
        'IPsec Security Associations',
        '',
        'SA Id   Policy           Bundle  State         Protocol  OutSPI      InSPI',
        RULE,
        '0       all_roaming      1       Valid         ESP       0xdeadbeef  0x0000beef',
        '    Peer: 203.0.113.7:4500   Suite: 3des-sha1   Encapsulation: UDP',
        '    Age: 00:00:23   Life: 01:00:00   Kilobytes: 250000',
        '1       all_roaming      -       Inbound only  ESP       0xdeadbeef  0x0000beef',
        '    Peer: 203.0.113.7:4500   Suite: 3des-sha1   Encapsulation: UDP',
        '    Age: 00:00:23   Life: -   Kilobytes: -',
      ),
    )
    expect(printIpsecSas([])).toBe('No IPsec SAs.')
  })
})

const counters = {
  outPermit: 0,
  outDeny: 2,
  inPermit: 0,
  inDeny: 7,
  outProcessStart: 5,
  outProcessDone: 4,
  outProcessFail: 1,
  outBytes: 1_234_567,
  inProcessStart: 4,
  inProcessDone: 4,
  inProcessFail: 0,
  inBytes: 336,
}
const permit: IpsecPolicyState = {
  name: 'isakmp',
  interface: 'eth0',
  position: 1,
  action: 'PERMIT',
  keyManagement: '',
  isakmpPolicy: '',
  bundle: undefined,
  peerAddress: '',
  localPort: '500',
  remotePort: 'ANY',
  transportProtocol: 'ANY',
  localAddress: 'ANY',
  remoteAddress: 'ANY',
  localName: 'ANY',
  remoteName: 'ANY',
  icmpTypes: 'ANY',
  usePfsKey: false,
  group: undefined,
  counters,
}
const roaming: IpsecPolicyState = {
  ...permit,
  name: 'all_roaming',
  position: 3,
  action: 'IPSEC',
  keyManagement: 'ISAKMP',
  isakmpPolicy: 'roaming1',
  bundle: 1,
  peerAddress: 'ANY',
  localPort: '1701',
  transportProtocol: 'UDP',
}

describe('SHOW IPSEC POLICY', () => {
  it('prints one line a policy', () => {
    expect(printIpsecPolicies([permit, roaming])).toBe(
      lines(
        'IPsec Policies',
        '',
        'Name               Interface      Action      KeyManagement    Position',
        RULE,
        'isakmp             eth0           PERMIT                       1',
        'all_roaming        eth0           IPSEC       ISAKMP           3',
      ),
    )
    expect(printIpsecPolicies([])).toBe('No IPsec policies.')
  })

  it('prints one in full', () => {
    expect(printIpsecPolicy(roaming, false)).toBe(
      lines(
        'IPsec Policy Information',
        '',
        'Name ............................. all_roaming',
        'Interface ........................ eth0',
        'Position ......................... 3',
        'Action ........................... IPSEC',
        'Key Management ................... ISAKMP',
        'ISAKMP Policy .................... roaming1',
        'Bundle Specification ............. 1',
        'Peer Address ..................... ANY',
        'Local Address .................... ANY',
        'Local Name ....................... ANY',
        'Local Port ....................... 1701',
        'Remote Address ................... ANY',
        'Remote Name ...................... ANY',
        'Remote Port ...................... ANY',
        'Transport Protocol ............... UDP',
        'ICMP Types ....................... ANY',
        'Use PFS Key ...................... no',
        'Group ............................ -',
      ),
    )
  })

  it('prints its counters two a row', () => {
    const text = printIpsecPolicy(permit, true)
    expect(text.slice(text.indexOf('Outbound'))).toBe(
      lines(
        'Outbound Packet Processing Counters',
        '  outPermit                        0    outDeny                          2',
        '  outProcessStart                  5    outProcessDone                   4',
        '  outProcessFail                   1    outBytes                    1.2 MB',
        '',
        'Inbound Packet Processing Counters',
        '  inPermit                         0    inDeny                           7',
        '  inProcessStart                   4    inProcessDone                    4',
        '  inProcessFail                    0    inBytes                      336 B',
      ),
    )
  })
})

describe('SHOW IPSEC SASPECIFICATION', () => {
  it('prints one line a specification', () => {
    const triple: SaSpecification = {
      id: 1,
      keyManagement: 'isakmp',
      protocol: 'esp',
      encryption: '3desouter',
      hash: 'sha',
      mode: 'transport',
      antiReplay: undefined,
      replayWindow: undefined,
    }
    const others: SaSpecification[] = [
      { ...triple, id: 2, antiReplay: true },
      { ...triple, id: 3, antiReplay: true, replayWindow: 64 },
      { ...triple, id: 4, protocol: 'ah', encryption: undefined, antiReplay: false, replayWindow: 64 },
    ]
    expect(printSaSpecifications([triple, ...others])).toBe(
      lines(
        'IPsec SA Specifications',
        '',
        'Id    KeyManagement  Protocol  EncAlg      HashAlg  Mode       Replay',
        RULE,
        '1     ISAKMP         ESP       3DESOUTER   SHA      TRANSPORT  -',
        '2     ISAKMP         ESP       3DESOUTER   SHA      TRANSPORT  ON',
        '3     ISAKMP         ESP       3DESOUTER   SHA      TRANSPORT  64',
        '4     ISAKMP         AH        -           SHA      TRANSPORT  OFF',
      ),
    )
    expect(printSaSpecifications([])).toBe('No SA specifications.')
  })
})

describe('SHOW IPSEC BUNDLESPECIFICATION', () => {
  it('prints one line a bundle', () => {
    const bundle = {
      id: 1,
      keyManagement: 'isakmp',
      string: '1 or 2 or 3 or 4',
      alternatives: [[1], [2], [3], [4]],
      expirySeconds: undefined,
      expiryKilobytes: undefined,
    } as const
    expect(printBundles([bundle, { ...bundle, id: 2, string: '1', expirySeconds: 3600 }])).toBe(
      lines(
        'IPsec Bundle Specifications',
        '',
        'Id    KeyManagement  ExpirySeconds  ExpiryKBytes  String',
        RULE,
        '1     ISAKMP         -              -             1 or 2 or 3 or 4',
        '2     ISAKMP         3600           -             1',
      ),
    )
    expect(printBundles([])).toBe('No bundle specifications.')
  })
})
