/** The packet at hand: where it is in the tables' eyes. One for each direction, used again for every packet. */
export interface Passage {
  session: number
  fromClient: boolean
  /** The session that sends it, or 0 for somebody outside. */
  sender: number
  /** Zones entered and left. */
  from: number
  to: number
  /** The session that rules with USER or GROUP ask about. */
  subject: number
}
