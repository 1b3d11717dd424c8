/**
 * The Linux kernel's own stack (strongSwan, xl2tpd, pppd, and ESP, L2TP and PPP in Debian's kernel) and Floatgate, each as the
 * gateway in an emulated machine of its own: the instructions that the machine executes for each packet and byte.
 *
 * `--only=kernel|floatgate`; `--kernel=backports` takes the newer kernel of the release's backports; `--suites=aes,3des`;
 * `--sizes=1400,64`; `--bursts=64,1`; `--lan-offloads=off`; `--symbols` profiles by function.
 * Packets come in bursts, the next one when the last has arrived, and find the machine all at once, so that the speeds of
 * emulator and host change nothing.
 */

import { readFileSync } from 'node:fs'
import { requireProgram, Unavailable } from '../test/interop/rootfs.ts'
import { must, run, sleep } from '../test/support/command.ts'
import { project, whyNoNetwork } from '../test/support/netns.ts'
import { Office } from '../test/support/office.ts'
import { accounts, gatewayLan, gatewayPublic, lanHost, preSharedKey } from '../test/support/plan.ts'
import { EmulatedGateway, type Parts, requireParts } from './emulated-gateway.ts'
import { ADDON, giveCards, startFloatgate } from './emulated-office.ts'
import { baseOf, compiledRanges, functionRanges, processRanges, profile, type Range } from './guest-instructions.ts'
import { note, skipped } from './rows.ts'
import { Station } from './station.ts'

const option = (name: string) => process.argv.find(a => a.startsWith(`--${name}=`))?.slice(name.length + 3)
const list = (name: string, otherwise: string) => (option(name) ?? otherwise).split(',')
/** Each of them is the one that its client offers, which has an address of its own: none is taken for the last come back. */
const suites = {
  aes: { name: 'AES-128', esp: { cipher: 'aes128', integrity: 'sha1' }, client: '203.0.113.120' },
  '3des': { name: '3DES', esp: { cipher: '3des', integrity: 'sha1' }, client: '203.0.113.121' },
} as const
/** Whether ours has the LAN's card merge UDP: `--lan-offloads=off` shows what that brings. */
const lanOffloads = option('lan-offloads') !== 'off'
type Suite = keyof typeof suites
type Kind = 'kernel' | 'floatgate'
const say = (line: string) => process.stderr.write(`bench: ${line}\n`)

/** Packets of one measurement, by the size of its bursts: what comes alone is waited for alone. */
const packetsOf = (burst: number) => Math.min(1024, 100 + 16 * burst)
const WHOLE_BURST = 64
/** What comes before a measurement is repeated until it costs nearly the same: compilers of JavaScript have to be done. */
const warmPacketsOf = (burst: number) => (burst === 1 ? 400 : 2000)
const SETTLED = 0.04
const WARM_ROUNDS = 20
const ROUNDS = 3
const IDLE_MILLIS = 2000
const TCP_BYTES = 3_000_000
const FIRST_TRIES = 5
const ARRIVAL_MILLIS = 8000
/** Shares of a profile below this are added up. */
const LEAST_SHARE = process.argv.includes('--symbols') ? 0.002 : 0.01

const costs = new Map<string, Partial<Record<Kind, number>>>()

class Bench {
  private readonly office = new Office()
  private readonly kind: Kind
  private readonly parts: Parts
  private lan: Station | undefined
  private clients: Station | undefined
  private machine: EmulatedGateway | undefined
  private inner = ''
  private readonly functions: Range[] = []

  constructor(kind: Kind, parts: Parts) {
    this.kind = kind
    this.parts = parts
  }

  async play(): Promise<void> {
    try {
      await this.raise()
      for (const suite of list('suites', 'aes,3des') as Suite[]) await this.playSuite(suite)
    } finally {
      await this.clients?.end()
      await this.lan?.end()
      await this.machine?.cutPower()
      await this.office.remove()
    }
  }

