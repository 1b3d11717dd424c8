/** Streams between sides that are free to speak: each is new once. */

import { describe, expect, it } from 'vitest'
import { Headers } from '../../src/firewall/headers.ts'
import { Untracked } from '../../src/firewall/untracked.ts'

function stream(port: number, back: boolean): Headers {
  const h = new Headers()
  const [client, server] = [0x0a090001, 0x0a080001]
  h.source = back ? server : client
  h.destination = back ? client : server
  h.sourcePort = back ? 53 : port
  h.destinationPort = back ? port : 53
  h.protocol = 17
  return h
}

describe('streams that nothing tracks', () => {
  it('whatever its ports are, the two ways of one do not drive one another out', () => {
    const untracked = new Untracked()
    for (let port = 1024; port < 3024; port++) {
      const news = [false, true, false, true, false, true].map(back => untracked.isNew(1, stream(port, back)))
      expect(news).toEqual([true, true, false, false, false, false])
    }
  })

  it('of a session one is new again behind many others, and never for what another session sends', () => {
    const untracked = new Untracked()
    expect(untracked.isNew(1, stream(1024, false))).toBe(true)
    for (let port = 2000; port < 2200; port++) untracked.isNew(2, stream(port, false))
    expect(untracked.isNew(1, stream(1024, false))).toBe(false)
    for (let port = 2000; port < 2200; port++) untracked.isNew(1, stream(port, false))
    expect(untracked.isNew(1, stream(1024, false))).toBe(true)
  })
})
