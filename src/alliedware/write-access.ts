/** The written script's lines about logging in: limits and the SSH server. */

import { type LoginLimits, loginLimitDefaults, type SshConfig, sshDefaults } from './access-config.ts'
import { quote } from './token.ts'
import { ip, line, lineIfAny, plain, unless } from './write-line.ts'

export function writeLimits(l: LoginLimits): string[] {
  return lineIfAny('set user', {
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
  const server = ssh.enabled ? [line('enable ssh server', settings)] : lineIfAny('set ssh server', settings)
  const users = ssh.users.map(u =>
    line(`add ssh user=${quote(u.name)}`, {
      password: u.password && quote(plain(u.password)),
      keyid: u.keyId,
      ipaddress: ip(u.address),
      mask: ip(u.mask),
    }),
  )
  return [...server, ...users]
}