  /** The office, with the machine in place of the gateway. */
  private async raise(): Promise<void> {
    const { network } = this.office
    await this.office.raise([])
    await network.namespace('load')
    await network.wire({ namespace: 'load', name: 'eth0' }, { namespace: 'pub', name: 'load', bridge: 'br0' })
    const cards = await giveCards(network)
    this.lan = new Station(network, 'lan', 'load-lan', lanHost)
    this.machine = await EmulatedGateway.start({
      parts: this.parts,
      network,
      namespace: 'gw',
      name: this.kind,
      cards,
    })
    if (this.kind === 'kernel') await this.startKernel(this.machine)
    else {
      const words = process.argv.includes('--symbols') ? 'NODE_OPTIONS=--perf-basic-prof' : ''
      await startFloatgate(this.machine, this.parts, { lanOffloads }, words)
    }
  }

  private async startKernel(machine: EmulatedGateway): Promise<void> {
    // Of what it has for each algorithm the kernel takes the fastest that is there.
    for (const module of ['aesni_intel', 'sha1_ssse3', 'des3_ede_x86_64']) await machine.must(`modprobe ${module}`)
    await machine.must('modprobe l2tp_ppp')
    const responder = `${project}/test/interop/guest/responder`
    await machine.must(`bash ${responder} ${gatewayPublic} ${gatewayLan} '${preSharedKey}' encap`)
  }

  private async playSuite(suite: Suite): Promise<void> {
    const { network } = this.office
    const { name: suiteName, esp, client } = suites[suite]
    await this.clients?.end()
    await network.ip('load', 'address flush dev eth0')
    await network.ip('load', `address add ${client}/24 dev eth0`)
    this.clients = new Station(network, 'load', 'load-clients')
    const { user, password } = accounts.dialin2
    const account = { server: gatewayPublic, psk: preSharedKey, user, password }
    const dialed = await this.clients
      .obey<{ connected: string[] }>({ do: 'dial', profile: 'win10', esp, clients: 1, ...account })
      .catch(async (e: Error) => {
        const said = await this.machine!.must('tail -n 20 /run/vpn/charon.log /run/floatgated.log 2>&1 || true')
        throw new Error(`${e.message}\n${said}`)
      })
    this.inner = dialed.connected[0]!
    // Who sends knows the way before the machine is stopped: of a burst that waits for ARP the kernel keeps 92 packets.
    for (const direction of ['up', 'down'] as const) await this.arrive(direction)
    await this.tellCiphers()
    await this.idle(suiteName)
    for (const size of list('sizes', '1400,64').map(Number)) {
      for (const direction of ['up', 'down'] as const) {
        for (const burst of list('bursts', '64,1').map(Number)) {
          await this.warm(() => this.bursts(size, direction, burst, warmPacketsOf(burst)))
          const name = `${suiteName}, UDP ${size} ${direction}, bursts of ${burst}`
          const profiled = size === 1400 && (burst === 1 || burst === WHOLE_BURST)
          await this.measure(name, profiled, async () => {
            const packets = await this.bursts(size, direction, burst, packetsOf(burst))
            return { packets, bytes: packets * size }
          })
        }
      }
    }
    await this.clients.obey({ do: 'tun', to: lanHost })
    for (const direction of ['up', 'down'] as const) {
      await this.warm(() => this.transfer(direction, TCP_BYTES))
      await this.measure(`${suiteName}, TCP ${direction}`, true, async () => {
        await this.transfer(direction, TCP_BYTES)
        return { bytes: TCP_BYTES }
      })
    }
  }

  /** What the machine does while nothing comes: that is in every other figure, too, the more the slower the host is. */
  private async idle(name: string): Promise<void> {
    const { instructions } = this.machine!
    await sleep(IDLE_MILLIS)
    const before = instructions.total()
    await sleep(IDLE_MILLIS)
    const each = (instructions.total() - before) / (IDLE_MILLIS / 1000)
    this.tell(`${name}, nothing comes`, each / 1e6, 'million instructions/s')
  }

