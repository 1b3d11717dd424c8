/** The user database: ADD, SET, DELETE and PURGE USER, and the module's own settings; RADIUS servers are held. */

import type { Secret } from '../../packet/bytes.ts'
import { type Draft, merge, removeWhere, sameName } from '../draft.ts'
import { act, type CommandEntry, hold } from '../grammar.ts'
import { address, bool, either, mask, name, number, oneOf, secretText, text } from '../value.ts'

const userName = name(64)

const accountParameters = {
  PAssword: secretText(1, 64),
  DEscription: text(0, 64),
  IPaddress: address,
  NETmask: mask,
  MTU: number(40, 1500),
  PRivilege: oneOf('USer', 'MAnager', 'SEcurityofficer'),
  LOgin: bool,
  TElnet: bool,
} as const
const accountHeld = {
  CAllingnumber: text(1, 32),
  CBnumber: text(1, 32),
  IPXnetwork: text(1, 16),
  RADiusbackup: bool,
}

const findUser = (draft: Draft, wanted: string) => draft.users.findIndex(user => sameName(user.name, wanted))
/** 0.0.0.0 takes a fixed address or a netmask away. */
const unlessZero = (value: number | undefined) => (value === 0 ? undefined : value)

const tooShort = (draft: Draft, password: Secret | undefined) =>
  password !== undefined && letters(password) < (draft.loginLimits.minimumLength ?? 0)
const letters = (secret: Secret) => [...new TextDecoder().decode(secret.reveal())].length
const shortText = (draft: Draft) =>
  `PASSWORD: expected ${draft.loginLimits.minimumLength} characters or more (MINPWDLEN)`

export const userCommands: readonly CommandEntry[] = [
  act({
    verb: 'add',
    path: 'USEr=',
    of: userName,
    parameters: accountParameters,
    held: accountHeld,
    needs: ['password'],
    section: 'USER',
    kind: 'user',
    apply: (draft, user, args, report) => {
      if (findUser(draft, user) >= 0) return report.error(`user "${user}" exists already`)
      if (tooShort(draft, args.password)) return report.error(shortText(draft))
      draft.users.push({
        name: user,
        password: args.password!,
        privilege: args.privilege ?? 'user',
        login: args.login ?? (args.privilege ?? 'user') !== 'user',
        telnet: args.telnet ?? false,
        description: args.description || undefined,
        ipAddress: unlessZero(args.ipaddress),
        netmask: unlessZero(args.netmask),
        mtu: args.mtu,
      })
    },
  }),
  act({
    verb: 'set',
    path: 'USEr=',
    of: userName,
    parameters: accountParameters,
    held: accountHeld,
    section: 'USER',
    kind: 'user',
    apply: (draft, wanted, args, report) => {
      const index = findUser(draft, wanted)
      if (index < 0) return report.missing('user', wanted)
      const before = draft.users[index]!
      if (tooShort(draft, args.password)) return report.error(shortText(draft))
      draft.users[index] = {
        ...merge(before, {
          password: args.password,
          privilege: args.privilege,
          login: args.login,
          telnet: args.telnet,
          mtu: args.mtu,
        }),
        description: args.description === undefined ? before.description : args.description || undefined,
        ipAddress: args.ipaddress === undefined ? before.ipAddress : unlessZero(args.ipaddress),
        netmask: args.netmask === undefined ? before.netmask : unlessZero(args.netmask),
      }
    },
  }),
  act({
    verb: 'set',
    path: 'USEr',
    parameters: {
      SEcuredelay: number(10, 3600),
      LOGINFail: number(1, 10),
      LOCkoutpd: number(1, 30000),
      MANpwdfail: number(1, 5),
      MINpwdlen: number(1, 23),
    },
    held: {
      TACRetries: number(0, 10),
      TACTimeout: number(1, 60),
    },
    section: 'USER',
    apply: (draft, _, args) => {
      if (args.securedelay !== undefined) draft.secureDelaySeconds = args.securedelay
      draft.loginLimits = merge(draft.loginLimits, {
        failures: args.loginfail,
        lockoutSeconds: args.lockoutpd,
        confirmFailures: args.manpwdfail,
        minimumLength: args.minpwdlen,
      })
    },
  }),
  act({
    verb: 'delete',
    path: 'USEr=',
    of: userName,
    section: 'USER',
    kind: 'user',
    apply: (draft, wanted, _, report) => {
      // The router's factory account, which scripts delete: there is none here to begin with.
      if (!removeWhere(draft.users, user => sameName(user.name, wanted)) && !sameName(wanted, 'manager'))
        report.missing('user', wanted)
    },
  }),
  act({
    verb: 'purge',
    path: 'USEr',
    section: 'USER',
    apply: draft => {
      draft.users = draft.users.filter(user => sameName(user.name, 'manager'))
    },
  }),
  ...[true, false].map(enabled =>
    act({
      verb: enabled ? 'enable' : 'disable',
      path: 'USEr=',
      of: userName,
      section: 'USER',
      kind: 'user',
      apply: (draft, wanted, _, report) => {
        const index = findUser(draft, wanted)
        if (index < 0) return report.missing('user', wanted)
        draft.users[index] = { ...draft.users[index]!, disabled: enabled ? undefined : true }
      },
    }),
  ),
  hold({ verb: 'enable', path: 'USEr RSO', section: 'USER' }),
  hold({ verb: 'disable', path: 'USEr RSO', section: 'USER' }),
  hold({ verb: 'add', path: 'USEr RSO', parameters: { IP: address, MAsk: mask }, needs: ['ip'], section: 'USER' }),
  hold({ verb: 'delete', path: 'USEr RSO', parameters: { IP: address }, needs: ['ip'], section: 'USER' }),
  hold({
    verb: 'add',
    path: 'RADius SErver=',
    of: address,
    parameters: {
      SECret: secretText(1, 63),
      POrt: number(1, 65535),
      ACCport: number(0, 65535),
      LOCal: either(oneOf('NOne'), address),
    },
    needs: ['secret'],
    section: 'USER',
    kind: 'RADIUS server',
  }),
  hold({ verb: 'delete', path: 'RADius SErver=', of: address, section: 'USER', kind: 'RADIUS server' }),
  hold({
    verb: 'set',
    path: 'RADius',
    parameters: { TImeout: number(1, 65535), RETransmitcount: number(1, 100), DEAdtime: number(0, 1440) },
    section: 'USER',
  }),
]
