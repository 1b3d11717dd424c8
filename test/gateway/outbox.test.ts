import { describe, expect, it } from 'vitest'
import type { SaMessage, ToWorker } from '../../src/gateway/messages.ts'
import { Outbox } from '../../src/gateway/outbox.ts'

const removal = (peer: number): ToWorker => ({ kind: 'removePeer', peer })
const inbound: ToWorker = { kind: 'installInbound', sa: {} as SaMessage }

function outbox() {
  const delivered: (readonly ToWorker[])[] = []
  return { delivered, box: new Outbox(messages => delivered.push(messages)) }
}

describe('what control says to a worker', () => {
  it('goes as one message at the end of the turn, in its order', async () => {
    const { delivered, box } = outbox()
    box.add(removal(1))
    box.add(removal(2))
    expect(delivered).toEqual([])
    await Promise.resolve()
    expect(delivered).toEqual([[removal(1), removal(2)]])
    box.add(removal(3))
    await Promise.resolve()
    expect(delivered).toHaveLength(2)
  })

  it('is there before an answer can tell the peer of an inbound SA, with all that came before it', async () => {
    const { delivered, box } = outbox()
    box.add(removal(1))
    box.add(inbound)
    expect(delivered).toEqual([[removal(1), inbound]])
    box.add(removal(2))
    await Promise.resolve()
    expect(delivered).toEqual([[removal(1), inbound], [removal(2)]])
  })

  it('is nothing when everything has gone already', async () => {
    const { delivered, box } = outbox()
    box.add(inbound)
    await Promise.resolve()
    expect(delivered).toEqual([[inbound]])
  })
})