  /** Which of the kernel's implementations the SAs have. */
  private async tellCiphers(): Promise<void> {
    if (this.kind !== 'kernel') return
    const drivers = await this.machine!.must(
      `ip xfrm state | grep -m1 -q espinudp; awk '/^driver/{d=$3} /^refcnt/&&$3>1&&d~/authenc/{print d}' /proc/crypto`,
    )
    process.stdout.write(`the kernel's ESP is by ${drivers.trim().replaceAll('\n', ', ') || 'nobody'}\n`)
  }

  /** Until a packet arrives: one that waits too long for ARP is lost, and pppd's proxies answer when they like. */
  private async arrive(direction: 'up' | 'down'): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.bursts(64, direction, 1, 1)
        return
      } catch (e) {
        if (tries === FIRST_TRIES) throw e
      }
    }
  }

  /** So many packets in bursts; answers how many arrived. */
  private async bursts(size: number, direction: 'up' | 'down', burst: number, packets: number): Promise<number> {
    const [from, to] = direction === 'up' ? [this.clients!, this.lan!] : [this.lan!, this.clients!]
    const address = direction === 'up' ? lanHost : this.inner
    const { received: before } = await to.obey<Count>({ do: 'count' })
    let arrived = 0
    for (let sent = 0; sent < packets; ) {
      const send = () => from.obey<Sent>({ do: 'burst', to: address, size, count: burst })
      sent += (await (burst === 1 ? send() : this.machine!.whilePaused(send))).sent
      const late = performance.now() + ARRIVAL_MILLIS
      do {
        await sleep(1)
        arrived = (await to.obey<Count>({ do: 'count' })).received - before
      } while (arrived < sent && performance.now() < late)
      if (arrived < sent * 0.9) throw new Error(`only ${arrived} of ${sent} packets arrived`)
    }
    return arrived
  }

  /** Moves so many bytes by HTTP. */
  private async transfer(direction: 'up' | 'down', bytes: number): Promise<void> {
    const what =
      direction === 'up'
        ? ['sh', '-c', `head -c ${bytes} /dev/zero | curl -sS -T - http://${lanHost}/`]
        : ['curl', '-sS', '-o', '/dev/null', `http://${lanHost}/${bytes}`]
    await must(this.office.network.inside('load', ...what), { timeoutMillis: 120_000 })
  }

  /** Repeats a load until three in a row have cost the same: a compiler may be at work in two of them. */
  private async warm(load: () => Promise<unknown>): Promise<void> {
    const { instructions } = this.machine!
    const costs: number[] = []
    while (costs.length < WARM_ROUNDS) {
      const before = instructions.total()
      await load()
      costs.push(instructions.total() - before)
      const last = costs.slice(-3)
      if (last.length === 3 && Math.max(...last) < (1 + SETTLED) * Math.min(...last)) return
    }
  }

  /** Runs a load, more than once, and tells the least that the machine executed meanwhile for each packet and byte. */
  private async measure(name: string, profiled: boolean, load: () => Promise<Load>): Promise<void> {
    const { instructions } = this.machine!
    let least: { readonly executed: number; readonly done: Load; readonly shares: Shares } | undefined
    for (let round = 0; round < ROUNDS; round++) {
      const counts = profiled ? instructions.counts() : new Map<bigint, number>()
      const before = instructions.total()
      let done: Load
      try {
        done = await load()
      } catch (e) {
        return skipped(`${this.kind}: ${name}`, (e as Error).message)
      }
      const executed = instructions.total() - before
      const each = executed / done.bytes
      if (least !== undefined && each >= least.executed / least.done.bytes) continue
      const after = profiled ? instructions.counts() : new Map<bigint, number>()
      least = { executed, done, shares: profiled ? profile(counts, after, await this.ranges()) : [] }
    }
    const { executed, done, shares } = least!
    if (done.packets !== undefined) this.tell(`${name}, a packet`, executed / done.packets, 'instructions/packet')
    this.tell(`${name}, a byte`, executed / done.bytes, 'instructions/byte')
    if (!process.argv.includes('--symbols')) this.tellWhatLimits(name, shares)
    for (const [what, share] of shares.filter(([, share]) => share >= LEAST_SHARE)) {
      const each = (share * executed) / (done.packets ?? done.bytes)
      const percent = (share * 100).toFixed(0).padStart(3)
      process.stdout.write(
        `           ${percent} % ${each.toFixed(done.packets === undefined ? 2 : 0).padStart(7)}  ${what}\n`,
      )
      note({ what: `${this.kind}: ${name}: ${what}`, value: share * 100, unit: '%' })
    }
  }

  /** The profile in four words. */
  private tellWhatLimits(name: string, shares: Shares): void {
    const sums = new Map<string, number>()
    for (const [what, share] of shares) {
      const kind = kinds.find(([, like]) => like.test(what))?.[0] ?? 'all else'
      sums.set(kind, (sums.get(kind) ?? 0) + share * 100)
    }
    if (sums.size === 0) return
    const parts = [...sums].sort(([, a], [, b]) => b - a).map(([kind, share]) => `${kind} ${share.toFixed(0)} %`)
    process.stdout.write(`           ${parts.join(', ')}, of which:\n`)
    for (const [kind, share] of sums) note({ what: `${this.kind}: ${name}: ${kind}`, value: share, unit: '%' })
  }

  /** Whose code is where in the machine. */
  private async ranges(): Promise<Range[]> {
    const { work } = this.machine!
    const bySymbol = process.argv.includes('--symbols')
    if (this.functions.length === 0) {
      await this.machine!.must(`cat /proc/kallsyms >${work}/kallsyms; sync ${work}/kallsyms`)
      const symbols = readFileSync(`${work}/kallsyms`, 'utf8')
      this.functions.push(
        ...functionRanges(symbols, bySymbol ? (symbol, module) => (module ? `${module}/${symbol}` : symbol) : part),
      )
    }
    if (this.kind === 'kernel') return this.functions
    // Node is linked to fixed addresses, and keeps its symbols.
    const { output: names } = await run(['nm', process.execPath])
    const ours = functionRanges(names, bySymbol ? symbol => symbol : partOfNode)
    const maps = await this.machine!.must('cat /proc/$(cat /run/floatgated.pid)/maps')
    const { output: addon } = await run(['nm', `${work}/floatgate/native/build/Release/${ADDON}`])
    const own = functionRanges(addon, bySymbol ? symbol => symbol : partOfAddon, baseOf(maps, ADDON))
    const known = [...(ours.length > 0 ? [process.execPath.split('/').at(-1)] : []), ...(own.length > 0 ? [ADDON] : [])]
    const pieces = processRanges(maps, 'JavaScript, compiled')
      .filter(r => !known.includes(r.name))
      .map(r => ({ ...r, name: r.name.startsWith('libIPSec_MB') ? 'cryptography: libipsec-mb' : r.name }))
    const compiled = bySymbol
      ? compiledRanges(await this.machine!.must('cat /tmp/perf-$(cat /run/floatgated.pid).map'))
      : []
    return [...this.functions, ...ours, ...own, ...pieces, ...compiled]
  }

  private tell(name: string, value: number, unit: string): void {
    const both = costs.get(name) ?? {}
    both[this.kind] = value
    costs.set(name, both)
    const { kernel, floatgate } = both
    const ratio = kernel !== undefined && floatgate !== undefined ? kernel / floatgate : undefined
    const times = ratio === undefined ? '' : `  ${ratio.toFixed(2)} x the kernel`
    const shown = value.toFixed(value < 1000 ? 2 : 0)
    process.stdout.write(`${this.kind.padEnd(10)} ${name.padEnd(48)} ${shown.padStart(9)} ${unit}${times}\n`)
    note({
      what: `${this.kind}: ${name}`,
      value,
      unit,
      ...(ratio === undefined ? {} : { ratio, against: "the kernel's own stack" }),
    })
  }
}

