import { describe, expect, test } from 'vitest'
import { buildRuleset } from '../../src/firewall/compile.ts'
import { FirewallTables } from '../../src/firewall/tables.ts'
import { DropReason, dropReasonNames } from '../../src/packet/verdict.ts'
import { ALICE, ALICE_ROW, BOB, BOB_ROW, firewall, fromClient, INTERNET, SURROUNDINGS, udp } from './office.ts'

describe('a session that holds as many flows as it may', () => {
  const full = dropReasonNames[DropReason.FlowTableFull]!

  /** Tables in which a session may hold one flow, with Alice's one made. */
  function crowded(): FirewallTables {
    const t = new FirewallTables(0x5eed, { flows: 4096, perSession: 1 })
    t.setRuleset(buildRuleset(firewall(), SURROUNDINGS))
    t.install(ALICE_ROW)
    t.install(BOB_ROW)
    expect(fromClient(t, 1, udp(ALICE, 1000, INTERNET, 53))).toBe('Forward')
    return t
  }

  test('gets no more, while the one that it has goes on', () => {
    const t = crowded()
    expect(fromClient(t, 1, udp(ALICE, 1001, INTERNET, 53))).toBe(full)
    expect(fromClient(t, 1, udp(ALICE, 1000, INTERNET, 53))).toBe('Forward')
    expect(t.flows.ofSession(1)).toBe(1)
  })

  test('takes nothing from another session', () => {
    const t = crowded()
    fromClient(t, 1, udp(ALICE, 1001, INTERNET, 53))
    expect(fromClient(t, 2, udp(BOB, 1001, INTERNET, 53))).toBe('Forward')
  })

  test('has room again when it is installed anew', () => {
    const t = crowded()
    t.remove(1)
    t.install(ALICE_ROW)
    expect(fromClient(t, 1, udp(ALICE, 1001, INTERNET, 53))).toBe('Forward')
  })
})
