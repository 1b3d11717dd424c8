/** The only importer of the native addon: system calls and arithmetic, by the batch. */

import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { EngineEvent, SaUsage } from '../esp/engine.ts'
import type { Cipher, Integrity } from '../esp/sa.ts'
import { misfit } from './native-fit.ts'

/** A batch's memory, attached: native keeps a reference to the ArrayBuffer for as long as this lives. */
export interface NativeBatch {
  readonly __brand: 'batch'
}
/** A worker's ESP engine: its SAs and paths. Used by one thread only. */
export interface NativeEngine {
  readonly __brand: 'engine'
}
/** An epoll set that a worker thread blocks on. */
export interface NativePoller {
  readonly __brand: 'poller'
}
/** A watched file descriptor in a thread that has an event loop. */
export interface NativeWatcher {
  readonly __brand: 'watcher'
}

/** The maps of the TUN device's steering program. */
export interface TunSteering {
  readonly addresses: number
  readonly ports: number
}

/**
 * Who computes: a library, or our own DES: bit slices in one instruction set, or bytes (vbmi, shuffle);
 * or our own SHA-1, in AVX-512, or AES-CBC. What it cannot do, OpenSSL does.
 */
export type CryptoName = 'openssl' | 'ipsec-mb' | 'sha1' | AesUnit | DesUnit
export type AesUnit = 'vaes-512' | 'vaes' | 'aes-ni'
export type DesUnit = 'vbmi' | 'shuffle' | 'avx512' | 'avx2' | 'portable'

/**
 * Every function throws an Error with `code` (the errno's name: `EADDRINUSE`, `EPERM`, ...) and `syscall` where the
 * kernel refuses. Addresses are unsigned 32-bit numbers. File descriptors are non-blocking and close-on-exec.
 */
export interface Native {
  /** batch.h's own idea of src/packet/batch.ts's batchLayout: the same keys and values. */
  layout(): Record<string, number>
  /**
   * Which crypto is compiled in and usable here, e.g. { ipsecMb: "1.3.0", openssl: "3.0.15", des: ["avx2", "portable"], sha1: false, aes: ["aes-ni"] };
   * absent ones are undefined.
   */
  versions(): { ipsecMb?: string; openssl: string; des: DesUnit[]; sha1: boolean; aes: AesUnit[] }

  attach(buffer: ArrayBuffer): NativeBatch
  /** As Engine.fetchRows of src/esp/engine.ts, over the first `count` rows; `ofSessions`, or of peers. */
  fetchRows(batch: NativeBatch, count: number, ofSessions: boolean, table: Uint8Array, rowSize: number): void

  /** UDP socket bound to address:port, with IP_PKTINFO, SO_REUSEPORT if asked, 4 MiB buffers where allowed, DF off. */
  udpSocket(address: number, port: number, reusePort: boolean): number
  /**
   * On one socket of a SO_REUSEPORT group whose members were bound in the order control, worker 0, ... : steers by the
   * first payload word: 0 or a datagram of less than 4 bytes to socket 0, else to socket 1 + SPI mod workers.
   */
  steerUdp(fd: number, workers: number): void
  /** Raw socket for IP protocol 50 that receives only packets whose SPI mod workers is worker; IP_PKTINFO. */
  rawEspSocket(worker: number, workers: number): number
  /**
   * Opens a multi-queue TUN device (no packet information) with that many queues; `name` may hold %d. With `offloads` the
   * host may leave checksums and the cutting of TCP (`tso`) and UDP (`uso`) to us, and takes super-segments, where the
   * kernel knows that. Where `tso` is true, only readSuper and writeSuper understand the device; else the plain ones.
   * Where it is `polled` (NAPI), what is written waits for the kernel to poll, and may be merged with what came before.
   */
  tunOpen(
    name: string,
    queues: number,
    offloads?: boolean,
    polled?: boolean,
  ): { name: string; index: number; fds: number[]; tso: boolean; uso: boolean }
  /**
   * Attaches an eBPF program that picks the queue by a map from inner destination address to worker (absent: queue 0). Of
   * a shared address the port or ICMP identifier decides: by a map from single ports, else by blocks (nat-ports.ts).
   * Answers the maps' file descriptors.
   */
  steerTun(tunFd: number, workers: number, capacity: number): TunSteering
  steerTunSet(addresses: number, address: number, worker: number): void
  steerTunShare(addresses: number, address: number): void
  steerTunDelete(addresses: number, address: number): void
  steerTunSetPort(ports: number, address: number, protocol: number, port: number, worker: number): void
  steerTunDeletePort(ports: number, address: number, protocol: number, port: number): void
  close(fd: number): void
  /** An eventfd, for waking a worker; signal adds 1, clear reads it empty. */
  eventFd(): number
  signal(fd: number): void
  clearEvent(fd: number): void

