import { describe, expect, it } from 'vitest'
import { readScript } from '../../src/alliedware/script.ts'
import { ikeConfig, l2tpConfig, PHASE1_UNSET, pppTemplate } from '../../src/gateway/translate.ts'
import { Secret } from '../../src/packet/bytes.ts'
import { ipv4 } from '../../src/packet/ip.ts'

const key = Secret.fromText('the key')
const keys = (id: number) => (id === 1 ? key : undefined)

/** What a script builds; it must be without errors. */
function configuration(script: string) {
  const result = readScript(script, { values: {}, keys: [1] })
  expect(result.faults.filter(f => f.severity === 'error')).toEqual([])
  return result.configuration
}

const specifications = `
create ipsec saspecification=1 keymanagement=isakmp protocol=esp encalg=aes256 hashalg=sha mode=transport
create ipsec saspecification=2 keymanagement=isakmp protocol=esp encalg=3desouter hashalg=md5 mode=transport
create ipsec saspecification=3 keymanagement=isakmp protocol=esp encalg=des hashalg=sha mode=transport
create ipsec saspecification=4 keymanagement=isakmp protocol=esp encalg=aes128 hashalg=sha mode=tunnel
create ipsec saspecification=5 keymanagement=isakmp protocol=ah hashalg=sha mode=transport
`

const script = (isakmp = '', bundle = '1 or 2', ipsec = '', before = specifications) => `
${before}
create ipsec bundlespecification=1 keymanagement=isakmp string="${bundle}"
create ipsec policy=roaming interface=eth0 action=ipsec keymanagement=isakmp bundlespecification=1 peeraddress=any isakmppolicy=roaming1
set ipsec policy=roaming transportprotocol=udp lport=1701 ${ipsec}
enable ipsec
create isakmp policy=roaming1 peer=any key=1
${isakmp}
enable isakmp
`

const ike = (...s: Parameters<typeof script>) => ikeConfig(configuration(script(...s)), keys, undefined)
const policy = (...s: Parameters<typeof script>) => ike(...s).policies[0]!
const phase2 = (...s: Parameters<typeof script>) => policy(...s).phase2[0]!

