/** What the gateway says about those who do not get in: the right cause, and what to change. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AttemptState } from '../../src/alliedware/show/state.ts'
import { until } from '../support/command.ts'
import { whyNoNetwork } from '../support/netns.ts'
import { Office } from '../support/office.ts'
import { accounts, officeScript } from '../support/plan.ts'

const lacking = await whyNoNetwork()
if (lacking !== undefined) console.warn(`end-to-end tests are left out: ${lacking}`)

describe.skipIf(lacking !== undefined)('whoever does not get in', () => {
  const office = new Office()

  beforeAll(async () => {
    await office.raise()
    // Room for one caller without an address of his own.
    await office.startGateway(officeScript('192.168.8.100-192.168.8.100'))
  })
  afterAll(() => office.remove())

  async function failedAttempt(seen: number): Promise<AttemptState> {
    const newest = async () =>
      (await office.show<AttemptState>('attempt')).find(a => a.id > seen && a.outcome === 'failed')
    const attempt = await until(newest, 60_000, 200)
    expect(attempt, JSON.stringify(await office.show('attempt'))).toBeDefined()
    return attempt!
  }

  async function newest(): Promise<number> {
    return Math.max(0, ...(await office.show<AttemptState>('attempt')).map(a => a.id))
  }

  it('has another pre-shared key', async () => {
    const seen = await newest()
    const client = office.dial('c1', accounts.dialin1, '--psk', 'not the secret', '--patience', '8')
    expect(await client.ended()).toBe('status 10')
    const attempt = await failedAttempt(seen)
    expect(attempt.text).toMatch(/pre-shared key/i)
    expect(attempt.remedy).toMatch(/key/i)
    expect(attempt.remedy).not.toContain('office secret')
  })

  it('has another password', async () => {
    const seen = await newest()
    const client = office.dial('c1', { user: 'dialin1', password: 'wrong' })
    expect(await client.ended()).toBe('status 14')
    const attempt = await failedAttempt(seen)
    expect(attempt).toMatchObject({ user: 'dialin1' })
    expect(attempt.text).toMatch(/password/i)
  })

  it('is not known', async () => {
    const seen = await newest()
    const client = office.dial('c1', { user: 'mallory', password: 'friend1' })
    expect(await client.ended()).toBe('status 14')
    const attempt = await failedAttempt(seen)
    expect(attempt).toMatchObject({ user: 'mallory' })
    expect(attempt.text).toMatch(/mallory/)
    expect(attempt.text).not.toMatch(/password/i)
  })

  it('finds no address left', async () => {
    const first = office.dial('c1', accounts.dialin2)
    expect(await first.connected()).toBe('192.168.8.100')
    const seen = await newest()
    const second = office.dial('c2', accounts.dialin3)
    expect(await second.ended()).toMatch(/^status 1[34]$/)
    const attempt = await failedAttempt(seen)
    expect(attempt).toMatchObject({ user: 'dialin3' })
    expect(attempt.text).toMatch(/no .*address/i)
    expect(attempt.remedy).toMatch(/pool/i)
    expect(await first.hangUp()).toBe('status 0')

    const third = office.dial('c2', accounts.dialin3)
    expect(await third.connected()).toBe('192.168.8.100')
    expect(await third.hangUp()).toBe('status 0')
  })

  it('leaves nothing behind', async () => {
    await until(async () => (await office.show('isakmp sa')).length === 0, 60_000, 200)
    expect(await office.show('isakmp sa')).toEqual([])
    expect(await office.show('session')).toEqual([])
  })
})
