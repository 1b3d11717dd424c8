/** ENCO keys: pre-shared keys and cipher keys. They go to the key store and are never written to a script. */

import { fromHex, Secret } from '../../packet/bytes.ts'
import type { EncoKey } from '../config.ts'
import { removeWhere } from '../draft.ts'
import { act, type CommandEntry } from '../grammar.ts'
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

export const encoCommands: readonly CommandEntry[] = [
  act({
    verb: 'create',
    path: 'ENCo KEy=',
    of: keyId,
    parameters: {
      TYpe: oneOf('DES', '3DESOuter', 'AES128', 'AES192', 'AES256', 'GEneral', 'RSa'),
      VAlue: secretText(1, 128),
      DEscription: text(0, 25),
      RANdom: flag,
      FIle: fileName,
      FORmat: oneOf('HEx', 'NIq', 'SSh'),
      IPaddress: address,
      LEngth: number(2, 2048),
      MODule: either(number(0, 255), text(1, 16)),
    },
    needs: ['type'],
    kind: 'ENCO key',
    apply: (draft, id, args, report) => {
      if (draft.encoKeys.some(key => key.id === id)) return report.error(`ENCO key ${id} exists already`)
      const type = args.type!
      if (type === 'rsa') return report.warn('an RSA key has no use here; nothing was made')
      if (args.value === undefined) return report.error('VALUE is missing: keys are entered, not made, here')
      const value = keyValue(args.value)
      const length = value?.reveal().length
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
]
