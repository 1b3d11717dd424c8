/** SSH: the server with its keys, and who may log in by it from where. */

import { type Draft, merge, removeWhere, sameName } from '../draft.ts'
import { act, type CommandEntry } from '../grammar.ts'
import { address, mask, name, naming, number, secretText } from '../value.ts'

const serverParameters = {
  SERVErkey: number(0, 65535),
  HOstkey: naming('ENCO key', number(0, 65535)),
  EXPirytime: number(0, 168),
  LOGintimeout: number(1, 3600),
} as const
const userParameters = {
  PASSword: secretText(1, 64),
  KEYid: naming('ENCO key', number(0, 65535)),
  IPaddress: address,
  MAsk: mask,
} as const

interface ServerArguments {
  readonly serverkey?: number
  readonly hostkey?: number
  readonly expirytime?: number
  readonly logintimeout?: number
}

function setServer(draft: Draft, args: ServerArguments): void {
  draft.ssh = merge(draft.ssh, {
    serverKey: args.serverkey,
    hostKey: args.hostkey,
    expiryHours: args.expirytime,
    loginTimeoutSeconds: args.logintimeout,
  })
}

const findUser = (draft: Draft, wanted: string) => draft.ssh.users.findIndex(user => sameName(user.name, wanted))
/** 0.0.0.0 takes the restriction away. */
const unlessZero = (value: number | undefined) => (value === 0 ? undefined : value)

export const sshCommands: readonly CommandEntry[] = [
  act({
    verb: 'enable',
    path: 'SSH SErver',
    parameters: serverParameters,
    section: 'SSH',
    apply: (draft, _, args, report) => {
      setServer(draft, args)
      if (draft.ssh.hostKey === undefined) report.warn('HOSTKEY is missing: nobody is served')
      draft.ssh.enabled = true
    },
  }),
  act({
    verb: 'set',
    path: 'SSH SErver',
    parameters: serverParameters,
    section: 'SSH',
    apply: (draft, _, args) => setServer(draft, args),
  }),
  act({
    verb: 'disable',
    path: 'SSH SErver',
    section: 'SSH',
    apply: draft => {
      draft.ssh.enabled = false
    },
  }),
  act({
    verb: 'add',
    path: 'SSH USer=',
    of: name(64),
    parameters: userParameters,
    section: 'SSH',
    kind: 'SSH user',
    apply: (draft, user, args, report) => {
      if (findUser(draft, user) >= 0) return report.error(`SSH user "${user}" exists already`)
      if (args.password === undefined && args.keyid === undefined)
        report.warn('PASSWORD or KEYID is missing: nobody can log in so')
      if (args.mask !== undefined && unlessZero(args.ipaddress) === undefined)
        return report.error('MASK goes with an IPADDRESS')
      draft.ssh.users.push({
        name: user,
        password: args.password,
        keyId: args.keyid,
        address: unlessZero(args.ipaddress),
        mask: args.mask,
      })
    },
  }),
  act({
    verb: 'set',
    path: 'SSH USer=',
    of: name(64),
    parameters: userParameters,
    section: 'SSH',
    kind: 'SSH user',
    apply: (draft, wanted, args, report) => {
      const index = findUser(draft, wanted)
      const before = draft.ssh.users[index]
      if (before === undefined) return report.missing('SSH user', wanted)
      const from = args.ipaddress === undefined ? before.address : unlessZero(args.ipaddress)
      if (args.mask !== undefined && from === undefined) return report.error('MASK goes with an IPADDRESS')
      draft.ssh.users[index] = {
        ...merge(before, { password: args.password, keyId: args.keyid }),
        address: from,
        // Another address is a host again, unless MASK says otherwise.
        mask: args.mask ?? (args.ipaddress === undefined ? before.mask : undefined),
      }
    },
  }),
  act({
    verb: 'delete',
    path: 'SSH USer=',
    of: name(64),
    section: 'SSH',
    kind: 'SSH user',
    apply: (draft, wanted, _, report) => {
      if (!removeWhere(draft.ssh.users, user => sameName(user.name, wanted))) report.missing('SSH user', wanted)
    },
  }),
]
