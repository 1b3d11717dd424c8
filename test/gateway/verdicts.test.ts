/** Each way for a connection to fail, provoked through the whole gateway: what SHOW ATTEMPT says of it, and what to do. */

import { describe, expect, it } from 'vitest'
import type { AttemptState } from '../../src/alliedware/show/state.ts'
import { Exchange, Notify, PayloadType, Protocol } from '../../src/ike/constants.ts'
import { messageIdBytes } from '../../src/ike/keymat.ts'
import { emitNotification, notification } from '../../src/ike/payload.ts'
import type { RsaCredentials } from '../../src/ike/signature.ts'
import { ipv4, readIpv4 } from '../../src/packet/ip.ts'
import { authority, client, credentials, NOW, revocationList, rsaClient, server, trust } from '../support/authority.ts'
import { profiles, windows10, windowsXp } from '../support/profiles.ts'
import { anna, type Guest, type GuestOptions, OFFICE, SERVER, World, type WorldOptions } from './world.ts'

const isEsp = (port: number, bytes: Uint8Array) => port === 4500 && bytes.length > 4 && readIpv4(bytes) !== 0

interface Story {
  readonly world?: WorldOptions
  readonly guest?: Partial<GuestOptions>
  readonly credentials?: RsaCredentials
  /** What goes wrong. */
  readonly spoil?: (guest: Guest, world: World) => void
  /** What happened, and what is to be done. */
  readonly says: RegExp
  readonly toDo: RegExp
}

function attemptsOf({ world, guest: change, credentials: own, spoil }: Story): AttemptState[] {
  const w = new World(world)
  if (own) {
    Object.assign(w.control.world, { credentials: () => own })
    w.control.configure(w.control.configuration)
  }
  const guest = w.guest({ ...anna, ...change })
  spoil?.(guest, w)
  w.connect(guest, 150_000)
  w.advance(100_000)
  expect(guest.client.phase).toBe('down')
  expect(w.control.bugs).toBe(0)
  return w.attempts.filter(a => a.remote.startsWith('203.0.113.101:'))
}

const script = (from: string, to: string): WorldOptions => {
  expect(OFFICE).toContain(from)
  return { script: OFFICE.replace(from, to) }
}
const policy = (words: string): WorldOptions => ({ script: `${OFFICE}set isakmp policy=roaming1 ${words}\n` })

const ca = authority({ name: 'Example CA' })
const alice = client(ca)
const withCertificate = (own = alice, words = '', change: Parameters<typeof rsaClient>[2] = {}) => ({
  world: policy(`authtype=rsasig ${words}`),
  guest: { profile: { ...windowsXp, ike: { ...windowsXp.ike, rsa: rsaClient(own, [], change) } } },
})
const ours = credentials(server(ca), trust([ca]))
const refusing = (detail: string) => new RegExp(`refuses the certificate of 203\\.0\\.113\\.101:31002: .*${detail}`)