type Shares = readonly [name: string, share: number][]
interface Sent {
  readonly sent: number
}
interface Count {
  readonly received: number
}
interface Load {
  readonly packets?: number
  readonly bytes: number
}

/** What parts have in common. */
const kinds = [
  ['cryptography', /cryptography/],
  ["the kernel's path", /^kernel/],
  ['JavaScript', /^JavaScript|V8/],
  ['the addon', /^the addon/],
] as const

/** To what part of the addon a function belongs. */
function partOfAddon(symbol: string): string {
  if (/Aes|EncryptLanes|DecryptText/.test(symbol)) return 'cryptography: our AES'
  if (/Sha1/.test(symbol)) return 'cryptography: our SHA-1'
  if (/Bitslice|Shuffle|Des|Lanes|Sbox|Transpose/i.test(symbol)) return 'cryptography: our DES'
  return 'the addon: batches, keys, system calls'
}

/** To what part of Node a function belongs. */
function partOfNode(symbol: string): string {
  if (symbol.startsWith('Builtins_')) return 'JavaScript, built in and interpreted'
  if (/^(aes|sha\d|vpaes|_*des_|DES_|EVP_|OSSL_|ossl_|HMAC|CRYPTO_|OPENSSL_|cipher_|tdes|DES)/.test(symbol))
    return 'cryptography: OpenSSL'
  if (/compiler|Turbo|baseline|sparkplug|maglev/i.test(symbol)) return "Node: V8's compilers"
  if (/Heap|Scaveng|Mark|Sweep|Evacuat|GC/.test(symbol)) return "Node: V8's collector"
  if (/v8/.test(symbol)) return 'Node: all else of V8'
  return 'Node: all else'
}

