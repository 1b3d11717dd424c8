/** What becomes of a packet on the data path, and why: each reason is the index of a counter. */

export const Verdict = { Forward: 0, Punt: 1, Drop: 2 } as const

/** Why a packet was dropped. The order is the counters' order; add at the end, and mirror in native/batch.h. */
export const DropReason = {
  None: 0,
  /** Shorter than its own headers say. */
  Truncated: 1,
  /** A NAT keepalive (RFC 3948 section 2.3): meant to be swallowed. */
  Keepalive: 2,
  UnknownSpi: 3,
  /** The integrity check value is wrong. */
  BadIcv: 4,
  Replayed: 5,
  /** Padding or ciphertext length is not what RFC 4303 asks. */
  BadPadding: 6,
  /** The SA has carried as much as it may (seconds, kilobytes or sequence numbers). */
  LifetimeExpired: 7,
  /** Not UDP to port 1701 inside ESP. */
  NotL2tp: 8,
  /** Not L2TP version 2, or bits that RFC 2661 forbids. */
  BadL2tp: 9,
  UnknownSession: 10,
  /** A PPP frame that cannot be one. */
  BadPpp: 11,
  /** Not an IPv4 packet, or one whose lengths disagree. */
  BadIp: 12,
  /** The inner source address is not the one assigned. */
  Spoofed: 13,
  /** The firewall policy refused it. */
  Policy: 14,
  /** No session owns the inner destination address. */
  NoRoute: 15,
  /** The peer has no outbound SA (yet, or any more). */
  NoSa: 16,
  /** Too large for the link or the batch slot. */
  TooBig: 17,
  /** The kernel did not take it. */
  SendFailed: 18,
  /** The flow table is full. */
  FlowTableFull: 19,
  /** A PPP or L2TP packet for control beyond the peer's share. */
  PuntLimit: 20,
  /** A limit rule of the firewall lets its sender begin no more connections. */
  SessionLimit: 21,
  /** More came than could be carried, and its sender had had its share. */
  Overload: 22,
} as const
export type DropReason = (typeof DropReason)[keyof typeof DropReason]

/** Why a packet goes to the control thread. */
export const PuntReason = {
  None: 0,
  /** An IKE message behind the non-ESP marker, seen on a data socket. */
  Ike: 1,
  /** An L2TP control message: bytes from the inner UDP header on. */
  L2tpControl: 2,
  /** A PPP frame other than IPv4: bytes from the PPP protocol field (or FF 03) on. */
  PppControl: 3,
  /** A PPP frame for a session that the L2TP header names but the worker does not know yet. */
  UnknownSession: 4,
  /** A client's broadcast to the DHCP server: an IP packet. */
  Dhcp: 5,
} as const
export type PuntReason = (typeof PuntReason)[keyof typeof PuntReason]

/** The counters' names, in the order of their numbers. */
export const dropReasonNames: readonly string[] = Object.keys(DropReason)
export const puntReasonNames: readonly string[] = Object.keys(PuntReason)
