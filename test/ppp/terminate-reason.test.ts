import { expect, it } from 'vitest'
import { fromHex } from '../../src/packet/bytes.ts'
import { microsoftError, terminateReason } from '../../src/ppp/terminate-reason.ts'

it.each([
  ['12345678 003ccd74 00000000', 'the user hung up'],
  ['12345678 003ccd74 000002dc', 'Windows error 732: PPP negotiation does not converge'],
  ['12345678 003ccd74 000002e2', 'Windows error 738: the server assigned no address'],
  ['12345678 003ccd74 0000ffff', 'Windows error 65535'],
  ['', ''],
  ['5573657220726571756573740a', 'User request?'],
  ['12345678 003ccd74 0000', '?4Vx?<?t'],
])('%s', (hex, words) => {
  expect(terminateReason(fromHex(hex))).toBe(words)
})

it('the number alone', () => {
  expect(microsoftError(fromHex('12345678 003ccd74 0000030a'))).toBe(778)
  expect(microsoftError(fromHex('12345678 003ccd75 0000030a'))).toBeUndefined()
})
