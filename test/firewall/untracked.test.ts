/** Streams between sides that are free to speak: each is new once. */

import { describe, expect, it } from 'vitest'
import { Headers } from '../../src/firewall/headers.ts'
import { Seen, Untracked } from '../../src/firewall/untracked.ts'

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
  it('whatever its ports are, and whoever begins, the two ways of one are one, which is answered once', () => {
    const untracked = new Untracked()
    for (let port = 1024; port < 3024; port++) {
      const begun = port % 2 === 0
      const seen = [0, 0, 1, 0, 1, 1].map(way => untracked.look(1, stream(port, (way === 1) === begun)))
      expect(seen).toEqual([Seen.New, Seen.Known, Seen.Answer, Seen.Known, Seen.Known, Seen.Known])
    }
  })

  it('of a session one is new again behind many others, and never for what another session sends', () => {
    const untracked = new Untracked()
    expect(untracked.look(1, stream(1024, false))).toBe(Seen.New)
    for (let port = 2000; port < 2200; port++) untracked.look(2, stream(port, false))
    expect(untracked.look(1, stream(1024, false))).toBe(Seen.Known)
    for (let port = 2000; port < 2200; port++) untracked.look(1, stream(port, false))
    expect(untracked.look(1, stream(1024, false))).toBe(Seen.New)
  })
})
