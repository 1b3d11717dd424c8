/** The written script's lines about logging in: limits and the SSH server. */

import type { Secret } from '../packet/bytes.ts'
import { formatIpv4 } from '../packet/ip.ts'
import { type LoginLimits, loginLimitDefaults, type SshConfig, sshDefaults } from './access-config.ts'
import { quote } from './token.ts'

type Values = Readonly<Record<string, string | number | undefined>>

/** A command with those parameters that have a value. */
function command(head: string, values: Values): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined)
  return [head, ...given.map(([name, value]) => `${name}=${value}`)].join(' ')
}

/** The same, but no line at all where no parameter has a value. */
function commandIfAny(head: string, values: Values): string[] {
  return Object.values(values).some(value => value !== undefined) ? [command(head, values)] : []
}

const unless = <T>(value: T, usual: T) => (value === usual ? undefined : value)
const plain = (secret: Secret) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(secret.reveal())

export function writeLimits(l: LoginLimits): string[] {
  return commandIfAny('set user', {
    loginfail: unless(l.failures, loginLimitDefaults.failures),
    lockoutpd: unless(l.lockoutSeconds, loginLimitDefaults.lockoutSeconds),
    manpwdfail: unless(l.confirmFailures, loginLimitDefaults.confirmFailures),
    minpwdlen: l.minimumLength,
  })
}

export function writeSsh(ssh: SshConfig): string[] {
  const settings = {
    serverkey: ssh.serverKey,
    hostkey: ssh.hostKey,
    expirytime: ssh.expiryHours,
    logintimeout: unless(ssh.loginTimeoutSeconds, sshDefaults.loginTimeoutSeconds),
  }
  const server = ssh.enabled ? [command('enable ssh server', settings)] : commandIfAny('set ssh server', settings)
  const users = ssh.users.map(u =>
    command(`add ssh user=${quote(u.name)}`, {
      password: u.password && quote(plain(u.password)),
      keyid: u.keyId,
      ipaddress: u.address === undefined ? undefined : formatIpv4(u.address),
      mask: u.mask === undefined ? undefined : formatIpv4(u.mask),
    }),
  )
  return [...server, ...users]
}
