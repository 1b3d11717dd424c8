/** Files and the configuration as one: scripts in flash, the one to start with, taking another into use. */

import { type CommandEntry, operate, sectionWords } from '../grammar.ts'
import { either, fileName, flag, number, oneOf, optional, text, type ValueType } from '../value.ts'

const words = text(1, 256)
const moduleList: ValueType<string> = {
  ...text(1, 128),
  expected: 'a list of modules, such as IP,IPSEC',
  words: sectionWords,
}
/** In the place of their first name, without an object: `COPY old.cfg new.cfg`. */
const loose = (verb: string) => operate({ verb, path: '', of: words, free: true })

const lineNumber = number(1, 10_000)
const scriptLine = { TEXT: text(0, 1000), LIne: lineNumber } as const

export const fileCommands: readonly CommandEntry[] = [
  operate({ verb: 'create', path: 'CONFig=', of: fileName }),
  operate({ verb: 'set', path: 'CONFig=', of: either(oneOf('NONE'), fileName) }),
  operate({
    verb: 'show',
    path: 'CONFig',
    parameters: { DYNamic: optional(moduleList), INErt: flag, HELd: flag },
  }),
  operate({ verb: 'show', path: 'FILe=?', of: fileName }),
  operate({ verb: 'delete', path: 'FILe=', of: fileName }),
  operate({ verb: 'activate', path: 'SCript=', of: fileName }),
  operate({ verb: 'add', path: 'SCript=', of: fileName, parameters: scriptLine, needs: ['text'] }),
  operate({ verb: 'set', path: 'SCript=', of: fileName, parameters: scriptLine, needs: ['text', 'line'] }),
  operate({ verb: 'delete', path: 'SCript=', of: fileName, parameters: { LIne: lineNumber }, needs: ['line'] }),
  operate({ verb: 'show', path: 'SCript=?', of: fileName }),
  operate({ verb: 'restart', path: 'ROUTer', parameters: { CONFig: fileName } }),
  operate({ verb: 'restart', path: 'REBoot' }),
  // Not the router's: the boot script anew, or another of flash, as one transaction.
  operate({ verb: 'reload', path: '', parameters: { CONFig: fileName, CHEck: flag } }),
  ...['copy', 'rename', 'edit', 'load', 'upload'].map(loose),
]