  /** Each wait writes to `times` when it ended, in milliseconds as `now` has it, and how many microseconds it took. */
  poller(fds: number[], times?: Float64Array): NativePoller
  /** Blocks this thread up to `milliseconds` (-1: for ever). Answers a bit mask: bit i is set when fds[i] is readable. */
  wait(poller: NativePoller, milliseconds: number): number
  /** The monotonic clock in whole milliseconds, as process.hrtime has it, without the garbage that a bigint is. */
  now(): number
  /** How many milliseconds of a processor this thread has had: for benchmarks. */
  threadTime(): number
  /** Calls back in this thread's event loop whenever fd is readable (level-triggered), until unwatch. */
  watch(fd: number, readable: () => void): NativeWatcher
  unwatch(watcher: NativeWatcher): void

  /** Lets datagrams of one sender come coalesced (`gro`), and says whether the kernel cuts up what is sent (`gso`). */
  coalesceUdp(fd: number): { gro: boolean; gso: boolean }
  /**
   * Receives datagrams into rows `from` and up, with one recvmmsg; answers the batch's new count. Each row: offset at the
   * slot's headroom, length, address, port, local; verdict Forward; the rest zero. A datagram larger than the slot is
   * made a row with verdict Drop, reason TooBig. Into a batch of COALESCED_ROOM datagrams may come coalesced; their rows
   * lie one behind the other, without headroom. Then a full batch may have more behind it that no poller tells of.
   * At most so many messages, if `most` is given.
   */
  receiveUdp(fd: number, batch: NativeBatch, from: number, most?: number): number
  /**
   * One datagram into `bytes`, for control, whose messages may be longer than a batch's slot; undefined where none waits.
   * `length` is the datagram's own, and more than `bytes.length` where it did not fit. Where several came coalesced, `segment`
   * is the length of each but the last; else it is 0.
   */
  receiveOne(
    fd: number,
    bytes: Uint8Array,
  ): { length: number; segment: number; address: number; port: number; local: number } | undefined
  /** As receiveUdp for a raw socket: offset behind the IP header, port 0. */
  receiveRaw(fd: number, batch: NativeBatch, from: number, most?: number): number
  /**
   * How full a socket's receive buffer is, in parts of 65,536. What was read counts until a quarter of the buffer was, or until
   * nothing is left of what was there at the first of these reads: the kernel gives memory back by the many.
   */
  receiveFill(fd: number): number
  /** Sends every Forward row among the first `count` to address:port from local; port 0 goes to rawFd. Answers how many
   * the kernel took; the others become Drop(SendFailed). Rows with the same way go together, wherever they are in the batch, those of each
   * way in order; with `apart` each goes by itself. */
  sendEsp(udpFd: number, rawFd: number, batch: NativeBatch, count: number, apart?: boolean): number
  /** One datagram now, for control. `local` 0 lets the kernel choose. Answers false where the kernel would block. */
  sendTo(fd: number, local: number, address: number, port: number, bytes: Uint8Array): boolean
  /** Reads packets from a TUN queue into rows `from` up to `to` until none is left; answers the new count. */
  readTun(fd: number, batch: NativeBatch, from: number, to: number): number
  /** Writes every Forward row among the first `count`; answers how many went; the others become Drop(SendFailed). */
  writeTun(fd: number, batch: NativeBatch, count: number): number
  /**
   * As readTun from a device with offloads, into a batch of READING_ROOM: super-segments lie behind the slots, `segment`
   * says what to cut them into, and their checksums are not right yet. All together they have no more room than `to` slots:
   * ends early where another may not fit in.
   */
  readSuper(fd: number, batch: NativeBatch, from: number, to: number): number
  /** As writeTun, with one write for each chain of rows by `next`, as far as the rows' checksums are right. */
  writeSuper(fd: number, batch: NativeBatch, count: number): number
  /** As SegmentArithmetic of src/packet/cut.ts. */
  copySegments(
    from: NativeBatch,
    row: number,
    header: number,
    at: number,
    into: NativeBatch,
    first: number,
    count: number,
  ): void
  sumSegments(batch: NativeBatch, first: number, count: number): void