/** To what part of the kernel a function belongs. */
function part(symbol: string, module: string | undefined): string {
  if (module !== undefined && /^(aesni|sha|des|libdes|authenc|cbc|crypt|hmac|echainiv)/.test(module))
    return 'kernel: cryptography'
  if (module === undefined && /crypto|scatterwalk|skcipher|aead|shash|ahash|^sha1|kernel_fpu/.test(symbol))
    return 'kernel: cryptography'
  if (/^(esp|xfrm)/.test(symbol)) return 'kernel: IPsec'
  if (module !== undefined && /^(l2tp|ppp|slhc)/.test(module)) return 'kernel: L2TP and PPP'
  if (module !== undefined && /^(nf_|nft_|nfnetlink|libcrc)/.test(module)) return 'kernel: nftables'
  if (module !== undefined && /^virtio|^net_failover|^failover/.test(module)) return 'kernel: network cards'
  if (module === 'tun') return 'kernel: TUN'
  if (/clear_page|huge_?page|hpage/.test(symbol)) return 'kernel: clearing of pages, huge pages'
  return 'kernel: all else, such as IP and UDP'
}

const obstacle = await whyNoNetwork()
if (obstacle !== undefined) skipped("the kernel's own stack", obstacle)
else {
  try {
    const parts = await requireParts(say, option('kernel') === 'backports')
    await requireProgram('curl', 'curl', say)
    const { kernel, qemuVersion } = parts
    process.stdout.write(
      `QEMU ${qemuVersion} without KVM, -icount shift=0, one processor "max"; Linux ${kernel.release} in it\n`,
    )
    for (const kind of ['kernel', 'floatgate'] as const) {
      if (list('only', 'kernel,floatgate').includes(kind)) await new Bench(kind, parts).play()
    }
  } catch (e) {
    if (!(e instanceof Unavailable)) throw e
    skipped("the kernel's own stack", e.message)
  }
}
