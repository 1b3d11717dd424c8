/** The attacks that are told apart, in the words of SET FIREWALL POLICY ATTACK, and how many packets make one. */

export const ATTACKS = [
  'synattack',
  'portscan',
  'hostscan',
  'udpattack',
  'dosflood',
  'smurf',
  'smurfamp',
  'land',
  'pingofdeath',
  'tcptiny',
  'fragment',
  'ipspoof',
  'other',
] as const
export type Attack = (typeof ATTACKS)[number]

/** An attack's place in ATTACKS: what the data path counts by. */
export const AttackKind = {
  Syn: 0,
  PortScan: 1,
  HostScan: 2,
  Udp: 3,
  Flood: 4,
  Smurf: 5,
  SmurfAmplifier: 6,
  Land: 7,
  PingOfDeath: 8,
  TcpTiny: 9,
  Fragment: 10,
  Spoof: 11,
  Other: 12,
} as const

export interface AttackTrigger {
  /** How many within the time make an attack: from the public side, and from the private one. */
  readonly inTrigger: number
  readonly outTrigger: number
  /** How many more packets of it are kept as events. */
  readonly detail: number
  readonly timeMinutes: number
}

const usual = { detail: 5, timeMinutes: 2 } as const
const each = { inTrigger: 1, outTrigger: 1, ...usual } as const

/**
 * What holds where a policy says nothing else. A client opens many connections by itself, so from inside it takes more; and
 * Windows sends now and then from an address of its other networks.
 */
export const ATTACK_DEFAULTS: Readonly<Record<Attack, AttackTrigger>> = {
  synattack: { inTrigger: 400, outTrigger: 1000, ...usual },
  portscan: { inTrigger: 64, outTrigger: 200, ...usual },
  hostscan: { inTrigger: 64, outTrigger: 200, ...usual },
  udpattack: { inTrigger: 400, outTrigger: 1000, ...usual },
  dosflood: { inTrigger: 400, outTrigger: 1000, ...usual },
  smurf: each,
  smurfamp: each,
  land: each,
  pingofdeath: each,
  tcptiny: each,
  fragment: each,
  ipspoof: { inTrigger: 20, outTrigger: 20, ...usual },
  other: { inTrigger: 20, outTrigger: 20, ...usual },
}
