/** The typed configuration that a script builds. Every command of a script is either acted into it or held in it. */

import type { Firewall } from '../firewall/policy.ts'
import type { Secret } from '../packet/bytes.ts'
import type { Ipv4 } from '../packet/ip.ts'
import type { LoginLimits, SshConfig } from './access-config.ts'
import type { LogConfig } from './log-config.ts'

/** Something wrong with a script; `line` counts from 1 and is where the command began. */
export interface Fault {
  readonly line: number
  readonly severity: 'error' | 'warning'
  /** What was found and what was expected. */
  readonly text: string
}

/** A command that has an unfilled placeholder, or depends on one: accepted, inert, listed (through `maskSecrets`). */
export interface InertCommand {
  readonly line: number
  readonly text: string
  /** The placeholders' texts, without their angle brackets. */
  readonly placeholders: readonly string[]
}

/** A command that is understood but not acted on by this version: held, and written back as it was. */
export interface HeldCommand {
  readonly line: number
  /**
   * The command with its keywords written out and values quoted where they must be. Passwords are in it as they are,
   * since it is written back: show it only through `maskSecrets`.
   */
  readonly text: string
  /** Section of the written script it belongs to: `SYSTEM`, `USER`, `SSH`, ... */
  readonly section: string
}

export interface User {
  /** As typed; lookups ignore case. */
  readonly name: string
  readonly password: Secret
  readonly privilege: 'user' | 'manager' | 'securityofficer'
  readonly login: boolean
  readonly telnet: boolean
  readonly description: string | undefined
  readonly ipAddress: Ipv4 | undefined
  readonly netmask: Ipv4 | undefined
  readonly mtu: number | undefined
  /** DISABLE USER: known, and let in nowhere. */
  readonly disabled?: boolean | undefined
}

export interface EncoKey {
  readonly id: number
  readonly type: 'des' | '3des2key' | '3desinner' | '3desouter' | 'aes128' | 'aes192' | 'aes256' | 'general' | 'rsa'
  readonly description: string | undefined
  /** Shown, and without effect: which module and which address the key is for. */
  readonly module: string | undefined
  readonly ipAddress: Ipv4 | undefined
  readonly value: Secret
}

export interface SaSpecification {
  readonly id: number
  readonly keyManagement: 'isakmp' | 'manual'
  readonly protocol: 'esp' | 'ah' | 'comp'
  readonly encryption:
    | 'des'
    | '3desouter'
    | '3des2key'
    | '3desinner'
    | 'aes128'
    | 'aes192'
    | 'aes256'
    | 'aesgcm128'
    | 'aesgcm192'
    | 'aesgcm256'
    | 'null'
    | undefined
  readonly hash: 'sha' | 'md5' | 'sha256' | 'desmac' | 'null' | undefined
  readonly mode: 'tunnel' | 'transport'
  readonly antiReplay: boolean | undefined
  readonly replayWindow: number | undefined
}

export interface BundleSpecification {
  readonly id: number
  readonly keyManagement: 'isakmp' | 'manual'
  /** As typed. */
  readonly string: string
  /** Alternatives in order of preference; each a list of SA specifications applied together. */
  readonly alternatives: readonly (readonly number[])[]
  readonly expirySeconds: number | undefined
  readonly expiryKilobytes: number | undefined
}

export interface IpsecPolicy {
  readonly name: string
  readonly interface: string
  readonly action: 'deny' | 'ipsec' | 'permit'
  readonly keyManagement: 'isakmp' | 'manual' | undefined
  readonly bundle: number | undefined
  readonly isakmpPolicy: string | undefined
  readonly peer: 'any' | 'dynamic' | Ipv4 | undefined
  /** Position on its interface, from 1. */
  readonly position: number
  readonly localPort: number | 'any' | 'opaque'
  readonly remotePort: number | 'any' | 'opaque'
  /** IP protocol number. */
  readonly transportProtocol: number | 'any' | 'opaque'
  readonly localAddress: { readonly first: Ipv4; readonly last: Ipv4 } | undefined
  readonly remoteAddress: { readonly first: Ipv4; readonly last: Ipv4 } | undefined
  /** ICMP types, or undefined for any packet. */
  readonly icmpTypes: readonly number[] | undefined
  /** LNAME and RNAME: what the two sides call themselves. */
  readonly localName: string | undefined
  readonly remoteName: string | undefined
  readonly usePfsKey: boolean
  /** AlliedWare's group number: 0, 1, 2, and 5, 14 as our extension. */
  readonly group: number | undefined
}

