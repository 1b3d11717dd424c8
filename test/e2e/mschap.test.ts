/** The daemon with a template that says EITHER: the simulated client takes MS-CHAPv2, from the script to the ping. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AttemptState, PppState } from '../../src/alliedware/show/state.ts'
import { whyNoNetwork } from '../support/netns.ts'
import { Office } from '../support/office.ts'
import { accounts, lanHost, officeScript } from '../support/plan.ts'

const lacking = await whyNoNetwork()
if (lacking !== undefined) console.warn(`end-to-end tests are left out: ${lacking}`)

describe.skipIf(lacking !== undefined)('a simulated client and AUTHENTICATION=EITHER', () => {
  const office = new Office()

  beforeAll(async () => {
    await office.raise(['c1'])
    await office.startGateway(officeScript().replace('authentication=chap', 'authentication=either'))
  })
  afterAll(() => office.remove())

  it('refuses a wrong password in MS-CHAPv2’s words, and takes the right one at once', async () => {
    const wrong = office.dial('c1', { ...accounts.dialin1, password: 'guess' })
    expect(await wrong.ended()).not.toBe('status 0')
    expect(wrong.output).toMatch(/E=691 R=1 C=[0-9A-F]{32} V=3/)
    const right = office.dial('c1', accounts.dialin1)
    expect(await right.connected()).toBe(accounts.dialin1.address)
    expect(await office.show<PppState>('ppp')).toMatchObject([{ user: 'dialin1', authentication: 'MS-CHAPv2' }])
    const { output } = await right.run('ping', '-n', '-c', '3', '-i', '0.2', '-W', '5', lanHost)
    expect(output).toContain('3 packets transmitted, 3 received')
    expect(await right.hangUp()).toBe('status 0')
    expect((await office.show<AttemptState>('attempt')).map(a => a.outcome)).toEqual(['failed', 'ended'])
  })
})
