/**
 * The client side of PPP as the built-in clients speak it, without I/O: frames in, frames out, virtual time. It shares
 * no code with the gateway, so that each reads the RFCs for itself.
 */

import { createHash } from 'node:crypto'
import { expectedProof, type MsChapTry, responseValue } from './mschap-client.ts'

/** `xp`: Windows 2000 and XP. `win7`: Vista and later (IPV6CP first, a third Identification). `plain`: a Unix pppd. */
export type PppFlavour = 'xp' | 'win7' | 'plain'

export interface PppClientOptions {
  readonly flavour: PppFlavour
  readonly name: string
  readonly password: string
  /** Four bytes as a number. */
  readonly magic?: number
  readonly computerName?: string
  /** What is ticked in the security settings: CHAP, and MS-CHAPv2, which the client prefers. */
  readonly acceptsChap?: boolean
  readonly acceptsMsChap2?: boolean
  /** What the user types when the server allows another try (MS-CHAPv2). */
  readonly retryPasswords?: readonly string[]
  /** How the identifier of a new try goes on from the refused one's. */
  readonly retryIdStep?: 0 | 1
  /** IP header compression ticked: asks for VJ as well. */
  readonly headerCompression?: boolean
  /** The address that it asks for; absent: any. */
  readonly asksFor?: number
  /** What Windows says of itself first; absent: as the flavour has it. */
  readonly identification?: string
  /** Restart period and attempts. */
  readonly restartMillis?: number
  readonly attempts?: number
}

interface Option {
  readonly type: number
  readonly data: Buffer
}

/** The negotiation of one protocol as the client sees it. */
interface Side {
  options: Option[]
  id: number
  attemptsLeft: number
  resendAt: number | undefined
  /** The gateway acknowledged us; we acknowledged it. */
  acked: boolean
  acking: boolean
  /** The request we acknowledged last: its repetition only means that our Ack was lost. */
  lastAcked: Buffer | undefined
}

const LCP = 0xc021
const CHAP = 0xc223
const IPCP = 0x8021
const IPV6CP = 0x8057
const CCP = 0x80fd
const IPV4 = 0x0021

const option = (type: number, hex: string): Option => ({ type, data: Buffer.from(hex, 'hex') })

export class PppClient {
  readonly options: Required<PppClientOptions>
  /** What it was told, and where it stands. */
  lcpOpened = false
  authenticated = false
  ipcpOpened = false
  chapMessage = ''
  /** The algorithm of CHAP that LCP agreed on: 5 or 0x81. */
  chapAlgorithm = 5
  /** How many challenges it answered. */
  responses = 0
  address = 0
  dns: [number, number] = [0, 0]
  wins: [number, number] = [0, 0]
  serverAddress = 0
  serverMru = 1500
  /** Why it is over, once it is. */
  ended: string | undefined
  /** Protocols that the gateway rejected. */
  readonly protocolRejects: number[] = []
  readonly echoRepliesSeen: Buffer[] = []

  private readonly sides = new Map<number, Side>()
  private attempt: MsChapTry | undefined
  private retries = 0
  private responseId = -1
  private nextId: number
  private out: Uint8Array[] = []
  private now = 0

  constructor(options: PppClientOptions) {
    this.options = {
      magic: 0x12345678,
      computerName: 'XPCLIENT',
      acceptsChap: true,
      acceptsMsChap2: true,
      retryPasswords: [],
      retryIdStep: 1,
      headerCompression: false,
      asksFor: 0,
      identification: options.flavour === 'xp' ? 'MSRASV5.10' : 'MSRASV5.20',
      restartMillis: 3000,
      attempts: 10,
      ...options,
    }
    this.nextId = options.flavour === 'plain' ? 1 : 0
  }

  /** The call is up: the first frames. */
  start(now: number): Uint8Array[] {
    return this.turn(now, () => this.open(LCP, this.lcpOptions()))
  }

  /** A frame from the gateway, as it stands behind the L2TP header. Frames with IPv4 are not for here. */
  receive(frame: Uint8Array, now: number): Uint8Array[] {
    return this.turn(now, () => {
      if (this.ended === undefined) this.frame(Buffer.from(frame))
    })
  }

  /** The earliest retransmission, or undefined. */
  get deadline(): number | undefined {
    const times = [...this.sides.values()].map(s => s.resendAt).filter(t => t !== undefined)
    return this.ended === undefined && times.length > 0 ? Math.min(...times) : undefined
  }

