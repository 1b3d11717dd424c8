import { describe, expect, it } from 'vitest'
import { PayloadType } from '../../src/ike/constants.ts'
import { IkeError } from '../../src/ike/error.ts'
import { cut, emitFragment, parseFragment, Reassembler, whole } from '../../src/ike/fragment.ts'
import { parseHeader } from '../../src/ike/message.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { Client, NAT, of } from '../ike/gateway.ts'
import { windows10 } from '../support/windows.ts'
import { Storm } from './ike-storm.ts'
import { FUZZ_TIMEOUT, forSeeds, mutate, Rng } from './random.ts'

const fast = { ...windows10, offers: [{ cipher: 'aes256', hash: 'sha1', group: 19 }] } as const

/** A message in pieces of any size, shuffled, some of them twice. */
function pieces(rng: Rng, message: Uint8Array): Uint8Array[] {
  const header = parseHeader(message)
  const size = Math.max(1 + rng.below(message.length), Math.ceil(message.length / 60))
  const id = rng.below(0x10000)
  const all: Uint8Array[] = []
  for (let at = 0, number = 1; at < message.length; at += size, number++)
    all.push(
      emitFragment(header, { id, number, last: at + size >= message.length, data: message.slice(at, at + size) }),
    )
  for (let i = all.length - 1; i > 0; i--) {
    const j = rng.below(i + 1)
    ;[all[i], all[j]] = [all[j]!, all[i]!]
  }
  if (rng.chance(30)) all.splice(rng.below(all.length), 0, rng.pick(all))
  return all
}

describe('IKE fragments under hostile datagrams', () => {
  it('a client in pieces gets through while damaged pieces come in between', { timeout: FUZZ_TIMEOUT }, () => {
    forSeeds(40, seed => {
      const rng = new Rng(seed)
      const storm = new Storm()
      const client = new Client(storm, { ...fast, seed: `pieces ${seed}` })
      /** Strangers see every piece, and send damaged ones from their own places: those never count for the client. */
      const through = (message: Uint8Array): Uint8Array => {
        const answers: Uint8Array[] = []
        for (const p of pieces(rng, message)) {
          const spoofed = { address: ipv4('198.18.0.0') + rng.below(4000), port: 1 + rng.below(0xffff) }
          for (let i = 0; i < 4; i++) {
            const damaged = mutate(rng, p)
            if (damaged.length >= 28) new DataView(damaged.buffer).setUint32(24, damaged.length)
            storm.datagram(spoofed, client.ike.port, damaged)
          }
          const effects = storm.datagram(client.remote, client.ike.port, p)
          answers.push(...of(effects, 'send').map(e => e.bytes))
        }
        // A piece that came twice opens another set, which is never complete.
        expect(answers).toHaveLength(1)
        return answers[0]!
      }
      const four = through(client.ike.message3(client.must(client.ike.message1())))
      client.ike.finish(through(client.ike.message5(four)))
      const three = client.ike.quick3(through(client.ike.quick1().bytes))
      storm.take()
      client.send(three.bytes)
      expect(of(storm.take(), 'installOutbound').map(e => e.sa.remote.address)).toEqual([NAT])
      expect(of(storm.effects, 'peerMoved')).toEqual([])
    })
  })

  it('nothing but its own error comes of any bytes, and no set outlives its time', { timeout: FUZZ_TIMEOUT }, () => {
    forSeeds(300, seed => {
      const rng = new Rng(seed)
      const table = new Reassembler()
      const message = rng.bytes(100 + rng.below(3000))
      message[16] = rng.pick([PayloadType.Hash, PayloadType.Fragment])
      new DataView(message.buffer).setUint32(24, message.length)
      for (const datagram of [...cut(message), ...pieces(rng, message)])
        for (const bytes of [datagram, mutate(rng, datagram)]) {
          try {
            const header = parseHeader(bytes)
            const joined = table.add(String(rng.below(3)), rng.below(3), header.messageId, parseFragment(bytes), seed)
            if (joined) whole(joined, header, rng.chance(50))
          } catch (e) {
            expect(e).toBeInstanceOf(IkeError)
          }
        }
      expect(table.expire(seed + 90_000)).toBeLessThan(100)
      expect([table.size, table.deadline]).toEqual([0, undefined])
    })
  })
})
