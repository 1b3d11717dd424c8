/** What the gateway opens in the kernel: sockets and the TUN device, with a plain message where the host refuses. */

import { udpPortHolder } from './host.ts'
import { HostLog } from './host-log.ts'
import type { Native, TunSteering } from './native.ts'
import { TunMerging } from './tun-merging.ts'

/** A UDP socket on a port of ours; `shared` with the sockets of others that say so. */
export function bind(native: Native, port: number, shared: boolean): number {
  try {
    return native.udpSocket(0, port, shared)
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code
    if (code === 'EACCES' || code === 'EPERM')
      throw new Error(`UDP port ${port} cannot be opened: this process lacks CAP_NET_BIND_SERVICE`)
    if (code !== 'EADDRINUSE') throw new Error(`UDP port ${port} cannot be opened: ${(e as Error).message}`)
    throw new Error(portTaken(port, udpPortHolder(port)))
  }
}

/** What to say of a port that `holder`, a program's name and process number, has; undefined: it cannot be told who. */
export function portTaken(port: number, holder: string | undefined): string {
  if (holder?.startsWith('floatgated ')) {
    return `UDP port ${port} is taken by ${holder}: another gateway serves this host, and two cannot share it ("vpnctl show system", with that one's --socket, tells of it)`
  }
  const example = 'for example "systemctl stop strongswan-starter"'
  return `UDP port ${port} is taken by ${holder ?? 'another process'}: stop that first (${example})`
}

/** How many addresses the TUN steering map holds. */
const STEERING_CAPACITY = 65_536

/**
 * The TUN device with a queue for each worker, and what says which packet is whose. Where this kernel takes no such program,
 * the device has one queue: of several it would choose by itself, and nobody reads all but the first.
 */
export function openSteeredTun(
  native: Native,
  queues: number,
  warnings: string[],
): { tun: Tun; steering: TunSteering | undefined } {
  const tun = openTun(native, queues)
  if (queues === 1) return { tun, steering: undefined }
  try {
    return { tun, steering: native.steerTun(tun.fds[0]!, queues, STEERING_CAPACITY) }
  } catch (e) {
    warnings.push(`this host refuses TUN steering (${(e as Error).message}): one data worker serves`)
    for (const fd of tun.fds.slice(1)) native.close(fd)
    return { tun: { ...tun, fds: tun.fds.slice(0, 1) }, steering: undefined }
  }
}

const NAME = 'fg%d'

/** `merging`: what has the kernel merge the UDP that is written, where that is not our own work. */
export type Tun = ReturnType<Native['tunOpen']> & { readonly merging?: TunMerging }

/** The TUN device, with offloads where the kernel has them. */
export function openTun(native: Native, queues: number): Tun {
  const tun = makeTun(native, queues)
  if (tun.uso || !tun.tso) return tun
  closeAll(native, tun.fds)
  return polledTun(native, queues) ?? makeTun(native, queues)
}

function polledTun(native: Native, queues: number): Tun | undefined {
  try {
    const tun = native.tunOpen(NAME, queues, true, true)
    const merging = TunMerging.of(native, tun)
    if (merging) return { ...tun, merging }
    closeAll(native, tun.fds)
  } catch {
    // A kernel that polls no such queue.
  }
  return undefined
}

function closeAll(native: Native, fds: readonly number[]): void {
  for (const fd of fds) native.close(fd)
}

function makeTun(native: Native, queues: number): Tun {
  try {
    return native.tunOpen(NAME, queues, true)
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code
    if (code === 'ENOENT') {
      throw new Error(
        '/dev/net/tun is missing: run "modprobe tun", or in a container "mkdir -p /dev/net && mknod /dev/net/tun c 10 200"',
      )
    }
    if (code === 'EPERM')
      throw new Error(
        'the TUN device cannot be made: this process lacks CAP_NET_ADMIN (in a container: --cap-add NET_ADMIN)',
      )
    throw new Error(`the TUN device cannot be made: ${(e as Error).message}`)
  }
}

/** A worker's raw socket for bare ESP, or -1 where there can be none. */
export function openRaw(native: Native, worker: number, workers: number, warnings: string[]): number {
  try {
    return native.rawEspSocket(worker, workers)
  } catch (e) {
    if (worker === 0) {
      warnings.push(
        `no raw socket for IP protocol 50 (${(e as Error).message}): every client is made to put ESP into UDP, and those without NAT traversal cannot connect`,
      )
    }
    return -1
  }
}

/** Where the kernel tells of what it does with packets of the host's own devices, or undefined where it cannot. */
export function openHostLog(native: Native, warnings: string[]): HostLog | undefined {
  try {
    return HostLog.open(native)
  } catch (e) {
    warnings.push(
      `this kernel tells of no packets (${(e as Error).message}): firewall events and attacks on host interfaces are not seen`,
    )
    return undefined
  }
}

/**
 * Lets datagrams come coalesced to all these sockets, or as it may be to none that counts. All that share a port must be among
 * them: whether to coalesce the kernel asks one that it draws by addresses and ports, since the program that steers wants to
 * see what came.
 */
export function coalesce(native: Native, fds: readonly number[]): { gro: boolean; gso: boolean } {
  const able = fds.map(fd => native.coalesceUdp(fd))
  return { gro: able.every(a => a.gro), gso: able.every(a => a.gso) }
}