  expire(now: number): Uint8Array[] {
    return this.turn(now, () => {
      for (const [protocol, side] of this.sides) {
        if (side.resendAt === undefined || side.resendAt > now) continue
        if (side.attemptsLeft <= 0) {
          this.ended = `no answer to ${protocol.toString(16)}`
          return
        }
        this.request(protocol, side, side.id)
      }
    })
  }

  /** Terminate-Request with Microsoft's reason: 0 is the user's own wish. */
  hangUp(now: number, rasError = 0): Uint8Array[] {
    return this.turn(now, () => {
      this.hangUpBecause(rasError)
      this.ended = 'hung up'
    })
  }

  echo(now: number): Uint8Array[] {
    return this.turn(now, () => this.send(LCP, 9, this.takeId(), this.magicBytes()))
  }

  /** Starts LCP over on a link that is up, as some clients do. */
  renegotiate(now: number): Uint8Array[] {
    return this.turn(now, () => {
      this.restart()
      this.open(LCP, this.lcpOptions())
    })
  }

  /** An IP packet in a full PPP header. */
  ipFrame(packet: Uint8Array): Uint8Array {
    return Buffer.concat([Buffer.from('ff030021', 'hex'), packet])
  }

  private lcpOptions(): Option[] {
    const magic: Option = { type: 5, data: this.magicBytes() }
    if (this.options.flavour === 'plain')
      return [option(1, '0578'), option(2, '00000000'), magic, option(7, ''), option(8, '')]
    return [option(1, '0578'), magic, option(7, ''), option(8, ''), option(13, '06')]
  }

  private ipcpOptions(): Option[] {
    const address = option(3, this.options.asksFor.toString(16).padStart(8, '0'))
    if (this.options.flavour === 'plain') return [address, option(129, '00000000'), option(131, '00000000')]
    const types = [address, ...[129, 130, 131, 132].map(type => option(type, '00000000'))]
    return this.options.headerCompression ? [option(2, '002d0f01'), ...types] : types
  }

  private turn(now: number, body: () => void): Uint8Array[] {
    this.now = now
    this.out = []
    body()
    return this.out
  }

  private frame(bytes: Buffer): void {
    let at = bytes[0] === 0xff && bytes[1] === 0x03 ? 2 : 0
    let protocol = bytes[at++]!
    if ((protocol & 1) === 0) protocol = protocol * 256 + bytes[at++]!
    if (protocol === IPV4) return
    const code = bytes[at]!
    const id = bytes[at + 1]!
    const data = bytes.subarray(at + 4, at + bytes.readUInt16BE(at + 2))
    if (protocol === CHAP) return this.chap(code, id, data)
    if (protocol === LCP && code >= 8) return this.lcpExtra(code, id, data)
    if (protocol !== LCP && !this.authenticated) return
    this.control(protocol, code, id, data)
  }

  private control(protocol: number, code: number, id: number, data: Buffer): void {
    const side = this.sides.get(protocol)
    if (side === undefined) return
    switch (code) {
      case 1:
        return this.configure(protocol, side, id, data)
      case 2:
        if (id !== side.id || side.acked || !data.equals(encode(side.options))) return
        side.acked = true
        side.attemptsLeft = this.options.attempts
        return this.settle(protocol, side)
      case 3:
        if (id !== side.id || side.acked) return
        side.attemptsLeft = this.options.attempts
        side.options = side.options.map(o => decode(data).find(n => n.type === o.type) ?? o)
        return this.request(protocol, side)
      case 4: {
        if (id !== side.id || side.acked) return
        const refused = decode(data)
        if (protocol === IPCP && refused.some(o => o.type === 3)) return this.noAddress()
        side.attemptsLeft = this.options.attempts
        side.options = side.options.filter(o => !refused.some(r => r.type === o.type))
        return this.request(protocol, side)
      }
      case 5:
        this.send(protocol, 6, id, Buffer.alloc(0))
        if (protocol === LCP)
          this.ended = `terminated by the gateway${data.length > 0 ? `: ${data.toString('latin1')}` : ''}`
        return
      default:
        return
    }
  }

  /** Windows error 738: no address was assigned. */
  private noAddress(): void {
    this.send(IPCP, 5, this.takeId(), Buffer.concat([this.magicBytes(), Buffer.from('003ccd74000002e2', 'hex')]))
    this.ended = 'error 738'
  }