  /** `crypto` leaves only one to do the work (RangeError where it is not to be had); else the best one does. */
  engine(crypto?: CryptoName): NativeEngine
  setPath(engine: NativeEngine, peer: number, local: number, remote: number, port: number): void
  removePeer(engine: NativeEngine, peer: number): void
  /** Copies the keys; the caller's bytes are zeroed. */
  installInbound(
    engine: NativeEngine,
    spi: number,
    peer: number,
    cipher: Cipher,
    encryptionKey: Uint8Array,
    integrity: Integrity,
    integrityKey: Uint8Array,
    replayWindow: number,
    softBytes: number,
    hardBytes: number,
  ): void
  installOutbound(
    engine: NativeEngine,
    spi: number,
    peer: number,
    cipher: Cipher,
    encryptionKey: Uint8Array,
    integrity: Integrity,
    integrityKey: Uint8Array,
    softBytes: number,
    hardBytes: number,
    /** The last sequence number used, where the SA moves here from another worker. */
    sequence?: number,
  ): void
  removeInbound(engine: NativeEngine, spi: number): void
  /** As Engine.peersOf of src/esp/engine.ts; `peers` has room for a batch. */
  peersOf(engine: NativeEngine, batch: NativeBatch, count: number, peers: Uint32Array): void
  removeOutbound(engine: NativeEngine, peer: number, spi: number): void
  /** As Engine.open, Engine.seal and Engine.expect of src/esp/engine.ts, over the first `count` rows. */
  open(engine: NativeEngine, batch: NativeBatch, count: number): number
  seal(engine: NativeEngine, batch: NativeBatch, count: number): number
  expect(engine: NativeEngine, batch: NativeBatch, count: number): number
  takeEvents(engine: NativeEngine): EngineEvent[]
  inboundUsage(engine: NativeEngine, spi: number): SaUsage | undefined
  outboundUsage(engine: NativeEngine, peer: number, spi: number): SaUsage | undefined

  /**
   * IKE's arithmetic. Arguments lie in `room` one behind the other, and the result takes their place from its start on:
   * a private key becomes our public value, by vector instructions only where those are wanted and to be had;
   */
  dhPublic(group: number, room: Uint8Array, vectors: boolean): void
  /** a private key and the peer's value become the secret, true where that value is a fair one; */
  dhShared(group: number, room: Uint8Array, vectors: boolean): boolean
  /** a message becomes its hash (MD5, SHA-1, SHA-256 are 0, 1, 2); */
  digest(algorithm: number, room: Uint8Array, length: number): void
  /** a key and a message become its HMAC; */
  hmac(algorithm: number, room: Uint8Array, keyLength: number, length: number): void
  /** a key, an IV and whole blocks become the blocks in CBC or out of it, which stay where they are. Ciphers as in sa.ts. */
  cbc(cipher: number, encrypt: boolean, room: Uint8Array, length: number): void

  /** A netlink socket to the kernel's netfilter, that hears these multicast groups, a bit each. */
  netfilterSocket(groups: number): number
  /** The same to what keeps devices, addresses and routes. */
  routeSocket(groups: number): number
  netlinkSend(fd: number, bytes: Uint8Array): void
  /** One message, or several in one, into `bytes`; answers how many bytes. -1: none waits; -2: some were lost. */
  netlinkReceive(fd: number, bytes: Uint8Array): number

  /** The IPv4 addresses of the host's devices, those that are down among them. */
  addresses(): { device: string; address: number; mask: number }[]

  /** Whether a device has a feature on, by ethtool's name for it; undefined where the kernel knows none of that name. */
  deviceFeature(device: string, feature: string): boolean | undefined
  /** Turns one on or off; answers whether it is so now. */
  setDeviceFeature(device: string, feature: string, on: boolean): boolean

  /** SO_PEERCRED of a connected unix socket. */
  peerCredentials(fd: number): { pid: number; uid: number; gid: number }

  /** Has a thread of that number, of any process, not take the processor from others when it wakes (SCHED_BATCH). */
  yieldThread(thread: number): void
}

let loaded: Native | undefined

/** The addon; throws an Error that says how to build it where it is missing or of other sources than these. */
export function loadNative(): Native {
  if (loaded) return loaded
  const require = createRequire(import.meta.url)
  const here = fileURLToPath(new URL('.', import.meta.url))
  // The addon lies at native/build/Release, seen from src/gateway and from dist/src/gateway alike.
  const candidates = ['../../native/build/Release/floatgate.node', '../../../native/build/Release/floatgate.node']
  const failures: string[] = []
  for (const c of candidates) {
    let found: Native
    try {
      found = require(`${here}${c}`) as Native
    } catch (e) {
      failures.push((e as Error).message.split('\n')[0] ?? '')
      continue
    }
    const why = misfit(found)
    if (why !== undefined)
      throw new Error(`the native addon was built from other sources than the program (${why}): run "npm run setup"`)
    // A copy: V8 looks functions up by name in an object that grew by so many, and knows where they are in this one.
    loaded = { ...found }
    return loaded
  }
  throw new Error(`the native addon is not built; run "npm run setup" (${failures.join('; ')})`)
}
