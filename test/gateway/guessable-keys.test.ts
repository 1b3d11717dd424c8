import { describe, expect, it } from 'vitest'
import { guessableKeys } from '../../src/gateway/guessable-keys.ts'
import { Secret } from '../../src/packet/bytes.ts'
import { configurationOf } from '../support/memory-gateway.ts'
import { OFFICE } from './world.ts'

describe('a pre-shared key', () => {
  const told = (key: string, script = OFFICE) =>
    guessableKeys(configurationOf(script), { sharedKey: id => (id === 1 ? Secret.fromText(key) : undefined) })

  it.each(['secret', 'vpn', '12345678', 'abcdefgh', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '0123456789012345'])(
    'that could be guessed is told, and not quoted: %s',
    key => {
      expect(told(key)).toEqual([expect.stringContaining('ENCO key 1')])
      expect(told(key).join()).not.toContain(key)
    },
  )

  it.each(['roam-free-2005', 'kP7wq2ZmX4tR9vBn', 'correct horse battery staple'])(
    'that is long enough is not: %s',
    key => {
      expect(told(key)).toEqual([])
    },
  )

  it('that is not there, or that no policy uses, is nothing to tell', () => {
    expect(told('vpn', OFFICE.replace('peer=any key=1', 'peer=any key=2'))).toEqual([])
  })
})
