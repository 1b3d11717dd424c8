/** The worker and the kernel, packet by packet over one table: both must do what the table says. */

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildRuleset } from '../../src/firewall/compile.ts'
import { type NftablesInput, type NftSession, nftablesSession, nftablesTable } from '../../src/firewall/nftables.ts'
import type { Firewall, FirewallPolicy } from '../../src/firewall/policy.ts'
import { RuleSchedule } from '../../src/firewall/schedule.ts'
import { checksum } from '../../src/packet/checksum.ts'
import { emitIpv4, formatIpv4, type Ipv4, ipv4, readIpv4 } from '../../src/packet/ip.ts'
import { type Case, cases, NAME, NOON } from './agreement-table.ts'
import { KernelRouter, whyNoKernelRouter } from './kernel.ts'
import {
  ALICE,
  BOB,
  firewall,
  fragments,
  icmpMessage,
  one,
  policy,
  port,
  rule,
  SURROUNDINGS,
  TCP,
  tcp,
  udp,
} from './office.ts'
import { AROUND, ends, GLOBAL, received, sent, translating } from './translation.ts'

/** What enforces a policy: says how a packet left, or undefined. `passes`: what is expected, for those who wait. */
interface Enforcer {
  pass(side: string, packet: Uint8Array, passes: boolean): Promise<Uint8Array | undefined>
  readonly reassembles?: true
}

/** The case's policy with its inside interface by name. */
function firewallOf(c: Case, inside: string): Firewall {
  const own = (name: string) => (name === 'inside' ? inside : name)
  const { interfaces, ...change } = c.policy ?? {}
  const wanted = interfaces ?? []
  const rules: Partial<FirewallPolicy> = {
    ...change,
    interfaces: policy().interfaces.map(i => wanted.find(w => w.name === i.name) ?? i),
    nats: (c.nats ?? []).map(n => ({ ...n, interface: own(n.interface) })),
    rules: (c.rules ?? []).map(r => ({ ...r, interface: own(r.interface) })),
    limitRules: (change.limitRules ?? []).map(l => ({ ...l, interface: l.interface && own(l.interface) })),
  }
  return new RuleSchedule().at({ ...firewall(rules), ...c.firewall }, c.moment ?? NOON).firewall
}

function worker(c: Case): Enforcer {
  const t = translating([])
  t.setRuleset(buildRuleset(firewallOf(c, 'dyn-dynamic'), AROUND))
  const session = (packet: Uint8Array) => (readIpv4(packet, 12) === ALICE ? 1 : 2)
  return {
    pass: async (side, packet) => {
      const left = side === 'in' ? sent(t, session(packet), packet) : received(t, packet)
      return typeof left === 'string' ? undefined : left
    },
  }
}

const connected: readonly NftSession[] = [
  { address: ALICE, user: 'alice' },
  { address: BOB, user: 'bob' },
]
const input = (rules: Firewall, sessions = connected): NftablesInput => ({
  firewall: rules,
  tableName: 'floatgate_test',
  devices: { eth0: 'wan', vlan1: 'lan' },
  interfaces: SURROUNDINGS.interfaces,
  tunDevice: 'fg0',
  sessions,
  // What is told of a packet changes nothing about it.
  logGroup: 17_300,
  ports: [500, 4500],
})

function kernel(router: KernelRouter, c: Case): Enforcer {
  router.nft(nftablesTable(input(firewallOf(c, 'vlan1')))!)
  return {
    reassembles: true,
    pass: async (side, packet, passes) => {
      const passage = await router.send(side === 'in' ? 'lan' : 'wan', packet, passes)
      // What is nobody's here the router sends back to where it came from.
      return passage.left === (side === 'in' ? 'wan' : 'lan') ? passage.packet : undefined
    },
  }
}

let identification = 0

/** Its own identification, by which the router's test finds it again. */
function identified(packet: Uint8Array): Uint8Array {
  identification = (identification % 60_000) + 1
  packet[4] = identification >>> 8
  packet[5] = identification
  packet.fill(0, 10, 12)
  const sum = checksum(packet, 0, (packet[0]! & 15) * 4)
  packet[10] = sum >>> 8
  packet[11] = sum
  return packet
}

