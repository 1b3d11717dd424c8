import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/packet/bytes.ts'
import { checksum } from '../../src/packet/checksum.ts'
import {
  emitIpv4,
  emitUdp,
  formatEndpoint,
  formatIpv4,
  IpProtocol,
  inSubnet,
  ipv4,
  ipv4Bytes,
  maskPrefix,
  parseIpv4,
  prefixMask,
  readIpv4,
  sameEndpoint,
  transportChecksum,
  writeIpv4,
} from '../../src/packet/ip.ts'

const address = fc.integer({ min: 0, max: 0xffffffff })

describe('addresses', () => {
  it('are read as they are written', () => {
    fc.assert(
      fc.property(address, a => {
        expect(parseIpv4(formatIpv4(a))).toBe(a)
        expect(readIpv4(ipv4Bytes(a))).toBe(a)
        const bytes = new Uint8Array(8)
        writeIpv4(bytes, 3, a)
        expect(readIpv4(bytes, 3)).toBe(a)
        expect(bytes[2]).toBe(0)
        expect(bytes[7]).toBe(0)
      }),
    )
  })

  it('are numbers without a sign', () => {
    expect(parseIpv4('192.168.8.50')).toBe(0xc0a80832)
    expect(parseIpv4('255.255.255.255')).toBe(0xffffffff)
    expect(formatIpv4(0xc0a80832)).toBe('192.168.8.50')
  })

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '1.2.3.400',
    'a.b.c.d',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '-1.2.3.4',
    '1..2.3',
    '::1',
  ])('are not %j', text => {
    expect(parseIpv4(text)).toBeUndefined()
    expect(() => ipv4(text)).toThrow(RangeError)
  })

  it('with a port are endpoints', () => {
    const a = { address: ipv4('10.1.0.11'), port: 4500 }
    expect(formatEndpoint(a)).toBe('10.1.0.11:4500')
    expect(sameEndpoint(a, { ...a })).toBe(true)
    expect(sameEndpoint(a, { ...a, port: 500 })).toBe(false)
    expect(sameEndpoint(a, { ...a, address: 1 })).toBe(false)
  })
})

describe('masks', () => {
  it('come from prefix lengths and lead back to them', () => {
    for (let length = 0; length <= 32; length++) expect(maskPrefix(prefixMask(length))).toBe(length)
    expect(prefixMask(0)).toBe(0)
    expect(formatIpv4(prefixMask(20))).toBe('255.255.240.0')
    expect(prefixMask(32)).toBe(0xffffffff)
  })

  it('whose ones are not contiguous have no prefix length', () => {
    for (const text of ['255.0.255.0', '0.0.0.1', '127.255.255.255', '255.255.255.253']) {
      expect(maskPrefix(ipv4(text))).toBeUndefined()
    }
    const masks = new Set(Array.from({ length: 33 }, (_, i) => prefixMask(i)))
    fc.assert(
      fc.property(address, a => {
        expect(maskPrefix(a) !== undefined).toBe(masks.has(a))
      }),
    )
  })

  it('tell who lies in a subnet', () => {
    const network = ipv4('192.168.8.0')
    expect(inSubnet(ipv4('192.168.8.255'), network, prefixMask(24))).toBe(true)
    expect(inSubnet(ipv4('192.168.9.0'), network, prefixMask(24))).toBe(false)
    expect(inSubnet(ipv4('200.1.2.3'), network, 0)).toBe(true)
    expect(inSubnet(ipv4('192.168.8.1'), ipv4('192.168.8.77'), prefixMask(24))).toBe(true)
  })
})

describe('emitted packets', () => {
  it('verify, whatever is in them', () => {
    const port = fc.integer({ min: 0, max: 0xffff })
    fc.assert(
      fc.property(
        address,
        address,
        port,
        port,
        fc.uint8Array({ maxLength: 400 }),
        (source, destination, from, to, data) => {
          const udp = emitUdp(from, to, data, { source, destination })
          expect(transportChecksum(udp, 0, udp.length, source, destination, IpProtocol.Udp)).toBe(0)
          const packet = emitIpv4({ source, destination, protocol: IpProtocol.Udp, payload: udp })
          expect(checksum(packet, 0, 20)).toBe(0)
          expect(packet.length).toBe(28 + data.length)
          expect(readIpv4(packet, 12)).toBe(source)
          expect(readIpv4(packet, 16)).toBe(destination)
          expect([...packet.subarray(28)]).toEqual([...data])
        },
      ),
    )
  })

  it('have the fields of RFC 791', () => {
    const packet = emitIpv4({
      source: ipv4('10.0.0.1'),
      destination: ipv4('10.0.0.2'),
      protocol: IpProtocol.Icmp,
      payload: Uint8Array.of(0xaa),
      ttl: 3,
      identification: 0x1234,
      dontFragment: true,
    })
    expect(toHex(packet.subarray(0, 10))).toBe('45000015123440000301')
    expect(toHex(packet.subarray(12))).toBe('0a0000010a000002aa')
  })

  it('have no UDP checksum without addresses to compute it over', () => {
    expect(toHex(emitUdp(1701, 1701, Uint8Array.of(1)))).toBe('06a506a50009000001')
  })

  it('never say "no checksum" where there is one', () => {
    // Data that makes the sum come out as all ones, which RFC 768 sends as FFFF instead of 0.
    const pseudo = { source: 0, destination: 0 }
    const bare = emitUdp(0, 0, Uint8Array.of(0, 0), pseudo)
    const data = bare.subarray(6, 8).slice()
    const udp = emitUdp(0, 0, data, pseudo)
    expect(toHex(udp.subarray(6, 8))).toBe('ffff')
    expect(transportChecksum(udp, 0, udp.length, 0, 0, IpProtocol.Udp)).toBe(0)
  })
})