describe('Phase 1', () => {
  it.each([
    ['', { announced: true, idleSeconds: 75 }],
    ['dpdidletimeout=20', { announced: true, idleSeconds: 20 }],
    ['dpdmode=both dpdidletimeout=300', { announced: true, idleSeconds: 300 }],
    ['dpdmode=receive dpdidletimeout=300', { announced: true, idleSeconds: undefined }],
    ['dpdmode=none', { announced: false, idleSeconds: undefined }],
  ])('dead peer detection, %s', (words, wanted) => {
    expect(policy(words && `set isakmp policy=roaming1 ${words}`).deadPeerDetection).toEqual(wanted)
  })

  it('where the script sets nothing takes what is best and what XP has, but never DES or group 1', () => {
    const p = policy()
    expect(p.ciphers).toEqual(['aes256', 'aes128', '3des'])
    expect(p.hashes).toEqual(['sha256', 'sha1', 'md5'])
    expect(p.groups).toEqual([20, 19, 14, 5, 2])
    expect(PHASE1_UNSET.ciphers).not.toContain('des')
    expect(PHASE1_UNSET.groups).not.toContain(1)
  })

  it.each([
    ['encalg=des', { ciphers: ['des'] }],
    ['encalg=3desouter', { ciphers: ['3des'] }],
    ['encalg=aes128', { ciphers: ['aes128'] }],
    ['encalg=aes192', { ciphers: ['aes192'] }],
    ['encalg=aes256', { ciphers: ['aes256'] }],
    ['hashalg=sha', { hashes: ['sha1'] }],
    ['hashalg=md5', { hashes: ['md5'] }],
    ['hashalg=sha256', { hashes: ['sha256'] }],
    ['group=1', { groups: [1] }],
    ['group=2', { groups: [2] }],
    ['group=14', { groups: [14] }],
  ])('where the script says %s takes exactly that', (words, expected) => {
    const p = policy(`set isakmp policy=roaming1 ${words}`)
    expect(p).toMatchObject(expected)
    const untouched = { ...PHASE1_UNSET, ...expected }
    expect({ ciphers: p.ciphers, hashes: p.hashes, groups: p.groups }).toEqual(untouched)
  })

  it('has the key of its number, or none where the store has none', () => {
    expect(policy()).toMatchObject({ keyId: 1, presharedKey: key, peer: 'any', name: 'roaming1' })
    const without = ikeConfig(configuration(script()), () => undefined, undefined)
    expect(without.policies[0]).toMatchObject({ keyId: 1, presharedKey: undefined })
  })

  it.each([
    ['', { kind: 'address' }],
    ['localid=local', { kind: 'fqdn', name: 'local' }],
    ['localid=203.0.113.1', { kind: 'address' }],
    ['localid=gate.example.com', { kind: 'fqdn', name: 'gate.example.com' }],
    ['localid=admin@example.com', { kind: 'user', name: 'admin@example.com' }],
  ])('with %j shows the identity %j', (words, identity) => {
    expect(policy(words && `set isakmp policy=roaming1 ${words}`).localIdentity).toEqual(identity)
  })

  it('lives a day, or as long as the script says', () => {
    expect(policy().lifetimeSeconds).toBe(86_400)
    expect(policy('set isakmp policy=roaming1 expiryseconds=7200').lifetimeSeconds).toBe(7200)
  })

  it('keeps the address of a policy for one peer', () => {
    const both = policy('create isakmp policy=fixed peer=198.51.100.7 key=1')
    expect(both.peer).toBe('any')
    const c = configuration(script('create isakmp policy=fixed peer=198.51.100.7 key=1'))
    expect(ikeConfig(c, keys, undefined).policies[1]).toMatchObject({
      name: 'fixed',
      peer: ipv4('198.51.100.7'),
      phase2: [],
    })
  })

  it('is for nobody until IPSEC and ISAKMP are both enabled', () => {
    const text = script()
    expect(ikeConfig(configuration(text.replace('enable isakmp', '')), keys, undefined).policies).toEqual([])
    expect(ikeConfig(configuration(text.replace('enable ipsec', '')), keys, undefined).policies).toEqual([])
  })

  it('carries the public address of a gateway behind NAT', () => {
    expect(ikeConfig(configuration(script()), keys, ipv4('203.0.113.9')).publicAddress).toBe(ipv4('203.0.113.9'))
    expect(ike().publicAddress).toBeUndefined()
  })
})

describe('Phase 2', () => {
  it('prefers suites in the order of the bundle’s string', () => {
    const [first, second] = [
      { cipher: 'aes256', integrity: 'sha1' },
      { cipher: '3des', integrity: 'md5' },
    ]
    expect(phase2('', '1 or 2').suites).toEqual([first, second])
    expect(phase2('', '2 or 1').suites).toEqual([second, first])
  })

  it('takes DES where the script names it', () => {
    expect(phase2('', '3').suites).toEqual([{ cipher: 'des', integrity: 'sha1' }])
  })

  it.each(['aesgcm128', 'aesgcm192', 'aesgcm256'] as const)('takes %s without a hash', cipher => {
    const one = `create ipsec saspecification=1 keymanagement=isakmp protocol=esp encalg=${cipher} mode=transport`
    expect(phase2('', '1', '', one).suites).toEqual([{ cipher, integrity: 'gcm' }])
    expect(phase2('', '1', '', `${one} hashalg=null`).suites).toEqual([{ cipher, integrity: 'gcm' }])
  })

  it('skips what is to be used together, AH, and tunnel mode', () => {
    expect(phase2('', '5 and 1, 2').suites).toEqual([{ cipher: '3des', integrity: 'md5' }])
    expect(phase2('', '4 or 1').suites).toEqual([{ cipher: 'aes256', integrity: 'sha1' }])
    expect(phase2('', '5 or 2').suites).toEqual([{ cipher: '3des', integrity: 'md5' }])
  })

  it.each([
    ['', 64],
    ['antireplay=true replaywindow=32', 64],
    ['antireplay=true replaywindow=64', 64],
    ['antireplay=true replaywindow=128', 128],
    ['antireplay=true replaywindow=256', 256],
  ])('has a replay window of at least 64: %j', (words, window) => {
    const one = `create ipsec saspecification=1 keymanagement=isakmp protocol=esp encalg=aes256 hashalg=sha mode=transport ${words}`
    expect(phase2('', '1', '', one).replayWindow).toBe(window)
  })

  it('has the selectors of its policy', () => {
    expect(phase2()).toMatchObject({ name: 'roaming', localPort: 1701, protocol: 17, action: 'ipsec' })
  })

  it('asks for PFS only where the policy does', () => {
    expect(phase2().pfsGroup).toBeUndefined()
    expect(phase2('', '1', 'usepfskey=true group=1').pfsGroup).toBe(1)
    expect(phase2('', '1', 'usepfskey=true').pfsGroup).toBe(2)
  })

  it('has the lifetimes of the bundle', () => {
    const c = configuration(
      script().replace('string="1 or 2"', 'string="1 or 2" expiryseconds=3600 expirykbytes=100000'),
    )
    expect(ikeConfig(c, keys, undefined).policies[0]!.phase2[0]).toMatchObject({
      lifetimeSeconds: 3600,
      lifetimeKilobytes: 100_000,
    })
  })

  it('belongs to the ISAKMP policy that it names, or to all where it names none', () => {
    const two = script('create isakmp policy=other peer=198.51.100.7 key=1')
    const named = ikeConfig(configuration(two), keys, undefined).policies.map(p => p.phase2.length)
    expect(named).toEqual([1, 0])
    const unnamed = ikeConfig(configuration(two.replace(' isakmppolicy=roaming1', '')), keys, undefined)
    expect(unnamed.policies.map(p => p.phase2.length)).toEqual([1, 1])
  })
})