  private configure(protocol: number, side: Side, id: number, data: Buffer): void {
    const options = decode(data)
    const refused = options.filter(o => !this.grants(protocol, o))
    if (refused.length > 0) return this.send(protocol, 4, id, encode(refused))
    const auth = options.find(o => o.type === 3)
    if (protocol === LCP && auth && !this.takes(auth)) {
      return this.send(protocol, 3, id, encode([option(3, this.preference())]))
    }
    if (protocol === LCP && auth) this.chapAlgorithm = auth.data[2]!
    for (const o of options) {
      if (protocol === LCP && o.type === 1) this.serverMru = o.data.readUInt16BE(0)
      if (protocol === IPCP && o.type === 3) this.serverAddress = o.data.readUInt32BE(0)
    }
    // A request after everything was settled: the other side starts over.
    const whole = Buffer.concat([Buffer.from([id]), data])
    if (side.acked && side.acking && side.lastAcked?.equals(whole)) return this.send(protocol, 2, id, data)
    if (side.acked && side.acking) {
      if (protocol === LCP) this.restart()
      this.open(protocol, side.options)
    }
    const current = this.sides.get(protocol)!
    this.send(protocol, 2, id, data)
    current.acking = true
    current.lastAcked = whole
    this.settle(protocol, current)
  }

  private takes(auth: Option): boolean {
    const wish = auth.data.toString('hex')
    return (this.options.acceptsChap && wish === 'c22305') || (this.options.acceptsMsChap2 && wish === 'c22381')
  }

  /** Without either box ticked it is EAP. */
  private preference(): string {
    if (this.options.acceptsMsChap2) return 'c22381'
    return this.options.acceptsChap ? 'c22305' : 'c227'
  }

  private grants(protocol: number, o: Option): boolean {
    if (protocol === LCP) return [1, 2, 3, 5, 7, 8].includes(o.type)
    return protocol === IPCP && o.type === 3
  }

  private settle(protocol: number, side: Side): void {
    if (!side.acked) return
    if (!side.acking) {
      // Ours was taken, theirs has not come: the timer keeps on asking.
      side.resendAt = this.now + this.options.restartMillis
      return
    }
    side.resendAt = undefined
    if (protocol === LCP) this.lcpUp()
    if (protocol === IPCP) this.ipcpUp(side)
  }

  private lcpUp(): void {
    if (this.lcpOpened) return
    this.lcpOpened = true
    const { flavour, computerName, identification } = this.options
    if (flavour === 'plain') return
    const texts = [identification, `MSRAS-0-${computerName}`]
    for (const text of texts) this.send(LCP, 12, this.takeId(), Buffer.concat([this.magicBytes(), Buffer.from(text)]))
    if (flavour === 'win7')
      this.send(LCP, 12, this.takeId(), Buffer.concat([this.magicBytes(), Buffer.alloc(16, 0x9d)]))
  }

  private ipcpUp(side: Side): void {
    this.ipcpOpened = true
    const value = (type: number) => side.options.find(o => o.type === type)?.data.readUInt32BE(0) ?? 0
    this.address = value(3)
    this.dns = [value(129), value(131)]
    this.wins = [value(130), value(132)]
  }

  private chap(code: number, id: number, data: Buffer): void {
    if (!this.lcpOpened) return
    if (this.chapAlgorithm === 0x81) return this.msChap(code, id, data)
    if (code === 1) {
      this.responses++
      const challenge = data.subarray(1, 1 + data[0]!)
      const value = createHash('md5')
        .update(Buffer.from([id]))
        .update(this.options.password)
        .update(challenge)
        .digest()
      this.send(CHAP, 2, id, Buffer.concat([Buffer.from([value.length]), value, Buffer.from(this.options.name)]))
    }
    if (code === 4) this.chapMessage = data.toString('latin1')
    if (code !== 3 || this.authenticated) return
    this.authenticated = true
    this.chapMessage = data.toString('latin1')
    this.startNetwork()
  }

  private msChap(code: number, id: number, data: Buffer): void {
    const message = data.toString('latin1')
    const password = this.retries === 0 ? this.options.password : this.options.retryPasswords[this.retries - 1]!
    if (code === 1) this.msChapResponse(id, Buffer.from(data.subarray(1, 1 + data[0]!)), password)
    if (code === 3) this.msChapSuccess(message)
    // A Failure that comes twice is answered once: it names the Response, and its challenge is the one in use.
    if (code !== 4 || this.authenticated || id !== this.responseId) return
    if (this.attempt && message.includes(this.attempt.challenge.toString('hex').toUpperCase())) return
    const allowed = /^E=\d+ R=1 C=([0-9A-F]{32}) V=3 M=/.exec(message)
    const next = this.options.retryPasswords[this.retries]
    if (allowed && next !== undefined) {
      this.retries++
      return this.msChapResponse((id + this.options.retryIdStep) & 255, Buffer.from(allowed[1]!, 'hex'), next)
    }
    this.chapMessage = message
    // The user gives up; without another try the server hangs up by itself.
    if (allowed) this.hangUpBecause(691)
  }