const stories: Readonly<Record<string, Story>> = {
  'no reply seen after our second message': {
    spoil: g => {
      g.pass = direction => direction === 'up'
    },
    says: /our answer to the first message .* was never followed up; it repeated itself \d times/,
    toDo: /UDP port 500 from this gateway reaches the client/,
  },
  'port 4500 never reached us': {
    spoil: g => {
      g.pass = (direction, port) => direction === 'down' || port === 500
    },
    says: /never went on after our key exchange: nothing came on UDP port 4500/,
    toDo: /open UDP port 4500 towards this gateway/,
  },
  'a wrong pre-shared key': {
    guest: { presharedKey: 'guessed' },
    says: /the pre-shared key of 203\.0\.113\.101:31002 is not that of ISAKMP policy "roaming1"/,
    toDo: /check the pre-shared key on the client against .*ENCO key 1/,
  },
  'an identity that the policy does not want': {
    world: policy('remoteid=office-pc'),
    says: /calls itself "XPCLIENT"; ISAKMP policy "roaming1" wants "office-pc"/,
    toDo: /change REMOTEID of ISAKMP policy "roaming1"/,
  },
  'no common proposal of Main Mode': {
    guest: {
      profile: { ...windowsXp, ike: { ...windowsXp.ike, offers: [{ cipher: 'des', hash: 'md5', group: 14 }] } },
    },
    says: /Windows XP.* offered DES-MD5-G14; ISAKMP policy "roaming1" allows ciphers AES256 AES128 3DES/,
    toDo: /allow cipher DES \(for the offer DES-MD5-G14\)/,
  },
  'no common proposal of Quick Mode': {
    world: script('string="1 or 2"', 'string="1"'),
    says: /offered ESP 3DES-MD5.*; IPsec policy "roaming" allows ESP AES256-SHA1/,
    toDo: /allow ESP 3DES-MD5 \(for the offer ESP 3DES-MD5\)/,
  },
  'a Quick Mode that our answer is lost in': {
    spoil: g => {
      g.pass = (direction, port, bytes) => direction === 'up' || port === 500 || bytes[22] !== Exchange.Quick
    },
    says: /Quick Mode began, but the client never confirmed it/,
    toDo: /UDP port 4500/,
  },
  'a server that looks NATed to this Windows': {
    world: { local: ipv4('10.0.0.4') },
    says: /L2TP began, but the client never went on, as if our answers did not reach it/,
    toDo: /^where a NAT stands before this gateway.* "publicAddress" stated in the site file or AssumeUDPEncapsulationContextOnSendRule/,
  },
  'L2TP that never came': {
    spoil: g => {
      g.pass = (direction, port, bytes) => direction === 'down' || !isEsp(port, bytes)
    },
    says: /IPsec is up but L2TP never came/,
    toDo: /a firewall on the client blocks UDP 1701/,
  },
  'L2TP from an address in no range': {
    world: script('add l2tp ip=1.1.1.1-255.255.255.254', 'add l2tp ip=198.51.100.1-198.51.100.9'),
    says: /L2TP failed: tunnel of \S+ refused: its address is in no L2TP range/,
    toDo: /"add l2tp ip=FIRST-LAST ppptemplate=N"/,
  },
  'L2TP that nobody enabled': {
    world: script('enable l2tp server=both', 'disable l2tp server'),
    says: /L2TP failed: L2TP is disabled/,
    toDo: /"enable l2tp server=lns"/,
  },
  'an old Windows behind a NAT that drops ESP': {
    guest: { profile: profiles.win2000, address: ipv4('203.0.113.101') },
    spoil: g => {
      g.pass = (_, port) => port !== 0
    },
    says: /IPsec is up but L2TP never came/,
    toDo: /drops IP protocol 50: install update 818043/,
  },
  'LCP that does not come to an agreement': {
    spoil: g => Object.assign(g.client.ppp.options, { acceptsChap: false, acceptsMsChap2: false }),
    says: /PPP failed: .*CHAP/,
    toDo: /let the client allow what the PPP template asks for/,
  },
  'LCP that is never answered': {
    spoil: g => Object.assign(g.client.ppp, { receive: () => [], start: () => [] }),
    says: /PPP failed: the client does not answer PPP at all/,
    toDo: /let the client allow/,
  },
  'a wrong password': {
    guest: { password: 'oranges' },
    says: /^wrong password for user "anna"$/,
    toDo: /type the password again/,
  },
  'an unknown user': {
    guest: { user: 'zoe' },
    says: /unknown user "zoe"/,
    toDo: /add user=zoe/,
  },
  'a pool without an address left': {
    world: script('192.168.8.100-192.168.8.101', '192.168.8.50-192.168.8.50'),
    says: /no inner address is left for user "anna"/,
    toDo: /enlarge the pool/,
  },
  "the client's own reason": {
    spoil: g => {
      const { ppp } = g.client
      const receive = ppp.receive.bind(ppp)
      Object.assign(ppp, {
        receive: (f: Uint8Array, now: number) => (ppp.authenticated ? ppp.hangUp(now, 738) : receive(f, now)),
      })
    },
    says: /PPP failed: .*738/,
    toDo: /the client’s own message/,
  },
  "the client's own reason, in IKE": {
    guest: { profile: windows10 },
    spoil: (g, w) => {
      const { finish } = g.client.ike.initiator
      // It takes our proof for a stranger's, says so, and goes.
      Object.assign(g.client.ike.initiator, {
        finish: (bytes: Uint8Array) => {
          finish.call(g.client.ike.initiator, bytes)
          const body = emitNotification(
            notification(Notify.WindowsStatus, Protocol.Isakmp, new Uint8Array(0), messageIdBytes(13801)),
          )
          const message = g.client.ike.initiator.informational({ type: PayloadType.Notification, body })
          w.control.datagram({ address: SERVER, port: 4500 }, { address: g.outer, port: 31_002 }, message)
          throw new Error('it does not trust us')
        },
      })
    },
    says: /ended the negotiation; its reason: Windows error 13801/,
    toDo: /correct on the client or here what its reason names/,
  },
  'certificates wanted of a gateway that has none': {
    ...withCertificate(),
    says: /wants certificates, and this gateway has none/,
    toDo: /CREATE CA, then CREATE CERTIFICATE/,
  },
  'a certificate that ran out': {
    ...withCertificate(client(ca, { notAfter: new Date(NOW - 86_400_000) })),
    credentials: ours,
    says: refusing('expired on 2026-06-30'),
    toDo: /check the clocks of both sides/,
  },
  'a certificate of the future': {
    ...withCertificate(client(ca, { notBefore: new Date(NOW + 86_400_000) })),
    credentials: ours,
    says: refusing('is valid from 2026-07-02 on'),
    toDo: /time has not come/,
  },
  'a certificate of an authority that we do not know': {
    ...withCertificate(client(authority({ name: 'Other CA' }))),
    credentials: ours,
    says: refusing('issued by no authority of ours'),
    toDo: /pki\/ca\.pem/,
  },
  'a revoked certificate': {
    ...withCertificate(),
    credentials: credentials(server(ca), trust([ca], { revocationLists: [revocationList(ca, alice)] })),
    says: refusing('was revoked'),
    toDo: /CREATE CERTIFICATE USER=\.\.\. anew/,
  },
  'a certificate for something else': {
    ...withCertificate(client(ca, { name: 'carol', extensions: [{ name: 'extKeyUsage', serverAuth: true }] })),
    credentials: ours,
    says: refusing('neither clients nor IPsec'),
    toDo: /for client authentication or IPsec/,
  },
  'a certificate of somebody else than REMOTEID': {
    ...withCertificate(alice, 'remoteid=bob'),
    credentials: ours,
    says: refusing('is not "bob"'),
    toDo: /change REMOTEID/,
  },
  'no certificate at all': {
    ...withCertificate(alice, '', { certificates: [] }),
    credentials: ours,
    says: refusing('it sent no certificate'),
    toDo: /machine store/,
  },
  'a wrong signature': {
    ...withCertificate(alice, '', { sign: () => new Uint8Array(256) }),
    credentials: ours,
    says: refusing('the signature of "CN=alice'),
    toDo: /private key belongs to its certificate/,
  },
  'a path that loses long messages on the way to us': {
    ...withCertificate(),
    credentials: ours,
    spoil: g => {
      g.pass = (direction, _, bytes) => direction === 'down' || bytes.length < 576
    },
    says: /never went on after our key exchange: its fifth message, which bears its certificate and is long/,
    toDo: /open UDP port 4500 .*; where it is open, .* drops IP fragments, or the path has an MTU smaller/,
  },
  'a path that loses long messages on the way to the client': {
    ...withCertificate(),
    credentials: ours,
    spoil: g => {
      g.pass = (direction, _, bytes) => direction === 'up' || bytes.length < 600
    },
    says: /Quick Mode never came: the client repeats its last message .* our answer of \d{3,4} bytes does not seem to arrive/,
    toDo: /drops IP fragments, or the path has an MTU smaller/,
  },
  // As libreswan does, which waits for another name.
  'a client that ignores our last message of Main Mode': {
    world: policy('localid=branch'),
    spoil: g => {
      g.pass = (direction, port) => direction === 'up' || port !== 4500
    },
    says: /Quick Mode never came: the client repeats .*: it does not accept "branch" \(LOCALID\) as our identity, or/,
    toDo: /rightid=@branch\), or take LOCALID out; else look whether UDP 4500 from this gateway reaches it/,
  },
}

describe('SHOW ATTEMPT tells', () => {
  it.each(Object.entries(stories))('%s', (_, story) => {
    const [attempt, ...more] = attemptsOf(story)
    expect(attempt).toMatchObject({
      outcome: 'failed',
      text: expect.stringMatching(story.says),
      remedy: expect.stringMatching(story.toDo),
    })
    expect(more).toEqual([])
  })
})
