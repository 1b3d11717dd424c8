/** IPsec policies as a filter: what the list means, and that the kernel's table means the same. */

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ClearPacket, decide, type IpsecPolicyFilter } from '../../src/firewall/ipsec-policy.ts'
import { nftablesTable } from '../../src/firewall/nftables.ts'
import { checksum } from '../../src/packet/checksum.ts'
import { emitIpv4, emitUdp, IpProtocol, type Ipv4, ipv4 } from '../../src/packet/ip.ts'
import { KernelRouter, whyNoKernelRouter } from './kernel.ts'
import { emitTcp, INTERNET, icmpMessage, LAN_HOST, one } from './office.ts'

const open: IpsecPolicyFilter = {
  name: 'open',
  action: 'permit',
  localAddress: undefined,
  remoteAddress: undefined,
  localPort: 'any',
  remotePort: 'any',
  protocol: 'any',
  icmpTypes: undefined,
  named: false,
}
const make = (change: Partial<IpsecPolicyFilter>): IpsecPolicyFilter => ({ ...open, ...change })

/** The four policies of the vendor's note. */
const note = [
  make({ name: 'isakmp', localPort: 500 }),
  make({ name: 'isakmp_float', localPort: 4500 }),
  make({ name: 'all_roaming', action: 'ipsec', localPort: 1701, protocol: IpProtocol.Udp }),
  make({ name: 'internet' }),
]

const inward = (protocol: number, sourcePort?: number, destinationPort?: number): ClearPacket => ({
  direction: 'in',
  source: INTERNET,
  destination: LAN_HOST,
  protocol,
  ...(sourcePort === undefined ? {} : { sourcePort }),
  ...(destinationPort === undefined ? {} : { destinationPort }),
})

describe('the list', () => {
  test('the first that matches decides: IKE passes, clear L2TP does not, the rest is permitted last', () => {
    expect(decide(note, inward(IpProtocol.Udp, 500, 500))?.name).toBe('isakmp')
    expect(decide(note, inward(IpProtocol.Udp, 61000, 4500))?.name).toBe('isakmp_float')
    expect(decide(note, inward(IpProtocol.Udp, 1701, 1701))?.action).toBe('ipsec')
    expect(decide(note, inward(IpProtocol.Tcp, 1701, 1701))?.name).toBe('internet')
    expect(decide(note, inward(IpProtocol.Icmp))?.name).toBe('internet')
  })

  test('without the last PERMIT what none matches is denied', () => {
    expect(decide(note.slice(0, 3), inward(IpProtocol.Tcp, 40000, 443))).toBeUndefined()
  })

  test('local and remote change sides with the direction', () => {
    const out: ClearPacket = { ...inward(IpProtocol.Udp, 500, 40000), direction: 'out' }
    expect(decide(note, out)?.name).toBe('isakmp')
    const remote = [make({ remoteAddress: one(INTERNET), remotePort: 53 })]
    expect(decide(remote, inward(IpProtocol.Udp, 53, 1024))).toBeDefined()
    expect(decide(remote, { ...inward(IpProtocol.Udp, 53, 1024), direction: 'out' })).toBeUndefined()
  })

  test('OPAQUE fits what has no ports to read, a number only what has', () => {
    const opaque = [make({ localPort: 'opaque' })]
    expect(decide(opaque, inward(IpProtocol.Icmp))).toBeDefined()
    expect(decide(opaque, inward(IpProtocol.Udp))).toBeDefined()
    expect(decide(opaque, inward(IpProtocol.Udp, 1, 2))).toBeUndefined()
    expect(decide([make({ localPort: 500 })], inward(IpProtocol.Udp))).toBeUndefined()
  })

  test('a policy that asks for a name fits no clear packet', () => {
    expect(decide([make({ named: true })], inward(IpProtocol.Icmp))).toBeUndefined()
  })
})

const addresses: readonly Ipv4[] = [ipv4('192.168.8.10'), LAN_HOST, ipv4('192.168.8.30')]
const remotes: readonly Ipv4[] = [ipv4('198.51.100.1'), INTERNET, ipv4('198.51.100.200')]
const portNumbers = [53, 500, 1701, 4500]
const protocols = [IpProtocol.Udp, IpProtocol.Tcp, IpProtocol.Icmp, IpProtocol.Esp, 47]

const range = (of: readonly Ipv4[]) =>
  fc.option(
    fc.tuple(fc.constantFrom(...of), fc.constantFrom(...of)).map(([a, b]) => ({
      first: Math.min(a, b),
      last: Math.max(a, b),
    })),
    { nil: undefined, freq: 2 },
  )
const portSelector = fc.oneof(
  { weight: 3, arbitrary: fc.constant('any' as const) },
  { weight: 3, arbitrary: fc.constantFrom(...portNumbers) },
  { weight: 1, arbitrary: fc.constant('opaque' as const) },
)