export interface IsakmpPolicyConfig {
  readonly name: string
  readonly peer: 'any' | Ipv4 | string
  readonly authType: 'preshared' | 'rsasig'
  readonly key: number | undefined
  /** Undefined where the script does not set it. */
  readonly encryption: 'des' | '3desouter' | 'aes128' | 'aes192' | 'aes256' | undefined
  readonly hash: 'sha' | 'md5' | 'sha256' | undefined
  readonly group: number | undefined
  readonly mode: 'main' | 'aggressive'
  readonly localId: string | undefined
  readonly remoteId: string | undefined
  /** Default true: the gateway exists for it (docs/alliedware.md). */
  readonly natTraversal: boolean
  readonly sendDeletes: boolean
  /** Default true, unlike the router: a client that is refused should learn it at once (docs/alliedware.md). */
  readonly sendNotify: boolean
  readonly expirySeconds: number | undefined
  readonly msgRetryLimit: number
  readonly msgTimeoutSeconds: number
  readonly msgBackoff: 'incremental' | 'none'
  /** RFC 3706; undefined where the script does not set it, which is BOTH here (docs/alliedware.md). */
  readonly dpdMode?: 'both' | 'receive' | 'none' | undefined
  readonly dpdIdleSeconds?: number | undefined
}

export interface PppTemplateConfig {
  readonly template: number
  /** MSCHAP2 is no word of the router's; EITHER is MS-CHAPv2 or CHAP here. */
  readonly authentication: 'chap' | 'either' | 'mschap2' | 'pap' | 'none'
  readonly bap: boolean
  readonly ipPool: string | undefined
  /** Seconds, undefined for off. ECHO=ON is 10. */
  readonly echoSeconds: number | undefined
  readonly lqrSeconds: number | undefined
  readonly mru: number | undefined
  readonly mtu: number | undefined
  readonly mssHeader: number | undefined
  readonly idleSeconds: number | undefined
  /** Seconds between challenges on a link that is up; `on` chooses between 360 and 3600 each time. */
  readonly rechallengeSeconds: number | 'on' | undefined
}

export interface Configuration {
  readonly systemName: string | undefined
  readonly helpFile: string | undefined
  readonly secureDelaySeconds: number
  readonly loginLimits: LoginLimits
  readonly users: readonly User[]
  /** Keys that the script itself made (CREATE ENCO KEY): for the key store, never written back. */
  readonly encoKeys: readonly EncoKey[]
  readonly pppTemplates: readonly PppTemplateConfig[]
  readonly ppp: {
    readonly dnsPrimary: Ipv4 | undefined
    readonly dnsSecondary: Ipv4 | undefined
    readonly winsPrimary: Ipv4 | undefined
    readonly winsSecondary: Ipv4 | undefined
  }
  readonly l2tp: {
    readonly enabled: boolean
    readonly server: 'off' | 'lac' | 'lns' | 'both'
    readonly ranges: readonly { readonly first: Ipv4; readonly last: Ipv4; readonly pppTemplate: number }[]
  }
  readonly ip: {
    readonly enabled: boolean
    readonly interfaces: readonly {
      readonly name: string
      readonly address: Ipv4
      readonly mask: Ipv4
      /** The mask was not given: it is the address's class's. */
      readonly classful: boolean
      readonly line: number
    }[]
    readonly routes: readonly {
      readonly network: Ipv4
      readonly mask: Ipv4
      readonly interface: string
      readonly nextHop: Ipv4
      readonly line: number
    }[]
    readonly pools: readonly { readonly name: string; readonly first: Ipv4; readonly last: Ipv4 }[]
    readonly localAddress: Ipv4 | undefined
  }
  readonly firewall: Firewall
  readonly ipsec: {
    readonly enabled: boolean
    readonly saSpecifications: readonly SaSpecification[]
    readonly bundles: readonly BundleSpecification[]
    /** By interface and position. */
    readonly policies: readonly IpsecPolicy[]
  }
  readonly isakmp: { readonly enabled: boolean; readonly policies: readonly IsakmpPolicyConfig[] }
  readonly ssh: SshConfig
  readonly log: LogConfig
  readonly aliases: readonly { readonly name: string; readonly string: string }[]
  readonly held: readonly HeldCommand[]
  readonly inert: readonly InertCommand[]
}

/** What reading a script answers: a configuration is there even with faults, but is used only without errors. */
export interface ScriptResult {
  readonly configuration: Configuration
  readonly faults: readonly Fault[]
}