const INSIDE = 1000
const OUTSIDE = 9000

/** `more` bytes of payload than it needs. */
function build(kind: string, side: string, from: End, to: End, more = 0): Uint8Array {
  const [protocol, detail = ''] = kind.split(':') as [string, string?]
  const [flags = '', at] = detail.split('@')
  switch (protocol) {
    case 'udp':
      return udp(from.address, from.port, to.address, to.port, 4 + more)
    case 'gre':
      return emitIpv4({
        source: from.address,
        destination: to.address,
        protocol: 47,
        payload: new Uint8Array(8 + more),
      })
    case 'icmp':
      return icmpMessage(from.address, to.address, Number(detail), 0, from.port, new Uint8Array(16 + more))
    case 'tcp': {
      const bits = [...flags].reduce((sum, f) => sum | { S: TCP.SYN, A: TCP.ACK, R: TCP.RST, F: TCP.FIN }[f]!, 0)
      const own = side === 'in' ? INSIDE : OUTSIDE
      const sequence = at === undefined ? own + (bits & TCP.SYN ? 0 : 1) : Number(at)
      const acknowledgement = bits & TCP.ACK ? INSIDE + OUTSIDE - own + 1 : 0
      return tcp(from.address, from.port, to.address, to.port, bits, undefined, { sequence, acknowledgement })
    }
  }
  throw new Error(`no packet of kind ${kind}`)
}

const OPTIONS: Readonly<Record<string, readonly number[]>> = {
  rr: [7, 7, 4, 0, 0, 0, 0, 0],
  ra: [148, 4, 0, 0],
  ts: [68, 8, 5, 0, 0, 0, 0, 0],
}

/** `udp+rr` bears the option to record its route, `udp+ra` a router alert. */
function withOption(packet: Uint8Array, name: string | undefined): Uint8Array {
  if (name === undefined) return packet
  const options = OPTIONS[name]!
  const out = Uint8Array.from([...packet.subarray(0, 20), ...options, ...packet.subarray(20)])
  out[0] = 0x45 + options.length / 4
  out[2] = out.length >>> 8
  out[3] = out.length
  return out
}

/** Bytes of a fragment's payload. */
const PIECE = 48

/** `udp/3` is a datagram in three fragments, which passes where all of them do. */
async function passPieces(enforcer: Enforcer, side: string, pieces: readonly Uint8Array[], passes: boolean) {
  const left: (Uint8Array | undefined)[] = []
  for (const [i, piece] of pieces.entries())
    left.push(await enforcer.pass(side, piece, passes && i === pieces.length - 1))
  // The kernel lets them out when the last has come; a worker each of them.
  if (enforcer.reassembles) return left.at(-1)
  return left.includes(undefined) ? undefined : left[0]
}

interface End {
  readonly address: Ipv4
  readonly port: number
}

