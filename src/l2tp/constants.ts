/** The numbers of L2TP version 2: header bits, message types, AVPs, result and error codes (RFC 2661 sections 3 to 5). */

export const L2TP_PORT = 1701
export const L2TP_VERSION = 2
/** Protocol Version AVP: version 1, revision 0, which is what RFC 2661 calls L2TPv2 (section 4.4.3). */
export const PROTOCOL_VERSION = 0x0100

/** Bits of the first header word (RFC 2661 section 3.1); the low four bits are the version. */
export const HeaderFlag = { Type: 0x8000, Length: 0x4000, Sequence: 0x0800, Offset: 0x0200, Priority: 0x0100 } as const
export const VERSION_MASK = 0x000f
/** Flags, Length, Tunnel ID, Session ID, Ns, Nr. */
export const CONTROL_HEADER_LENGTH = 12

/** Message Type AVP (RFC 2661 section 3.2). */
export const MessageType = {
  Sccrq: 1,
  Sccrp: 2,
  Scccn: 3,
  StopCcn: 4,
  Hello: 6,
  Ocrq: 7,
  Ocrp: 8,
  Occn: 9,
  Icrq: 10,
  Icrp: 11,
  Iccn: 12,
  Cdn: 14,
  Wen: 15,
  Sli: 16,
} as const
export type MessageType = (typeof MessageType)[keyof typeof MessageType]

/** Attribute types of vendor 0 (RFC 2661 section 4.4). */
export const AvpType = {
  MessageType: 0,
  ResultCode: 1,
  ProtocolVersion: 2,
  FramingCapabilities: 3,
  BearerCapabilities: 4,
  TieBreaker: 5,
  FirmwareRevision: 6,
  HostName: 7,
  VendorName: 8,
  AssignedTunnelId: 9,
  ReceiveWindowSize: 10,
  Challenge: 11,
  Q931CauseCode: 12,
  ChallengeResponse: 13,
  AssignedSessionId: 14,
  CallSerialNumber: 15,
  MinimumBps: 16,
  MaximumBps: 17,
  BearerType: 18,
  FramingType: 19,
  CalledNumber: 21,
  CallingNumber: 22,
  SubAddress: 23,
  TxConnectSpeed: 24,
  PhysicalChannelId: 25,
  InitialLcpConfReq: 26,
  LastSentLcpConfReq: 27,
  LastReceivedLcpConfReq: 28,
  ProxyAuthenType: 29,
  ProxyAuthenName: 30,
  ProxyAuthenChallenge: 31,
  ProxyAuthenId: 32,
  ProxyAuthenResponse: 33,
  CallErrors: 34,
  Accm: 35,
  RandomVector: 36,
  PrivateGroupId: 37,
  RxConnectSpeed: 38,
  SequencingRequired: 39,
} as const
export type AvpType = (typeof AvpType)[keyof typeof AvpType]

/** Result codes of StopCCN (RFC 2661 section 4.4.2). */
export const StopResult = {
  General: 1,
  Error: 2,
  AlreadyExists: 3,
  NotAuthorised: 4,
  /** The error code beside it is the highest version we speak. */
  UnsupportedVersion: 5,
  ShuttingDown: 6,
  StateMachine: 7,
} as const

/** Result codes of CDN (RFC 2661 section 4.4.2). */
export const CallResult = {
  LostCarrier: 1,
  Error: 2,
  Administrative: 3,
  NoFacilitiesNow: 4,
  NoFacilities: 5,
  InvalidDestination: 6,
  NoCarrier: 7,
  Busy: 8,
  NoDialTone: 9,
  Timeout: 10,
  NoFraming: 11,
} as const

/** General error codes, beside result code 2 (RFC 2661 section 4.4.2). */
export const ErrorCode = {
  None: 0,
  NoControlConnection: 1,
  BadLength: 2,
  BadValue: 3,
  InsufficientResources: 4,
  InvalidSession: 5,
  VendorSpecific: 6,
  TryAnother: 7,
  UnknownMandatoryAvp: 8,
} as const

/** Framing Capabilities and Framing Type (RFC 2661 sections 4.4.3 and 4.4.4): a client dials in with synchronous frames. */
export const Framing = { Synchronous: 1, Asynchronous: 2 } as const

/** First wait for an acknowledgement; each further one is twice as long up to the cap (RFC 2661 section 5.8). */
export const RETRANSMIT_FIRST = 1_000
export const RETRANSMIT_CAP = 8_000
/** Five retransmissions after the first transmission: 1 + 2 + 4 + 8 + 8 + 8 seconds until the peer counts as dead. */
export const MAX_RETRANSMISSIONS = 5
/** That sum: how long a closed tunnel goes on acknowledging what the peer says again (RFC 2661 section 5.7). */
export const RETRANSMISSION_CYCLE = 31_000
/** The window of a peer that named none (RFC 2661 section 4.4.3, Receive Window Size). */
export const DEFAULT_PEER_WINDOW = 4

/** How long a tunnel may wait for its SCCCN, and a call for its ICCN. */
export const HALF_OPEN_LIMIT = 60_000
/** How long an established tunnel may stand without a single call: dial-in clients make theirs at once. */
export const EMPTY_TUNNEL_LIMIT = 60_000
/** Closed tunnels of one peer that are kept to acknowledge retransmissions; the oldest are forgotten first. */
export const MAX_CLOSED_PER_PEER = 8
/** With more tunnels than this, IDs are unique within a peer alone: half of what 16 bits can name. */
export const MAX_UNIQUE_IDS = 0x8000
/** Messages that may wait for the peer's acknowledgement; a peer that makes us owe more is not answering. */
export const MAX_UNACKNOWLEDGED = 64
