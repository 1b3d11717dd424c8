/** Modules of the router that the gateway has not: their commands are held unchecked and written back. */

import { type CommandEntry, hold, type Section } from '../grammar.ts'
import { text } from '../value.ts'

const verbs = ['add', 'create', 'delete', 'destroy', 'disable', 'enable', 'purge', 'set'] as const

const modules: readonly (readonly [notation: string, section: Section])[] = [
  ['SNmp', 'SNMP'],
  ['LOAder', 'LOAD'],
  ['ASYn', 'OTHER'],
  ['BOOTp', 'OTHER'],
  ['BRIdge', 'OTHER'],
  ['CLAssifier', 'OTHER'],
  ['DHcp', 'OTHER'],
  ['ETH', 'OTHER'],
  ['FEAture', 'OTHER'],
  ['GUI', 'OTHER'],
  ['HTtp', 'OTHER'],
  ['INStall', 'OTHER'],
  ['MAIL', 'OTHER'],
  ['MANager', 'OTHER'],
  ['NTP', 'OTHER'],
  ['PKI', 'OTHER'],
  ['POrt', 'OTHER'],
  ['SCript', 'OTHER'],
  ['SERvice', 'OTHER'],
  ['SQos', 'OTHER'],
  ['STP', 'OTHER'],
  ['SWItch', 'OTHER'],
  ['TACacs', 'OTHER'],
  ['TELnet', 'OTHER'],
  ['TRIgger', 'OTHER'],
  ['TTY', 'OTHER'],
  ['UPnp', 'OTHER'],
  ['VLAN', 'OTHER'],
  ['VRrp', 'OTHER'],
]

export const neighbourCommands: readonly CommandEntry[] = modules.flatMap(([notation, section]) =>
  verbs.map(verb => hold({ verb, path: `${notation}=?`, of: text(0, 128), free: true, section })),
)
