/** Registry numbers of ISAKMP and IKEv1 (RFC 2407, RFC 2408, RFC 2409, RFC 3706, RFC 3947, IANA "isakmp-registry" and "ipsec-registry"). */

/** ISAKMP major and minor version as the header's byte: 1.0. */
export const ISAKMP_VERSION = 0x10
export const HEADER_LENGTH = 28
export const COOKIE_LENGTH = 8
/** The IPsec domain of interpretation. */
export const DOI_IPSEC = 1
export const SITUATION_IDENTITY_ONLY = 1

export const IKE_PORT = 500
export const NAT_T_PORT = 4500
export const L2TP_PORT = 1701

/** Larger datagrams are refused unread: the longest honest message is a few kilobytes. */
export const MAX_MESSAGE = 16384

export const Exchange = {
  Base: 1,
  Main: 2,
  AuthenticationOnly: 3,
  Aggressive: 4,
  Informational: 5,
  Quick: 32,
  NewGroup: 33,
} as const

/** Microsoft's AuthIP exchanges, which Vista and later send beside IKEv1. */
export const AUTHIP_FIRST = 243
export const AUTHIP_LAST = 246

export const Flag = { Encryption: 1, Commit: 2, AuthenticationOnly: 4 } as const

export const PayloadType = {
  None: 0,
  Sa: 1,
  Proposal: 2,
  Transform: 3,
  KeyExchange: 4,
  Identification: 5,
  Certificate: 6,
  CertificateRequest: 7,
  Hash: 8,
  Signature: 9,
  Nonce: 10,
  Notification: 11,
  Delete: 12,
  VendorId: 13,
  /** NAT-D and NAT-OA as Apple numbered them after drafts -04 to -08. */
  NatDApple: 15,
  NatOaApple: 16,
  /** RFC 3947. */
  NatD: 20,
  NatOa: 21,
  /** draft-ietf-ipsec-nat-t-ike-02 and -03. */
  NatDDraft: 130,
  NatOaDraft: 131,
  /** A piece of a longer message, as Cisco and Microsoft cut them. */
  Fragment: 132,
} as const

export const Protocol = { Isakmp: 1, Ah: 2, Esp: 3, IpComp: 4 } as const

/** The only phase 1 transform identifier. */
export const KEY_IKE = 1

/** Phase 1 attribute classes (RFC 2409 appendix A). */
export const Phase1Attribute = {
  Encryption: 1,
  Hash: 2,
  Authentication: 3,
  Group: 4,
  LifeType: 11,
  LifeDuration: 12,
  KeyLength: 14,
} as const

export const Phase1Encryption = { Des: 1, TripleDes: 5, Aes: 7 } as const
export const Phase1HashId = { Md5: 1, Sha1: 2, Sha256: 4, Sha384: 5, Sha512: 6 } as const
export const Authentication = { PresharedKey: 1, DssSignature: 2, RsaSignature: 3 } as const

/** Phase 2 attribute classes (RFC 2407 section 4.5). */
export const Phase2Attribute = {
  LifeType: 1,
  LifeDuration: 2,
  Group: 3,
  EncapsulationMode: 4,
  Authentication: 5,
  KeyLength: 6,
  /** RFC 4304: sequence numbers of 64 bits, of which a packet shows half. */
  ExtendedSequenceNumber: 11,
} as const

export const LifeType = { Seconds: 1, Kilobytes: 2 } as const

/** ESP transform identifiers (RFC 2407 section 4.4.4, RFC 3602; RFC 4106 section 8.3, where the ICV has 16 bytes). */
export const EspTransform = { Des: 2, TripleDes: 3, Null: 11, Aes: 12, AesGcm16: 20 } as const
/** Authentication algorithm values (RFC 2407 section 4.5, RFC 4868). */
export const EspAuthentication = { HmacMd5: 1, HmacSha1: 2, HmacSha256: 5, HmacSha384: 6, HmacSha512: 7 } as const

export const Encapsulation = {
  Tunnel: 1,
  Transport: 2,
  UdpTunnel: 3,
  UdpTransport: 4,
  UdpTunnelDraft: 61443,
  UdpTransportDraft: 61444,
} as const

/** Identification types (RFC 2407 section 4.6.2). */
export const IdType = {
  Ipv4Address: 1,
  Fqdn: 2,
  UserFqdn: 3,
  Ipv4Subnet: 4,
  Ipv6Address: 5,
  DerAsn1Dn: 9,
  KeyId: 11,
} as const

/** Notify message types (RFC 2408 section 3.14.1, RFC 2407 section 4.6.3, RFC 3706). */
export const Notify = {
  InvalidPayloadType: 1,
  DoiNotSupported: 2,
  SituationNotSupported: 3,
  InvalidCookie: 4,
  InvalidMajorVersion: 5,
  InvalidMinorVersion: 6,
  InvalidExchangeType: 7,
  InvalidFlags: 8,
  InvalidMessageId: 9,
  InvalidProtocolId: 10,
  InvalidSpi: 11,
  InvalidTransformId: 12,
  AttributesNotSupported: 13,
  NoProposalChosen: 14,
  BadProposalSyntax: 15,
  PayloadMalformed: 16,
  InvalidKeyInformation: 17,
  InvalidIdInformation: 18,
  InvalidCertEncoding: 19,
  InvalidCertificate: 20,
  CertTypeUnsupported: 21,
  InvalidCertAuthority: 22,
  InvalidHashInformation: 23,
  AuthenticationFailed: 24,
  InvalidSignature: 25,
  AddressNotification: 26,
  NotifySaLifetime: 27,
  CertificateUnavailable: 28,
  UnsupportedExchangeType: 29,
  UnequalPayloadLengths: 30,
  Connected: 16384,
  ResponderLifetime: 24576,
  ReplayStatus: 24577,
  InitialContact: 24578,
  DpdRUThere: 36136,
  DpdRUThereAck: 36137,
  /** Microsoft private: a 4-byte Windows error code. */
  WindowsStatus: 40003,
} as const

/** RFC 2409 section 5: nonces are between 8 and 256 bytes. */
export const NONCE_MIN = 8
export const NONCE_MAX = 256
