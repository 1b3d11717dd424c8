import { describe, expect, it } from 'vitest'
import { type IkeDatagram, IkeQueue } from '../../src/gateway/ike-queue.ts'

const local = { address: 1, port: 500 }

/** A message of a client, whose cookie is its number; `begun`: it bears ours, too. */
function message(client: number, begun: boolean, mark: number, length = 28): IkeDatagram {
  const bytes = new Uint8Array(length)
  bytes[7] = client
  bytes[8] = begun ? 1 : 0
  bytes[length - 1] = mark
  return { local, remote: { address: 100 + client, port: 500 }, bytes }
}

const mark = (d: IkeDatagram | undefined) => d?.bytes.at(-1)

describe('datagrams that wait', () => {
  it('come out in order, each kind by itself', () => {
    const queue = new IkeQueue()
    expect(queue.empty).toBe(true)
    for (let i = 1; i <= 3; i++) {
      queue.add(message(i, false, i))
      queue.add(message(10 + i, true, 10 + i))
    }
    expect([queue.takeBegun(), queue.takeBegun(), queue.takeBegun(), queue.takeBegun()].map(mark)).toEqual([
      11,
      12,
      13,
      undefined,
    ])
    expect(queue.empty).toBe(false)
    expect([queue.takeFirst(), queue.takeFirst(), queue.takeFirst(), queue.takeFirst()].map(mark)).toEqual([
      1,
      2,
      3,
      undefined,
    ])
    expect(queue.empty).toBe(true)
  })

  it('wait but once where a client begins again and again, and keep their place', () => {
    const queue = new IkeQueue()
    queue.add(message(1, false, 1))
    queue.add(message(2, false, 2))
    queue.add(message(1, false, 3))
    // Behind another port it is somebody else.
    queue.add({ ...message(1, false, 4), remote: { address: 101, port: 501 } })
    expect([queue.takeFirst(), queue.takeFirst(), queue.takeFirst(), queue.takeFirst()].map(mark)).toEqual([
      3,
      2,
      4,
      undefined,
    ])
  })

  it('what is too short to tell comes with those who have begun', () => {
    const queue = new IkeQueue()
    queue.add({ local, remote: local, bytes: Uint8Array.of(9) })
    expect(mark(queue.takeBegun())).toBe(9)
  })

  it('are dropped where there are too many, of each kind by itself', () => {
    const queue = new IkeQueue()
    const long = (client: number, begun: boolean) => message(client, begun, 1, 16_000)
    for (let i = 0; i < 2000; i++) queue.add(long(7, true))
    expect(queue.dropped).toBeGreaterThan(900)
    const { dropped } = queue
    for (let i = 0; i < 2000; i++) queue.add({ ...long(1, false), remote: { address: i, port: 1 } })
    expect(queue.dropped).toBeGreaterThan(dropped + 900)
    // And there is room again behind those that went.
    while (queue.takeBegun() !== undefined);
    while (queue.takeFirst() !== undefined);
    const before = queue.dropped
    for (let i = 0; i < 1000; i++) {
      queue.add(long(7, true))
      queue.add({ ...long(1, false), remote: { address: i, port: 1 } })
    }
    expect(queue.dropped).toBe(before)
  })

  it('come out in order, however many come and go meanwhile', () => {
    const queue = new IkeQueue()
    let [added, taken] = [0, 0]
    for (let i = 0; i < 20_000; i++) {
      for (let n = 0; n < (i % 3) + 1; n++) queue.add({ ...message(1, true, 0), local: { address: added++, port: 1 } })
      for (let n = 0; n < 2; n++) {
        const next = queue.takeBegun()
        if (next !== undefined) expect(next.local.address).toBe(taken++)
      }
    }
    for (let next = queue.takeBegun(); next !== undefined; next = queue.takeBegun()) taken++
    expect(taken).toBe(added)
  })
})