/** Plays a case's steps; each fate must be the table's. */
async function play(c: Case, x: Ipv4, enforcer: Enforcer): Promise<void> {
  const drawn = new Map<string, number>()
  const names: Record<string, Ipv4> = { A: ALICE, B: BOB, X: x, Y: x + 1, G: GLOBAL, H: GLOBAL + 1, N: NAME }
  const end = (text: string): End => {
    const [name, at = '0'] = text.split(':') as [string, string?]
    return { address: names[name]!, port: drawn.get(at) ?? Number(at) }
  }
  /** The fate's text with addresses and drawn ports filled in, and letters bound by what was seen. */
  const fill = (fate: string, seen: string | undefined) => {
    const numbers = seen?.match(/:\d+/g) ?? []
    let n = 0
    return fate.replace(/([A-Z]):([a-z*]|\d+)/g, (_, name: string, at: string) => {
      const there = numbers[n++]?.slice(1)
      if (/[a-z]/.test(at) && !drawn.has(at) && there !== undefined) drawn.set(at, Number(there))
      return `${formatIpv4(names[name]!)}:${at === '*' ? there : (drawn.get(at) ?? at)}`
    })
  }
  for (const line of c.steps.trim().split('\n')) {
    const [step, fate] = line.trim().split(' = ') as [string, string]
    const error = /^(in|out) (error|expired) (\w) > (\w) about (\S+) > (\S+)$/.exec(step)
    const plain = /^(in|out) (\S+) (\S+) > (\S+)$/.exec(step)
    if (error) {
      const [, side, kind, from, to, a, b] = error as unknown as string[]
      const about = (p: string, q: string) => build('udp', side!, end(p), end(q)).slice(0, 28)
      const type = kind === 'error' ? 3 : 11
      const packet = icmpMessage(end(from!).address, end(to!).address, type, type === 3 ? 3 : 0, 0, about(a!, b!))
      const left = await enforcer.pass(side!, identified(packet), fate !== 'drop')
      const seen = left && `${formatIpv4(readIpv4(left, 12))} > ${formatIpv4(readIpv4(left, 16))} about ${quoted(left)}`
      const wanted =
        fate === 'drop'
          ? undefined
          : fill(
              fate.replace(/^(\w) > (\w)/, (_, p, q) => `${formatIpv4(names[p]!)} > ${formatIpv4(names[q]!)}`),
              undefined,
            )
      expect({ line, left: seen }).toEqual({ line, left: wanted })
      continue
    }
    if (!plain) throw new Error(`what is "${line}"?`)
    const [, side, whole, from, to] = plain as unknown as string[]
    const [what, option] = whole!.split('+') as [string, string?]
    const [kind, pieces = '1'] = what.split('/') as [string, string?]
    const built = build(kind, side!, end(from!), end(to!), PIECE * (Number(pieces) - 1))
    const packet = identified(withOption(built, option))
    const left =
      pieces === '1'
        ? await enforcer.pass(side!, packet, fate !== 'drop')
        : await passPieces(enforcer, side!, fragments(packet, PIECE + 20, identification), fate !== 'drop')
    const seen =
      left &&
      (kind === 'gre' || option !== undefined
        ? `${formatIpv4(readIpv4(left, 12))}:0 > ${formatIpv4(readIpv4(left, 16))}:0`
        : ends(left))
    expect({ line, left: seen }).toEqual({ line, left: fate === 'drop' ? undefined : fill(fate, seen) })
  }
}

/** The ends of the UDP datagram that an ICMP error quotes. */
function quoted(packet: Uint8Array): string {
  const inner = packet.subarray(28)
  const word = (at: number) => (inner[at]! << 8) | inner[at + 1]!
  return `${formatIpv4(readIpv4(inner, 12))}:${word(20)} > ${formatIpv4(readIpv4(inner, 16))}:${word(22)}`
}

const FAR = ipv4('198.51.100.10')
const numbered = cases.map((make, i) => ({ x: FAR + 4 * i, c: make(FAR + 4 * i) }))

describe('the worker', () => {
  test.each(numbered.map(n => [n.c.name, n] as const))('%s', async (_, { c, x }) => {
    await play(c, x, worker(c))
  })
})