const anyPolicy = fc.record({
  action: fc.constantFrom('permit' as const, 'permit' as const, 'deny' as const, 'ipsec' as const),
  localAddress: range(addresses),
  remoteAddress: range(remotes),
  localPort: portSelector,
  remotePort: portSelector,
  protocol: fc.oneof(
    { weight: 3, arbitrary: fc.constant('any' as const) },
    { weight: 3, arbitrary: fc.constantFrom(...protocols) },
    { weight: 1, arbitrary: fc.constant('opaque' as const) },
  ),
  icmpTypes: fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constant([0, 8]) }),
  named: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
})
/** Half of the lists end with a catch-all, as most scripts do. */
const anyList = fc
  .tuple(fc.array(anyPolicy, { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([list, last]) => [...list, ...(last ? [open] : [])].map((p, i) => ({ ...p, name: `p${i}` })))

const anyPacket = fc.record({
  direction: fc.constantFrom('in' as const, 'out' as const),
  near: fc.constantFrom(...addresses),
  far: fc.constantFrom(...remotes),
  protocol: fc.constantFrom(...protocols),
  nearPort: fc.constantFrom(...portNumbers, 40000),
  farPort: fc.constantFrom(...portNumbers, 40000),
  icmpType: fc.constantFrom(0, 8, 3),
  laterFragment: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
})
type AnyPacket = typeof anyPacket extends fc.Arbitrary<infer T> ? T : never

/** The same packet as the list sees it, and on the wire. */
function asSeen(p: AnyPacket): ClearPacket {
  const [source, destination] = p.direction === 'in' ? [p.far, p.near] : [p.near, p.far]
  const [sourcePort, destinationPort] = p.direction === 'in' ? [p.farPort, p.nearPort] : [p.nearPort, p.farPort]
  const hasPorts = (p.protocol === IpProtocol.Udp || p.protocol === IpProtocol.Tcp) && !p.laterFragment
  return {
    direction: p.direction,
    source,
    destination,
    protocol: p.protocol,
    ...(hasPorts ? { sourcePort, destinationPort } : {}),
    ...(p.protocol === IpProtocol.Icmp && !p.laterFragment ? { icmpType: p.icmpType } : {}),
  }
}

function onWire(p: AnyPacket, identification: number): Uint8Array {
  const { source, destination, protocol } = asSeen(p)
  const [from, to] = p.direction === 'in' ? [p.farPort, p.nearPort] : [p.nearPort, p.farPort]
  const payload =
    protocol === IpProtocol.Udp
      ? emitUdp(from, to, new Uint8Array(8), { source, destination })
      : protocol === IpProtocol.Tcp
        ? emitTcp(source, from, destination, to, 2)
        : protocol === IpProtocol.Icmp
          ? icmpMessage(source, destination, p.icmpType, 0, 7, new Uint8Array(8)).subarray(20)
          : new Uint8Array(16)
  const bytes = emitIpv4({ source, destination, protocol, payload, identification })
  if (p.laterFragment) {
    bytes[7] = 100
    bytes[10] = 0
    bytes[11] = 0
    const sum = checksum(bytes, 0, 20)
    bytes[10] = sum >>> 8
    bytes[11] = sum
  }
  return bytes
}

const table = (policies: readonly IpsecPolicyFilter[]) =>
  nftablesTable({
    firewall: { enabled: false, policies: [] },
    ipsec: [{ interface: 'eth0', policies }],
    tableName: 'floatgate_test',
    devices: { eth0: 'wan', vlan1: 'lan' },
    interfaces: [],
    tunDevice: 'fg0',
    ports: [500, 4500],
  })!

const why = whyNoKernelRouter()
if (why !== undefined) {
  console.log(`IPsec policies are not tried in a kernel: ${why}`)
} else {
  describe('the list and the kernel', () => {
    let router: KernelRouter
    let identification = 0

    beforeAll(async () => {
      router = await KernelRouter.open()
    })
    afterAll(async () => {
      await router.close()
    })

    const passes = async (p: AnyPacket, expected: boolean) => {
      const enter = p.direction === 'in' ? 'wan' : 'lan'
      identification = (identification % 65_000) + 1
      const passage = await router.send(enter, onWire(p, identification), expected)
      return passage.left === (p.direction === 'in' ? 'lan' : 'wan')
    }

    test('agree over every packet', async () => {
      let passed = 0
      let dropped = 0
      await fc.assert(
        fc.asyncProperty(anyList, fc.array(anyPacket, { minLength: 12, maxLength: 12 }), async (list, packets) => {
          router.nft(table(list))
          for (const p of packets) {
            const expected = decide(list, asSeen(p))?.action === 'permit'
            expect({ p, passes: await passes(p, expected) }).toEqual({ p, passes: expected })
            if (expected) passed++
            else dropped++
          }
        }),
        { numRuns: 40, seed: 0x1701 },
      )
      expect(Math.min(passed, dropped)).toBeGreaterThan(80)
    })

    test('each policy counts what it decided', async () => {
      router.nft(table(note.slice(0, 3)))
      const base: AnyPacket = {
        direction: 'in',
        near: LAN_HOST,
        far: INTERNET,
        protocol: IpProtocol.Udp,
        nearPort: 500,
        farPort: 500,
        icmpType: 0,
        laterFragment: false,
      }
      expect(await passes(base, true)).toBe(true)
      expect(await passes({ ...base, nearPort: 1701 }, false)).toBe(false)
      expect(await passes({ ...base, nearPort: 1701 }, false)).toBe(false)
      expect(await passes({ ...base, direction: 'out', nearPort: 443 }, false)).toBe(false)
      const listed = router.ask('nft', 'list', 'table', 'inet', 'floatgate_test')
      expect(listed).toMatch(/counter packets 1 bytes \d+ accept comment "ipsec in isakmp"/)
      expect(listed).toMatch(/counter packets 2 bytes \d+ drop comment "ipsec in all_roaming"/)
      expect(listed).toMatch(/counter packets 1 bytes \d+ drop comment "ipsec out none of eth0"/)
    })

    test('DHCP of the host is never asked about', async () => {
      router.nft(table([make({ action: 'deny' })]))
      const lease: AnyPacket = {
        direction: 'in',
        near: LAN_HOST,
        far: INTERNET,
        protocol: IpProtocol.Udp,
        nearPort: 68,
        farPort: 67,
        icmpType: 0,
        laterFragment: false,
      }
      expect(await passes(lease, true)).toBe(true)
      expect(await passes({ ...lease, nearPort: 69 }, false)).toBe(false)
    })
  })
}
