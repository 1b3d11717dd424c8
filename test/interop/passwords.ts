/** Scenarios of logins with MS-CHAPv2, the only proof that Windows offers as it comes. */
import { accounts, officeScript } from '../support/plan.ts'
import {
  expect,
  expectPings,
  expectRefusal,
  expectSessions,
  expectVerdict,
  newestAttempt,
  type Scenario,
  type Stage,
  up,
} from './expectations.ts'
import type { Settings } from './settings.ts'

const mschap: Partial<Settings> = { passwordProof: 'mschap-v2' }

/** The client proves its password in MS-CHAPv2 and checks the gateway's answer; then a wrong one; then the right one. */
async function msChap({ c1, gateway }: Stage): Promise<string> {
  const first = await c1.connect(mschap)
  await expectPings(c1)
  await expectSessions(gateway, 'dialin1')
  const log = await c1.must('cat /run/vpn/pppd.log')
  expect(/rcvd \[LCP ConfReq .*<auth chap MS-v2>/.test(log), 'the gateway did not ask for MS-CHAPv2')
  expect(/rcvd \[CHAP Success .*S=[0-9A-F]{40}/.test(log), "the gateway's own proof is missing")
  expect(await c1.disconnect(), 'the client could not leave cleanly')
  await expectSessions(gateway)

  const seen = await newestAttempt(gateway)
  const account = { ...accounts.dialin1, password: 'enemy1' }
  const refusal = await expectRefusal(c1, 'authentication', { ...mschap, account })
  const said = await c1.must('cat /run/vpn/pppd.log')
  expect(/rcvd \[CHAP Failure .*E=691/.test(said), 'the refusal is not the one of RFC 2759')
  await c1.disconnect()
  const verdict = await expectVerdict(gateway, seen, /password/i)
  await expectSessions(gateway)

  const again = await c1.connect(mschap)
  await expectPings(c1)
  expect(await c1.disconnect(), 'the client could not leave cleanly')
  return `${up(first)}, refused after ${refusal.seconds} s, then ${up(again)}; verdict: ${verdict}`
}

export const passwordScenarios: readonly Scenario[] = [
  {
    name: 'mschap-v2',
    about: 'MS-CHAPv2 and nothing else; a wrong password, then the right one',
    play: msChap,
    variant: { script: officeScript().replace('authentication=chap', 'authentication=either') },
    beyondReference: 'it is set up for CHAP',
  },
]
