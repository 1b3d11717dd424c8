import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/packet/bytes.ts'
import { emitIpv4, emitUdp, formatIpv4, ipv4, readIpv4 } from '../../src/packet/ip.ts'
import { concat } from '../../src/packet/writer.ts'
import { answerInform, type DhcpAnswer } from '../../src/ppp/dhcp.ts'

const CLIENT = ipv4('192.168.8.50')
const office: DhcpAnswer = {
  server: ipv4('192.168.8.1'),
  client: CLIENT,
  dns: [ipv4('192.168.8.2'), undefined],
  wins: [undefined, ipv4('192.168.8.4')],
  dnsSuffix: 'office.example',
  routes: [
    { network: ipv4('192.168.8.0'), length: 24 },
    { network: ipv4('10.128.0.0'), length: 9 },
    { network: ipv4('0.0.0.0'), length: 0 },
    { network: ipv4('192.0.2.7'), length: 32 },
  ],
}

/** What Windows sends; `wishes` is its list of options, `more` stands before the end. */
function inform(wishes: string | undefined, more = '', change: (message: Uint8Array) => void = () => {}): Uint8Array {
  const message = concat(
    fromHex('01 08 06 00 deadbeef 0007 8000 c0a80832 00000000 00000000 00000000'),
    fromHex('005345000000 00000000000000000000'),
    new Uint8Array(192),
    fromHex(`63825363 350108 3d0701005345000000 3c084d53465420352e30 ${more}`),
    wishes === undefined ? new Uint8Array(0) : concat(Uint8Array.of(55, wishes.length / 2), fromHex(wishes)),
    Uint8Array.of(255),
  )
  change(message)
  const ends = { source: CLIENT, destination: ipv4('255.255.255.255') }
  return emitIpv4({ ...ends, protocol: 17, payload: emitUdp(68, 67, message, ends) })
}

/** Windows XP's list, and the routes of Vista and later. */
const WISHES = '010f03062c2e2f1f2179f92b'

/** The answer's message, and its options in hexadecimal by code. */
function read(packet: Uint8Array | undefined): { message: Uint8Array; options: Record<number, string> } {
  const message = packet!.subarray(28)
  const options: Record<number, string> = {}
  for (let at = 240; message[at] !== 255; at += 2 + message[at + 1]!)
    options[message[at]!] = toHex(message.subarray(at + 2, at + 2 + message[at + 1]!))
  return { message, options }
}

describe('a DHCPINFORM', () => {
  it('is answered with what was asked for and is known', () => {
    const { message, options } = read(answerInform(inform(WISHES), office))
    const routes = '18c0a808c0a80801' + '090a80c0a80801' + '00c0a80801' + '20c0000207c0a80801'
    expect(options).toEqual({
      53: '05',
      54: 'c0a80801',
      1: 'ffffffff',
      6: 'c0a80802',
      15: toHex(Buffer.from('office.example')),
      44: 'c0a80804',
      121: routes,
      249: routes,
    })
    expect(toHex(message.subarray(0, 28))).toBe('02080600deadbeef00008000c0a80832000000000000000000000000'.slice(0, 56))
    expect(toHex(message.subarray(28, 44))).toBe('00534500000000000000000000000000')
  })

  it('goes back from the server’s port to the client’s, with a checksum, long enough for old clients', () => {
    const packet = answerInform(inform(WISHES, ''), { ...office, routes: [], dnsSuffix: undefined })!
    expect(formatIpv4(readIpv4(packet, 12))).toBe('192.168.8.1')
    expect(formatIpv4(readIpv4(packet, 16))).toBe('192.168.8.50')
    expect(toHex(packet.subarray(20, 24))).toBe('00430044')
    expect(toHex(packet.subarray(26, 28))).not.toBe('0000')
    expect(packet.length).toBe(20 + 8 + 300)
    expect(read(packet).options).toEqual({ 53: '05', 54: 'c0a80801', 1: 'ffffffff', 6: 'c0a80802', 44: 'c0a80804' })
  })

  it('without wishes hears everything, and with others nothing but who answers', () => {
    expect(Object.keys(read(answerInform(inform(undefined), office)).options)).toHaveLength(8)
    expect(Object.keys(read(answerInform(inform('2b2e'), office)).options)).toEqual(['53', '54'])
  })

  it('leases nothing: no address, no time', () => {
    const { message, options } = read(answerInform(inform(undefined), office))
    expect(readIpv4(message, 16)).toBe(0)
    expect(options).not.toHaveProperty('51')
  })

  it.each<[string, Uint8Array]>([
    ['another message type', inform(WISHES, '', m => m.set([3], 242))],
    ['a reply', inform(WISHES, '', m => m.set([2], 0))],
    ['another client’s address', inform(WISHES, '', m => m.set([9], 15))],
    ['no magic cookie', inform(WISHES, '', m => m.set([0], 236))],
    ['an option beyond the end', inform(WISHES, '', m => m.set([200], 241))],
    ['a short packet', inform(WISHES).subarray(0, 200)],
    ['nothing', new Uint8Array(0)],
  ])('is not heard in %s', (_, packet) => {
    expect(answerInform(packet, office)).toBeUndefined()
  })

  it('made of noise is answered soundly or not at all', () => {
    const whole = inform(WISHES)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 8 }),
        fc.nat(whole.length),
        (edits, cut) => {
          const packet = whole.slice(0, whole.length - (edits.length % 2 === 0 ? 0 : cut))
          for (const [at, byte] of edits) if (at < packet.length) packet[at] = byte
          const answer = answerInform(packet, office)
          if (answer) expect(read(answer).options[53]).toBe('05')
        },
      ),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), packet => {
        expect(answerInform(packet, office)).toBeUndefined()
      }),
    )
  })
})