const why = whyNoKernelRouter()
if (why !== undefined) {
  console.log(`the kernel is not asked whether it agrees: ${why}`)
} else {
  describe('the kernel', () => {
    let router: KernelRouter
    beforeAll(async () => {
      router = await KernelRouter.open()
    })
    afterAll(async () => {
      await router.close()
    })

    test.each(numbered.map(n => [n.c.name, n] as const))('%s', async (_, { c, x }) => {
      await play(c, x, kernel(router, c))
    })

    const maybe = <T>(a: fc.Arbitrary<T>) => fc.option(a, { nil: undefined })
    const range = (values: readonly number[]) =>
      fc
        .tuple(fc.constantFrom(...values), fc.constantFrom(...values))
        .map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }))
    const far = ipv4('198.51.100.200')
    const anyRule = fc.record({
      interface: fc.constantFrom('eth0', 'inside'),
      action: fc.constantFrom('allow' as const, 'deny' as const),
      protocol: maybe(fc.constantFrom(1, 6, 17, 47)),
      ip: maybe(range([ALICE, BOB, BOB + 1])),
      port: maybe(range([7, 80, 90])),
      remoteIp: maybe(range([far, far + 1, far + 2])),
      sourcePort: maybe(range([1, 4000, 5000])),
      list: maybe(fc.constant('friends')),
      user: maybe(fc.constantFrom('alice', 'bob')),
      days: maybe(fc.subarray([0, 1, 2, 3, 4, 5, 6] as const, { minLength: 1, maxLength: 6 })),
    })
    const anyPacket = fc.record({
      side: fc.constantFrom('in', 'out'),
      kind: fc.constantFrom('udp', 'tcp:S', 'icmp:8', 'gre'),
      near: fc.constantFrom(ALICE, BOB),
      away: fc.constantFrom(far, far + 1, far + 2),
      destination: fc.constantFrom(7, 80, 85, 99),
    })

    test('agrees with the worker over any rules', async () => {
      let passed = 0
      let dropped = 0
      let source = 1024
      await fc.assert(
        fc.asyncProperty(
          fc.array(anyRule, { minLength: 1, maxLength: 20 }),
          fc.array(anyPacket, { minLength: 8, maxLength: 8 }),
          async (some, packets) => {
            const rules = some.map((r, i) =>
              rule({ number: i + 1, ...r, ...(r.interface === 'inside' ? { user: undefined } : {}) }),
            )
            const c: Case = {
              name: '',
              policy: { lists: [{ name: 'friends', addresses: [one(far)] }] },
              rules,
              steps: '',
            }
            const [w, k] = [worker(c), kernel(router, c)]
            for (const p of packets) {
              // Ports of its own, so that no packet is another's answer; protocols without any are asked once.
              source = source >= 60_000 ? 1024 : source + 1
              if (p.kind === 'gre') continue
              const [from, to] = p.side === 'in' ? [p.near, p.away] : [p.away, p.near]
              const ports = p.kind === 'icmp:8' ? [source, source] : [source, p.destination]
              const packet = () =>
                build(p.kind, p.side, { address: from, port: ports[0]! }, { address: to, port: ports[1]! })
              const wanted = (await w.pass(p.side, identified(packet()), true)) !== undefined
              const seen = (await k.pass(p.side, identified(packet()), wanted)) !== undefined
              expect({ rules, p, source, passes: seen }).toEqual({ rules, p, source, passes: wanted })
              if (wanted) passed++
              else dropped++
            }
          },
        ),
        { numRuns: 40, seed: 77, endOnFailure: true },
      )
      expect(Math.min(passed, dropped)).toBeGreaterThan(40)
    })

    test('a session that comes and goes is in the sets, and a forward to its user follows', async () => {
      const r = rule({
        number: 5,
        action: 'allow',
        interface: 'eth0',
        protocol: 6,
        port: port(80),
        globalIp: one(GLOBAL),
        globalPort: port(8080),
        user: 'bob',
      })
      const rules = firewall({ nats: [], rules: [r] })
      router.nft(nftablesTable(input(rules, []))!)
      const knock = async (from: number, passes: boolean) => {
        const passage = await router.send('wan', identified(tcp(far, from, GLOBAL, 8080, TCP.SYN)), passes)
        return passage.left === 'lan' && formatIpv4(readIpv4(passage.packet!, 16))
      }
      const bob = { address: BOB, user: 'bob' }
      const elsewhere = { address: BOB + 1, user: 'bob' }
      expect(await knock(30_001, false)).toBe(false)
      router.nft(nftablesSession(input(rules, [bob]), bob, true)!)
      expect(await knock(30_002, true)).toBe('192.168.8.51')
      router.nft(nftablesSession(input(rules, [bob, elsewhere]), elsewhere, true)!)
      expect(await knock(30_003, true)).toBe('192.168.8.52')
      router.nft(nftablesSession(input(rules, [bob]), elsewhere, false)!)
      expect(await knock(30_004, true)).toBe('192.168.8.51')
      router.nft(nftablesSession(input(rules, []), bob, false)!)
      expect(await knock(30_005, false)).toBe(false)
    })
  })
}