  private msChapResponse(id: number, challenge: Buffer, password: string): void {
    this.responses++
    this.responseId = id
    const peerChallenge = createHash('md5').update(u32(this.options.magic)).update(challenge).digest()
    this.attempt = { name: this.options.name, password, challenge, peerChallenge }
    this.send(
      CHAP,
      2,
      id,
      Buffer.concat([Buffer.from([49]), responseValue(this.attempt), Buffer.from(this.options.name)]),
    )
  }

  /** A server that does not know the password is none of ours: error 778. */
  private msChapSuccess(message: string): void {
    if (this.attempt === undefined || message.split(' ')[0] !== expectedProof(this.attempt))
      return this.hangUpBecause(778)
    if (this.authenticated) return
    this.authenticated = true
    this.chapMessage = message
    this.startNetwork()
  }

  private hangUpBecause(rasError: number): void {
    const data = Buffer.concat([this.magicBytes(), Buffer.from('003ccd74', 'hex'), u32(rasError)])
    this.send(LCP, 5, this.takeId(), data)
    this.ended = `error ${rasError}`
  }

  /** Without authentication the network phase starts by itself: callers of a `none` template call this. */
  startWithoutAuthentication(now: number): Uint8Array[] {
    return this.turn(now, () => {
      this.authenticated = true
      this.startNetwork()
    })
  }

  private startNetwork(): void {
    if (this.options.flavour === 'win7') this.open(IPV6CP, [option(1, '021122fffe334455')])
    if (this.options.flavour !== 'plain') {
      this.open(CCP, [option(18, this.options.flavour === 'xp' ? '01000001' : '01000000')])
    }
    this.open(IPCP, this.ipcpOptions())
  }

  private lcpExtra(code: number, id: number, data: Buffer): void {
    if (code === 8) {
      const protocol = data.readUInt16BE(0)
      this.protocolRejects.push(protocol)
      this.sides.delete(protocol)
    }
    if (code === 9) this.send(LCP, 10, id, Buffer.concat([this.magicBytes(), data.subarray(4)]))
    if (code === 10) this.echoRepliesSeen.push(Buffer.from(data))
  }

  private restart(): void {
    this.sides.clear()
    this.lcpOpened = false
    this.authenticated = false
    this.ipcpOpened = false
  }

  private open(protocol: number, options: Option[]): void {
    const { attempts } = this.options
    const side: Side = {
      options,
      id: 0,
      attemptsLeft: attempts,
      resendAt: undefined,
      acked: false,
      acking: false,
      lastAcked: undefined,
    }
    this.sides.set(protocol, side)
    this.request(protocol, side)
  }

  private request(protocol: number, side: Side, id = this.takeId()): void {
    side.id = id
    side.acked = false
    side.attemptsLeft--
    side.resendAt = this.now + this.options.restartMillis
    this.send(protocol, 1, id, encode(side.options))
  }

  private send(protocol: number, code: number, id: number, data: Buffer): void {
    const head = Buffer.from([
      0xff,
      0x03,
      protocol >> 8,
      protocol & 255,
      code,
      id,
      (data.length + 4) >> 8,
      (data.length + 4) & 255,
    ])
    this.out.push(new Uint8Array(Buffer.concat([head, data])))
  }

  /** One counter for all protocols of the link, as Windows counts. */
  private takeId(): number {
    const id = this.nextId
    this.nextId = (id + 1) & 255
    return id
  }

  private magicBytes(): Buffer {
    return u32(this.options.magic)
  }
}

function u32(value: number): Buffer {
  const b = Buffer.alloc(4)
  b.writeUInt32BE(value >>> 0)
  return b
}

function encode(options: readonly Option[]): Buffer {
  return Buffer.concat(options.flatMap(o => [Buffer.from([o.type, o.data.length + 2]), o.data]))
}

function decode(data: Buffer): Option[] {
  const options: Option[] = []
  for (let at = 0; at + 2 <= data.length && data[at + 1]! >= 2; at += data[at + 1]!) {
    options.push({ type: data[at]!, data: Buffer.from(data.subarray(at + 2, at + data[at + 1]!)) })
  }
  return options
}
