/** The option negotiation automaton of RFC 1661 section 4.1: its whole table, as data. */

export const State = {
  Initial: 0,
  Starting: 1,
  Closed: 2,
  Stopped: 3,
  Closing: 4,
  Stopping: 5,
  ReqSent: 6,
  AckRcvd: 7,
  AckSent: 8,
  Opened: 9,
} as const
export type State = (typeof State)[keyof typeof State]

export const stateNames: readonly string[] = [
  'Initial',
  'Starting',
  'Closed',
  'Stopped',
  'Closing',
  'Stopping',
  'Req-Sent',
  'Ack-Rcvd',
  'Ack-Sent',
  'Opened',
]

/** RFC 1661 section 4.3. `TO+` and `TO-`: the restart timer expired with attempts left, or with none. */
export type AutomatonEvent =
  | 'Up'
  | 'Down'
  | 'Open'
  | 'Close'
  | 'TO+'
  | 'TO-'
  | 'RCR+'
  | 'RCR-'
  | 'RCA'
  | 'RCN'
  | 'RTR'
  | 'RTA'
  | 'RUC'
  | 'RXJ+'
  | 'RXJ-'
  | 'RXR'

/** RFC 1661 section 4.4, by its abbreviations. */
export type Action =
  | 'tlu'
  | 'tld'
  | 'tls'
  | 'tlf'
  | 'irc'
  | 'zrc'
  | 'scr'
  | 'sca'
  | 'scn'
  | 'str'
  | 'sta'
  | 'scj'
  | 'ser'

export interface Transition {
  readonly actions: readonly Action[]
  readonly next: State
}

/** What `event` does in `state`; undefined where RFC 1661 has a dash: it cannot happen, or is to be ignored. */
export function transition(event: AutomatonEvent, state: State): Transition | undefined {
  return table[event]![state]
}

/** The rows as RFC 1661 prints them, states 0 to 9 from left to right; its marks r, p and x need nothing from us. */
const rows: Readonly<Record<AutomatonEvent, string>> = {
  Up: '    2     irc,scr/6  -         -           -     -     -         -         -         -',
  Down: '  -     -          0         tls/1       0     1     1         1         1         tld/1',
  Open: '  tls/1 1          irc,scr/6 3           5     5     6         7         8         9',
  Close: ' 0     tlf/0      2         2           4     4     irc,str/4 irc,str/4 irc,str/4 tld,irc,str/4',
  'TO+': ' -     -          -         -           str/4 str/5 scr/6     scr/6     scr/8     -',
  'TO-': ' -     -          -         -           tlf/2 tlf/3 tlf/3     tlf/3     tlf/3     -',
  'RCR+': '-     -          sta/2     irc,scr,sca/8 4   5     sca/8     sca,tlu/9 sca/8     tld,scr,sca/8',
  'RCR-': '-     -          sta/2     irc,scr,scn/6 4   5     scn/6     scn/7     scn/6     tld,scr,scn/6',
  RCA: '   -     -          sta/2     sta/3       4     5     irc/7     scr/6     irc,tlu/9 tld,scr/6',
  RCN: '   -     -          sta/2     sta/3       4     5     irc,scr/6 scr/6     irc,scr/8 tld,scr/6',
  RTR: '   -     -          sta/2     sta/3       sta/4 sta/5 sta/6     sta/6     sta/6     tld,zrc,sta/5',
  RTA: '   -     -          2         3           tlf/2 tlf/3 6         6         8         tld,scr/6',
  RUC: '   -     -          scj/2     scj/3       scj/4 scj/5 scj/6     scj/7     scj/8     scj/9',
  'RXJ+': '-     -          2         3           4     5     6         6         8         9',
  'RXJ-': '-     -          tlf/2     tlf/3       tlf/2 tlf/3 tlf/3     tlf/3     tlf/3     tld,irc,str/5',
  RXR: '   -     -          2         3           4     5     6         7         8         ser/9',
}

const table: Readonly<Record<string, readonly (Transition | undefined)[]>> = Object.fromEntries(
  Object.entries(rows).map(([event, row]) => [event, row.trim().split(/\s+/).map(parseCell)]),
)

function parseCell(cell: string): Transition | undefined {
  if (cell === '-') return undefined
  const [actions, next] = cell.includes('/') ? cell.split('/') : ['', cell]
  return { actions: (actions ? actions.split(',') : []) as Action[], next: Number(next) as State }
}
