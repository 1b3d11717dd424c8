/** What does the work here, and what the kernel takes off it, in words. */

import type { Native } from './native.ts'

export interface Offloads {
  /** TUN: TCP super-segments and checksums; UDP datagrams by the many. */
  readonly tso: boolean
  readonly uso: boolean
  /** TUN: datagrams that are written merged by the kernel, where many come at a time. */
  readonly merging?: unknown
  /** Sockets: datagrams received and sent by the many. */
  readonly gro: boolean
  readonly gso: boolean
  /** Devices of the LAN: forwarded datagrams merged as they are received. */
  readonly lan: boolean
}

/** The libraries that encrypt, for the operator. */
export function cryptoText(native: Native): string {
  const { ipsecMb, openssl } = native.versions()
  return [ipsecMb && `libipsec-mb ${ipsecMb}`, `OpenSSL ${openssl}`].filter(Boolean).join(', ')
}

export function offloadsText(o: Offloads): string {
  const list = (names: readonly (string | false)[]) => names.filter(Boolean).join(' ') || 'none'
  return `TUN ${list([o.tso && 'TSO', o.uso && 'USO', o.merging !== undefined && 'UDP-GRO'])}, UDP ${list([o.gro && 'GRO', o.gso && 'GSO'])}, LAN ${list([o.lan && 'UDP-GRO'])}`
}