describe('L2TP', () => {
  const range = 'create ppp template=1\nadd l2tp ip=1.1.1.1-255.255.255.254 ppptemplate=1'

  it('serves where it is enabled as an LNS', () => {
    expect(l2tpConfig(configuration(`${range}\nenable l2tp\nenable l2tp server=both`)).enabled).toBe(true)
    expect(l2tpConfig(configuration(`${range}\nenable l2tp\nenable l2tp server=lns`)).enabled).toBe(true)
    expect(l2tpConfig(configuration(`${range}\nenable l2tp\nenable l2tp server=lac`)).enabled).toBe(false)
    expect(l2tpConfig(configuration(`${range}\nenable l2tp server=both`)).enabled).toBe(false)
    expect(l2tpConfig(configuration('')).enabled).toBe(false)
  })

  it('gives callers the template of their range, under the system’s name', () => {
    const c = l2tpConfig(configuration(`set system name=Gate\n${range}`))
    expect(c.ranges).toEqual([{ first: ipv4('1.1.1.1'), last: ipv4('255.255.255.254'), template: 1 }])
    expect(c.hostName).toBe('Gate')
  })
})

describe('the PPP template', () => {
  const template = (words: string, pathMru = 1500) =>
    pppTemplate(configuration(`create ppp template=1 ${words}`), 1, pathMru)

  it('asks for CHAP where the script says so; a template that says nothing asks nobody, as on the router', () => {
    expect(template('authentication=chap').authentication).toBe('chap')
    expect(template('authentication=either').authentication).toBe('either')
    expect(template('authentication=mschap2').authentication).toBe('mschap2')
    expect(template('authentication=pap').authentication).toBe('chap')
    expect(template('').authentication).toBe('none')
    expect(template('authentication=none').authentication).toBe('none')
    expect(pppTemplate(configuration(''), 9, 1500).authentication).toBe('chap')
  })

  it('challenges once more as the script says, and not at all where it says nothing', () => {
    expect(template('').rechallengeSeconds).toBeUndefined()
    expect(template('rechallenge=off').rechallengeSeconds).toBeUndefined()
    expect(template('rechallenge=900').rechallengeSeconds).toEqual([900, 900])
    expect(template('rechallenge=on').rechallengeSeconds).toEqual([360, 3600])
  })

  it('has the smallest of 1400, the path, and what the script says for an MRU', () => {
    expect(template('').mru).toBe(1400)
    expect(template('', 1300).mru).toBe(1300)
    expect(template('mru=1200').mru).toBe(1200)
    expect(template('mru=1450').mru).toBe(1400)
  })

  it('echoes as often as it says', () => {
    expect(template('echo=30').echoSeconds).toBe(30)
    expect(template('echo=off').echoSeconds).toBeUndefined()
  })
})
