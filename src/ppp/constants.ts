/** The assigned numbers of PPP that the gateway speaks (RFC 1661, 1332, 1877, 1994, 1570) and the limits it keeps to. */

/** PPP protocol numbers (RFC 1661 section 2). */
export const PppProtocol = {
  Ipv4: 0x0021,
  Ipcp: 0x8021,
  Ipv6cp: 0x8057,
  Ccp: 0x80fd,
  Lcp: 0xc021,
  Pap: 0xc023,
  Chap: 0xc223,
  Eap: 0xc227,
} as const

/** Address and control field of every uncompressed frame. */
export const ALL_STATIONS = 0xff
export const UNNUMBERED_INFORMATION = 0x03

/** Codes of LCP packets; the first seven are those of every control protocol. */
export const Code = {
  ConfigureRequest: 1,
  ConfigureAck: 2,
  ConfigureNak: 3,
  ConfigureReject: 4,
  TerminateRequest: 5,
  TerminateAck: 6,
  CodeReject: 7,
  ProtocolReject: 8,
  EchoRequest: 9,
  EchoReply: 10,
  DiscardRequest: 11,
  /** RFC 1570 section 2.1. */
  Identification: 12,
  /** RFC 1570 section 2.2. */
  TimeRemaining: 13,
} as const

export const LcpOption = {
  Mru: 1,
  Accm: 2,
  Authentication: 3,
  Quality: 4,
  Magic: 5,
  Pfc: 7,
  Acfc: 8,
  Callback: 13,
  Mrru: 17,
  EndpointDiscriminator: 19,
  LinkDiscriminator: 23,
} as const

export const IpcpOption = {
  Addresses: 1,
  Compression: 2,
  Address: 3,
  PrimaryDns: 129,
  PrimaryNbns: 130,
  SecondaryDns: 131,
  SecondaryNbns: 132,
} as const

export const ChapCode = { Challenge: 1, Response: 2, Success: 3, Failure: 4 } as const

/** The algorithm byte behind C2 23 in the Authentication-Protocol option. */
export const ChapAlgorithm = { Md5: 5, MsChapV1: 0x80, MsChapV2: 0x81 } as const

export const MD5_LENGTH = 16

/** MRU where the option was not agreed on, and the least that we take (RFC 1661 section 6.1; 128 is our floor). */
export const DEFAULT_MRU = 1500
export const LEAST_MRU = 128

/** Configure-Requests without an answer (RFC 1661 section 4.6). */
export const MAX_CONFIGURE = 10
export const MAX_TERMINATE = 2
/** Configure-Naks sent without an Ack before options are rejected instead. */
export const MAX_FAILURE = 5
/** Requests of the peer refused, or requests of ours refused by it, in a row: then the two do not converge. */
export const MAX_ROUNDS = 12
/** How often a client that wants another authentication protocol is asked again for ours. */
export const AUTHENTICATION_INSISTENCE = 2
/** How often an identical request is acknowledged anew while the layer stays opened. */
export const MAX_REACKNOWLEDGEMENTS = 3

/** The restart timer, in milliseconds: quick at first, as tunnels lose the odd packet, then RFC 1661's three seconds. */
export const RESTART_MILLIS: readonly number[] = [1000, 2000, 3000]

export const CHALLENGE_LENGTH = 16
export const MAX_CHALLENGES = 10
export const CHALLENGE_MILLIS = 3000
/** On a link that is up a challenge has more time: a path that is out for a while is no wrong password. */
export const RECHALLENGE_MILLIS = 15_000
/** How often a client may ask its user for the password once more (MS-CHAPv2). */
export const MAX_RETRIES = 2
/** What the user has for it each time. */
export const RETRY_MILLIS = 120_000

/** From the first Configure-Request, or from a renegotiation, to an opened IPCP. */
export const SETUP_MILLIS = 60_000

/** Echo-Requests in a row without a sign of life before the link counts as dead. */
export const MAX_MISSED_ECHOES = 4

/** Code-Rejects and Protocol-Rejects a link may send: so many at once, and one more every `REJECT_REFILL_MILLIS`. */
export const REJECT_BURST = 16
export const REJECT_REFILL_MILLIS = 1000

/** Echo-Requests of the peer that are answered: so many at once, and one more every `ECHO_REFILL_MILLIS`. */
export const ECHO_BURST = 32
export const ECHO_REFILL_MILLIS = 100

/** Identification texts that are kept of a peer. */
export const MAX_IDENTIFICATIONS = 8
