/** ENCO keys: pre-shared keys and cipher keys. They go to the key store and are never written to a script. */

import { fromHex, Secret } from '../../packet/bytes.ts'
import type { EncoKey } from '../config.ts'
import { type Draft, removeWhere } from '../draft.ts'
import { act, type CommandEntry, hold, type Report } from '../grammar.ts'
import { address, either, fileName, flag, number, oneOf, secretText, text } from '../value.ts'

const keyId = number(0, 65535)

/** What a key of each cipher must hold. */
const keyBytes: Readonly<Partial<Record<EncoKey['type'], number>>> = {
  des: 8,
  '3desouter': 24,
  aes128: 16,
  aes192: 24,
  aes256: 32,
}

/** VALUE=0x... is hexadecimal, anything else is taken as it is; undefined where the digits are not bytes. */
function keyValue(value: Secret): Secret | undefined {
  const written = new TextDecoder().decode(value.reveal())
  if (!/^0x/i.test(written)) return value
  if (!/^0x([0-9a-f]{2})+$/i.test(written)) return undefined
  return new Secret(fromHex(written.slice(2)))
}

/** Longer values are public RSA keys. */
const LONGEST_SECRET = 128

/** The public RSA key of an SSH user; a key pair of ours is made by the gateway, and never by a script. */
function importPublicKey(
  draft: Draft,
  id: number,
  value: Secret | undefined,
  about: string | undefined,
  report: Report,
) {
  if (value === undefined) return report.warn('an RSA key is made at the prompt only: nothing was made')
  const line = new TextDecoder().decode(value.reveal())
  if (!/^ssh-rsa [A-Za-z0-9+/]+=*( .*)?$/.test(line))
    return report.error('VALUE: expected a public key as OpenSSH writes it: "ssh-rsa AAAA..."')
  draft.encoKeys.push({ id, type: 'rsa', description: about || undefined, value })
}

export const encoCommands: readonly CommandEntry[] = [
  act({
    verb: 'create',
    path: 'ENCo KEy=',
    of: keyId,
    parameters: {
      TYpe: oneOf('DES', '3DESOuter', 'AES128', 'AES192', 'AES256', 'GEneral', 'RSa'),
      VAlue: secretText(1, 1100),
      DEscription: text(0, 25),
      RANdom: flag,
      FIle: fileName,
      FORmat: oneOf('HEx', 'NIq', 'SSh'),
      IPaddress: address,
      LEngth: number(2, 4096),
      MODule: either(number(0, 255), text(1, 16)),
    },
    needs: ['type'],
    kind: 'ENCO key',
    apply: (draft, id, args, report) => {
      if (draft.encoKeys.some(key => key.id === id)) return report.error(`ENCO key ${id} exists already`)
      const type = args.type!
      if (type === 'rsa') return importPublicKey(draft, id, args.value, args.description, report)
      if (args.value === undefined) return report.error('VALUE is missing: keys are entered, not made, here')
      const value = keyValue(args.value)
      const length = value?.reveal().length
      if ((length ?? 0) > LONGEST_SECRET) return report.error(`VALUE: expected at most ${LONGEST_SECRET} characters`)
      const wanted = keyBytes[type]
      if (value === undefined) return report.error('VALUE: expected pairs of hexadecimal digits behind 0x')
      if (wanted !== undefined && length !== wanted)
        return report.error(`VALUE: expected ${wanted} bytes for ${type.toUpperCase()}, found ${length}`)
      draft.encoKeys.push({ id, type, description: args.description || undefined, value })
    },
  }),
  act({
    verb: 'set',
    path: 'ENCo KEy=',
    of: keyId,
    parameters: { DEscription: text(0, 25), IPaddress: address, MODule: either(number(0, 255), text(1, 16)) },
    kind: 'ENCO key',
    apply: (draft, id, args, report) => {
      const index = draft.encoKeys.findIndex(key => key.id === id)
      if (index < 0) return report.missing('ENCO key', id)
      if (args.description !== undefined)
        draft.encoKeys[index] = { ...draft.encoKeys[index]!, description: args.description || undefined }
    },
  }),
  act({
    verb: 'destroy',
    path: 'ENCo KEy=',
    of: keyId,
    kind: 'ENCO key',
    apply: (draft, id, _, report) => {
      if (!removeWhere(draft.encoKeys, key => key.id === id)) report.missing('ENCO key', id)
    },
  }),
  // How the router's own processor and crypto chip share the work.
  ...['SW', 'DHPRiority', 'DHPAdding'].map(word =>
    hold({ verb: 'set', path: `ENCo ${word}=?`, of: text(0, 32), free: true, section: 'OTHER' }),
  ),
  ...['enable', 'disable'].flatMap(verb =>
    ['COMPstatistics', 'DEBugging'].map(word => hold({ verb, path: `ENCo ${word}`, section: 'OTHER' })),
  ),
]
