import { describe, expect, it } from 'vitest'
import type { AutomatonEvent } from '../../src/ppp/automaton.ts'
import { State, stateNames, transition } from '../../src/ppp/automaton.ts'

const events: readonly AutomatonEvent[] = [
  'Up',
  'Down',
  'Open',
  'Close',
  'TO+',
  'TO-',
  'RCR+',
  'RCR-',
  'RCA',
  'RCN',
  'RTR',
  'RTA',
  'RUC',
  'RXJ+',
  'RXJ-',
  'RXR',
]
const states = Object.values(State)

const cell = (event: AutomatonEvent, state: State) => {
  const t = transition(event, state)
  return t ? `${t.actions.join(',')}/${stateNames[t.next]}` : '-'
}

describe('the table of RFC 1661 section 4.1', () => {
  it('has sixteen events and ten states, and leads nowhere else', () => {
    for (const event of events) {
      for (const state of states) {
        const t = transition(event, state)
        if (t) expect(states).toContain(t.next)
      }
    }
    expect(stateNames).toHaveLength(10)
  })

  it('has its dashes where the RFC has them', () => {
    const dashes = events.map(e => states.filter(s => transition(e, s) === undefined).length)
    expect(dashes).toEqual([8, 2, 0, 0, 5, 5, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
  })

  it.each([
    ['Up', State.Starting, 'irc,scr/Req-Sent'],
    ['Down', State.Opened, 'tld/Starting'],
    ['Close', State.Opened, 'tld,irc,str/Closing'],
    ['TO-', State.Stopping, 'tlf/Stopped'],
    ['RCR+', State.AckRcvd, 'sca,tlu/Opened'],
    ['RCR-', State.AckRcvd, 'scn/Ack-Rcvd'],
    ['RCR+', State.Opened, 'tld,scr,sca/Ack-Sent'],
    ['RCA', State.AckSent, 'irc,tlu/Opened'],
    ['RCN', State.AckSent, 'irc,scr/Ack-Sent'],
    ['RTR', State.Opened, 'tld,zrc,sta/Stopping'],
    ['RTA', State.Opened, 'tld,scr/Req-Sent'],
    ['RXJ-', State.Opened, 'tld,irc,str/Stopping'],
    ['RXJ+', State.AckRcvd, '/Req-Sent'],
    ['RXR', State.Opened, 'ser/Opened'],
    ['RCR+', State.Closing, '/Closing'],
    ['RCA', State.Initial, '-'],
  ] as const)('%s in state %i: %s', (event, state, expected) => {
    expect(cell(event, state)).toBe(expected)
  })

  it('starts and finishes in pairs: whatever leaves Opened says tld, whatever enters says tlu', () => {
    for (const event of events) {
      for (const state of states) {
        const t = transition(event, state)
        if (!t) continue
        expect(t.actions.includes('tlu')).toBe(t.next === State.Opened && state !== State.Opened)
        expect(t.actions.includes('tld')).toBe(state === State.Opened && t.next !== State.Opened)
      }
    }
  })
})
