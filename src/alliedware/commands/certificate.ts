/** Certificates for AUTHTYPE=RSASIG. The router has other commands for this (PKI); these are ours, and do it all in one step each. */

import { type CommandEntry, operate } from '../grammar.ts'
import { address, either, hostName, name, optional, secretText, text } from '../value.ts'

const user = name(64)
/** How clients call the gateway; alone: by its public address. */
const server = optional(either(address, hostName))

export const certificateCommands: readonly CommandEntry[] = [
  operate({ verb: 'create', path: 'CA', parameters: { NAme: text(1, 64), SErver: server } }),
  operate({
    verb: 'create',
    path: 'CERTificate',
    parameters: { USer: user, PASSword: secretText(4, 64) },
    needs: ['user'],
    selector: 'user',
  }),
  operate({ verb: 'create', path: 'CERTificate', parameters: { SErver: server }, needs: ['server'] }),
  operate({ verb: 'destroy', path: 'CERTificate', parameters: { USer: user }, needs: ['user'] }),
  operate({ verb: 'show', path: 'CERTificate', parameters: { USer: user } }),
]
