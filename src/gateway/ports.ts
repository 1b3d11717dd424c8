/** What control needs from the world around it: the sockets, the workers and the host's network, each as one interface. */

import type { Endpoint, Ipv4 } from '../packet/ip.ts'
import type { ToWorker } from './messages.ts'

/** Sends from our port 500 or 4500. */
export interface IkeSockets {
  /** An IKE message; the non-ESP marker is put before it where `local.port` is 4500. */
  send(local: Endpoint, remote: Endpoint, bytes: Uint8Array): void
  keepalive(local: Endpoint, remote: Endpoint): void
}

export interface DataPath {
  readonly workers: number
  post(worker: number, message: ToWorker): void
  /** Packets to `address` come out of this worker's TUN queue; undefined takes the rule back. */
  steer(address: Ipv4, worker: number | undefined): void
  /** Packets to `address` come out of the queue of the worker whose their port is (nat-ports.ts), until `steer`, */
  share(address: Ipv4): void
  /** but for this port of it, TCP's or UDP's, which is this worker's; undefined takes the rule back. */
  steerPort(address: Ipv4, protocol: number, port: number, worker: number | undefined): void
}

export interface HostNetwork {
  /** `user`: who it is, or '' for nobody. */
  addSession(address: Ipv4, mtu: number, proxyDevice: string | undefined, user: string): void
  removeSession(address: Ipv4): void
  /** The private device whose subnet holds `address`, so that somebody must answer ARP for it there. */
  proxyDevice(address: Ipv4): string | undefined
  /** The smallest MTU of the public devices, in bytes. */
  readonly publicMtu: number
  /** Our end of every PPP link: the LAN's own address, never a public one. */
  readonly localAddress: Ipv4
}
