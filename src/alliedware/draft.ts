/** A configuration while commands change it: the same shape with its arrays open, its elements still replaced whole. */

import type { Secret } from '../packet/bytes.ts'
import { loginLimitDefaults, sshDefaults } from './access-config.ts'
import type { Configuration } from './config.ts'
import { logDefaults } from './log-config.ts'

type Open<T> = T extends readonly (infer E)[]
  ? E[]
  : T extends Secret
    ? T
    : T extends object
      ? { -readonly [K in keyof T]: Open<T[K]> }
      : T

export type Draft = Open<Configuration>

/** What the router has before its first command. */
export const emptyConfiguration: Configuration = {
  systemName: undefined,
  helpFile: undefined,
  secureDelaySeconds: 60,
  loginLimits: loginLimitDefaults,
  users: [],
  encoKeys: [],
  pppTemplates: [],
  ppp: { dnsPrimary: undefined, dnsSecondary: undefined, winsPrimary: undefined, winsSecondary: undefined },
  l2tp: { enabled: false, server: 'off', ranges: [] },
  ip: { enabled: false, interfaces: [], routes: [], pools: [], localAddress: undefined },
  firewall: { enabled: false, policies: [] },
  ipsec: { enabled: false, saSpecifications: [], bundles: [], policies: [] },
  isakmp: { enabled: false, policies: [] },
  ssh: sshDefaults,
  log: logDefaults,
  aliases: [],
  held: [],
  inert: [],
}

/** A copy that may be changed; the original stays as it is. */
export function draftOf(c: Configuration): Draft {
  return {
    ...c,
    users: [...c.users],
    encoKeys: [...c.encoKeys],
    pppTemplates: [...c.pppTemplates],
    ppp: { ...c.ppp },
    l2tp: { ...c.l2tp, ranges: [...c.l2tp.ranges] },
    ip: { ...c.ip, interfaces: [...c.ip.interfaces], routes: [...c.ip.routes], pools: [...c.ip.pools] },
    firewall: { ...c.firewall, policies: [...c.firewall.policies] },
    ipsec: {
      ...c.ipsec,
      saSpecifications: [...c.ipsec.saSpecifications],
      bundles: [...c.ipsec.bundles],
      policies: [...c.ipsec.policies],
    },
    isakmp: { ...c.isakmp, policies: [...c.isakmp.policies] },
    ssh: { ...c.ssh, users: [...c.ssh.users] },
    log: { ...c.log, outputs: [...c.log.outputs] },
    aliases: [...c.aliases],
    held: [...c.held],
    inert: [...c.inert],
  }
}

/** Names are looked up without regard to case. */
export function sameName(a: string, b: string): boolean {
  return a.length === b.length && a.toLowerCase() === b.toLowerCase()
}

/** `base` with those changes that are not undefined. */
export function merge<T extends object>(base: T, changes: { readonly [K in keyof T]?: T[K] | undefined }): T {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined)
  return { ...base, ...Object.fromEntries(given) }
}

/** Takes away the first element that fits; false where none did. */
export function removeWhere<T>(list: T[], fits: (item: T) => boolean): boolean {
  const index = list.findIndex(fits)
  if (index >= 0) list.splice(index, 1)
  return index >= 0
}

/** Inserts so that the list stays ordered by `rank`. */
export function insertBy<T>(list: T[], item: T, rank: (item: T) => number): void {
  const index = list.findIndex(other => rank(other) > rank(item))
  list.splice(index < 0 ? list.length : index, 0, item)
}
