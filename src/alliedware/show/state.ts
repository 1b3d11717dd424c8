/**
 * What SHOW prints, as plain data: `vpnctl --json` prints it as it is, the printers beside this file print it in the
 * router's style. Addresses and endpoints are text here; ages and lives are whole seconds; bytes and packets are counts.
 */

export interface IsakmpSaState {
  readonly id: number
  readonly peer: number
  readonly remote: string
  readonly local: string
  readonly policy: string
  readonly identity: string
  readonly client: string
  readonly encryption: string
  readonly hash: string
  readonly group: number
  readonly initiatorCookie: string
  readonly responderCookie: string
  readonly nat: string
  readonly natTraversal: string
  readonly ageSeconds: number
  readonly lifetimeSeconds: number
  /** How our waits grow when the peer does not answer: INCREMENTAL or NONE. */
  readonly messageBackoff: string
}

export interface IsakmpExchangeState {
  readonly id: number
  readonly phase: 1 | 2
  readonly state: string
  readonly peerAddress: string
  readonly type: string
  readonly policy: string
  readonly peerPort: number
  /** Our address and port. */
  readonly local: string
  readonly ageSeconds: number
  readonly messageBackoff: string
}

export interface IpsecSaState {
  readonly id: number
  readonly policy: string
  readonly bundle: number | undefined
  readonly state: 'Valid' | 'Inbound only' | 'Replaced'
  readonly protocol: 'ESP'
  readonly inSpi: number
  readonly outSpi: number
  readonly peer: number
  readonly remote: string
  readonly suite: string
  /** `UDP` or `none`. */
  readonly encapsulation: string
  readonly ageSeconds: number
  readonly lifetimeSeconds: number | undefined
  readonly lifetimeKilobytes: number | undefined
}

export interface IpsecPolicyCounters {
  /** Clear packets that the kernel let pass, or dropped, by this policy. */
  readonly outPermit: number
  readonly outDeny: number
  readonly inPermit: number
  readonly inDeny: number
  readonly outProcessStart: number
  readonly outProcessDone: number
  readonly outProcessFail: number
  readonly outBytes: number
  readonly inProcessStart: number
  readonly inProcessDone: number
  readonly inProcessFail: number
  readonly inBytes: number
}

export interface IpsecPolicyState {
  readonly name: string
  readonly interface: string
  readonly position: number
  readonly action: string
  readonly keyManagement: string
  readonly isakmpPolicy: string
  readonly bundle: number | undefined
  readonly peerAddress: string
  readonly localPort: string
  readonly remotePort: string
  readonly transportProtocol: string
  /** Selectors: an address, a range, or ANY. */
  readonly localAddress: string
  readonly remoteAddress: string
  readonly localName: string
  readonly remoteName: string
  readonly icmpTypes: string
  readonly usePfsKey: boolean
  readonly group: number | undefined
  readonly counters: IpsecPolicyCounters
}

export interface L2tpTunnelState {
  readonly localTunnelId: number
  readonly remoteTunnelId: number
  readonly peer: number
  readonly remote: string
  readonly hostName: string
  readonly vendor: string
  readonly state: string
  /** Of the control channel: what we send next, and what we expect. */
  readonly ns: number
  readonly nr: number
  readonly ageSeconds: number
  readonly calls: readonly {
    readonly session: number
    readonly localSessionId: number
    readonly remoteSessionId: number
    readonly state: string
    readonly ppp: string
  }[]
}

export interface PppState {
  /** `ppp0`, `ppp1`, ... */
  readonly name: string
  readonly session: number
  readonly template: number
  readonly over: string
  readonly user: string
  readonly lcp: string
  readonly ipcp: string
  readonly phase: string
  readonly address: string
  readonly localAddress: string
  readonly peerMru: number
  /** What the client is asked for, or agreed to. */
  readonly authentication: 'CHAP' | 'MS-CHAPv2' | 'NONE'
  readonly identification: readonly string[]
  readonly ageSeconds: number
  readonly localMru: number
  /** Header fields that frames to the client leave out: `ACFC`, `PFC`. */
  readonly compression: readonly string[]
  readonly missedEchoes: number
  /** Since a packet last went either way, and when that ends the link. */
  readonly idleSeconds: number | undefined
  readonly idleLimitSeconds: number | undefined
  readonly echoSeconds: number | undefined
  readonly bytesIn: number
  readonly bytesOut: number
  readonly packetsIn: number
  readonly packetsOut: number
  /** Of control frames. */
  readonly counters: Readonly<Record<string, number>>
}

export interface IpPoolState {
  readonly name: string
  readonly first: string
  readonly last: string
  readonly size: number
  readonly free: number
  readonly used: readonly { readonly address: string; readonly user: string }[]
}

export interface UserState {
  readonly name: string
  readonly description: string
  readonly privilege: string
  readonly login: boolean
  readonly telnet: boolean
  readonly ipAddress: string
  readonly sessions: number
  readonly authentications: number
  readonly fails: number
}

export interface LogState {
  /** ISO 8601, UTC. */
  readonly time: string
  /** 0 to 7, the router's way: 7 is critical, 3 information, 0 debug. */
  readonly severity: number
  readonly module: string
  readonly type: string
  readonly subtype: string
  readonly text: string
}

export interface SessionState {
  readonly id: number
  readonly user: string
  readonly identity: string
  /** Outer address:port. */
  readonly remote: string
  readonly nat: string
  readonly suite: string
  readonly address: string
  readonly bytesIn: number
  readonly bytesOut: number
  readonly packetsIn: number
  readonly packetsOut: number
  /** ISO 8601, UTC: when the inner address was there. */
  readonly since: string
  readonly client: string
  readonly hostName: string
  readonly mtu: number
}

export interface AttemptState {
  readonly id: number
  /** ISO 8601, UTC. */
  readonly time: string
  readonly remote: string
  readonly client: string
  readonly user: string
  readonly outcome: 'trying' | 'connected' | 'failed' | 'ended'
  /** What happened, in one line. */
  readonly text: string
  /** What to change, or empty. */
  readonly remedy: string
  /** Milliseconds from the first packet to the inner address, where it got there. */
  readonly setupMillis: number | undefined
}

/** Counters by group: `ike`, `l2tp`, `data` (drop reasons among them), `firewall`, ... */
export type CounterState = Readonly<Record<string, Readonly<Record<string, number>>>>

export interface SystemState {
  readonly name: string
  readonly version: string
  readonly uptimeSeconds: number
  readonly workers: number
  readonly crypto: string
  /** Which work on large packets the kernel leaves whole for us: "TUN TSO USO, UDP GRO GSO". */
  readonly offloads: string
  readonly listening: readonly string[]
  readonly tun: string
  readonly warnings: readonly string[]
}
