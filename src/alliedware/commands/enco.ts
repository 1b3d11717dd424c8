/** ENCO keys: pre-shared keys and cipher keys. They go to the key store and are never written to a script. */

import { fromHex, Secret } from '../../packet/bytes.ts'
import type { EncoKey } from '../config.ts'
import { type Draft, removeWhere } from '../draft.ts'
import { type Arguments, act, type CommandEntry, hold, type Report } from '../grammar.ts'
import { address, either, fileName, flag, number, oneOf, secretText, text, type ValueType } from '../value.ts'

const keyId = number(0, 65535)

/** What a key of each cipher must hold. */
export const keyBytes: Readonly<Partial<Record<EncoKey['type'], number>>> = {
  des: 8,
  '3des2key': 16,
  '3desinner': 24,
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

const module: ValueType<string> = either(
  { ...number(0, 255), parse: typed => number(0, 255).parse(typed)?.toString() },
  text(0, 16),
)
/** What is known of a key beside its value. */
const aboutParameters = { DEscription: text(0, 25), IPaddress: address, MODule: module } as const
type About = Pick<EncoKey, 'description' | 'module' | 'ipAddress'>

/** An empty text and 0.0.0.0 take back what was said. */
function about(before: About, args: Arguments<typeof aboutParameters>): About {
  return {
    description: args.description === undefined ? before.description : args.description || undefined,
    module: args.module === undefined ? before.module : args.module || undefined,
    ipAddress: args.ipaddress === undefined ? before.ipAddress : args.ipaddress || undefined,
  }
}
const nothingKnown: About = { description: undefined, module: undefined, ipAddress: undefined }

/** The value of a key as VALUE= gives it; undefined after a complaint. A public RSA key is an SSH user's. */
function checkedValue(type: EncoKey['type'], typed: Secret, report: Report): Secret | undefined {
  const refuse = (text: string) => {
    report.error(`VALUE: ${text}`)
    return undefined
  }
  if (type === 'rsa') {
    const line = new TextDecoder().decode(typed.reveal())
    if (/^ssh-rsa [A-Za-z0-9+/]+=*( .*)?$/.test(line)) return typed
    return refuse('expected a public key as OpenSSH writes it: "ssh-rsa AAAA..."')
  }
  const value = keyValue(typed)
  if (value === undefined) return refuse('expected pairs of hexadecimal digits behind 0x')
  const { length } = value.reveal()
  const wanted = keyBytes[type]
  if (length > LONGEST_SECRET) return refuse(`expected at most ${LONGEST_SECRET} characters`)
  if (wanted !== undefined && length !== wanted)
    return refuse(`expected ${wanted} bytes for ${type.toUpperCase()}, found ${length}`)
  return value
}

export const encoCommands: readonly CommandEntry[] = [
  act({
    verb: 'create',
    path: 'ENCo KEy=',
    of: keyId,
    parameters: {
      TYpe: oneOf('DES', '3DES2key', '3DESInner', '3DESOuter', 'AES128', 'AES192', 'AES256', 'GEneral', 'RSa'),
      VAlue: secretText(1, 1100),
      RANdom: flag,
      FIle: fileName,
      FORmat: oneOf('HEx', 'NIq', 'SSh'),
      LEngth: number(2, 4096),
      ...aboutParameters,
    },
    needs: ['type'],
    kind: 'ENCO key',
    apply: (draft, id, args, report) => {
      if (draft.encoKeys.some(key => key.id === id)) return report.error(`ENCO key ${id} exists already`)
      // The gateway has dice and files; a script is read again at every start, and would make another key each time.
      if (args.value === undefined && (args.random || args.file !== undefined || args.type === 'rsa'))
        return report.warn('RANDOM, FILE and LENGTH are for the prompt: nothing was made')
      if (args.value === undefined) return report.error('VALUE is missing, or RANDOM, or FILE')
      if (args.random || args.file !== undefined) return report.error('VALUE goes with neither RANDOM nor FILE')
      const value = checkedValue(args.type!, args.value, report)
      if (value) draft.encoKeys.push({ id, type: args.type!, value, ...about(nothingKnown, args) })
    },
  }),
  act({
    verb: 'set',
    path: 'ENCo KEy=',
    of: keyId,
    parameters: aboutParameters,
    kind: 'ENCO key',
    apply: (draft: Draft, id, args, report) => {
      const index = draft.encoKeys.findIndex(key => key.id === id)
      const before = draft.encoKeys[index]
      if (before === undefined) return report.missing('ENCO key', id)
      draft.encoKeys[index] = { ...before, ...about(before, args) }
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
