/** What the configuration says about logging in: limits on passwords and tries, and who may come by SSH from where. */

import type { Secret } from '../packet/bytes.ts'
import type { Ipv4 } from '../packet/ip.ts'

/** SET USER LOGINFAIL, LOCKOUTPD, MANPWDFAIL, MINPWDLEN. */
export interface LoginLimits {
  /** Wrong logins in a row from one place until it is locked. */
  readonly failures: number
  readonly lockoutSeconds: number
  /** Wrong answers, where the password is asked for again, until the operator is logged off. */
  readonly confirmFailures: number
  /** Undefined: not checked. The router's 6 would refuse scripts that load today. */
  readonly minimumLength: number | undefined
}

export interface SshUser {
  /** As typed; lookups ignore case. */
  readonly name: string
  readonly password: Secret | undefined
  /** The ENCO key that holds the public key. */
  readonly keyId: number | undefined
  /** Where the user may come from; undefined: anywhere that the server is reached from. */
  readonly address: Ipv4 | undefined
  readonly mask: Ipv4 | undefined
}

export interface SshConfig {
  readonly enabled: boolean
  readonly hostKey: number | undefined
  /** SSH 1 only: kept and written back, without effect. */
  readonly serverKey: number | undefined
  readonly expiryHours: number | undefined
  readonly loginTimeoutSeconds: number
  readonly users: readonly SshUser[]
}

export const loginLimitDefaults: LoginLimits = {
  failures: 5,
  lockoutSeconds: 600,
  confirmFailures: 3,
  minimumLength: undefined,
}

export const sshDefaults: SshConfig = {
  enabled: false,
  hostKey: undefined,
  serverKey: undefined,
  expiryHours: undefined,
  loginTimeoutSeconds: 60,
  users: [],
}
