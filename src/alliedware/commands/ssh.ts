/** SSH: management is the host's own; the router's commands are checked, held and written back. */

import { type CommandEntry, hold } from '../grammar.ts'
import { address, mask, name, number, secretText } from '../value.ts'

const serverParameters = {
  SERVErkey: number(0, 65535),
  HOstkey: number(0, 65535),
  EXPirytime: number(0, 168),
  LOGintimeout: number(1, 3600),
}
const userParameters = { PASSword: secretText(1, 64), KEYid: number(0, 65535), IPaddress: address, MAsk: mask }

export const sshCommands: readonly CommandEntry[] = [
  hold({ verb: 'enable', path: 'SSH SErver', parameters: serverParameters, section: 'SSH' }),
  hold({ verb: 'set', path: 'SSH SErver', parameters: serverParameters, section: 'SSH' }),
  hold({ verb: 'disable', path: 'SSH SErver', section: 'SSH' }),
  hold({ verb: 'add', path: 'SSH USer=', of: name(64), parameters: userParameters, section: 'SSH', kind: 'SSH user' }),
  hold({ verb: 'set', path: 'SSH USer=', of: name(64), parameters: userParameters, section: 'SSH', kind: 'SSH user' }),
  hold({ verb: 'delete', path: 'SSH USer=', of: name(64), section: 'SSH', kind: 'SSH user' }),
]
