/** FTP's active mode through translation: the command, the connection it asks for, and the numbers that shift. */

import { describe, expect, test } from 'vitest'
import { ipv4 } from '../../src/packet/ip.ts'
import { ALICE, BOB, INTERNET, one, TCP, tcp } from './office.ts'
import { ends, nat, received, sent, translating } from './translation.ts'

const SERVER = INTERNET
/** Long, so that the command grows: 192.168.8.50 is shorter by three. */
const OUTSIDE = ipv4('203.113.100.208')
const text = (s: string) => new TextEncoder().encode(s)
const line = (packet: Uint8Array | string) => new TextDecoder().decode((packet as Uint8Array).subarray(40))
const word = (p: Uint8Array | string, at: number) => new DataView((p as Uint8Array).buffer).getUint32(at)

/** A control connection of Alice's from port 5000, after its handshake. */
function control(ftpDataPort: 'rfc' | 'any' | undefined, nats = [nat({ globalIp: one(OUTSIDE) })]) {
  const t = translating(nats, [], { ftpDataPort })
  const NONE = new Uint8Array(0)
  const say = (sequence: number, data: string, flags: number = TCP.ACK, options = NONE) =>
    sent(t, 1, tcp(ALICE, 5000, SERVER, 21, flags, options, { sequence, acknowledgement: 9001 }, text(data)))
  const syn = say(1000, '', TCP.SYN, Uint8Array.of(4, 2, 1, 1)) as Uint8Array
  const outsidePort = nats.length === 0 ? 5000 : (syn[20]! << 8) | syn[21]!
  const outside = nats.length === 0 ? ALICE : OUTSIDE
  const hear = (acknowledgement: number, flags: number = TCP.ACK) =>
    received(
      t,
      tcp(SERVER, 21, outside, outsidePort, flags, NONE, { sequence: flags & TCP.SYN ? 9000 : 9001, acknowledgement }),
    )
  hear(1001, TCP.SYN | TCP.ACK)
  say(1001, '')
  const call = (port: number, from = 20, server = SERVER) => received(t, tcp(server, from, outside, port, TCP.SYN))
  return { t, say, hear, call, syn }
}

/** The port that a PORT command names. */
function portOf(command: string): number {
  const [high, low] = command.trim().split(',').slice(-2).map(Number)
  return high! * 256 + low!
}

const PORT = 'PORT 192,168,8,50,19,137\r\n'

describe('where it is asked for', () => {
  test('the command names our address and a port of ours, and the server reaches the client there, once', () => {
    const c = control('rfc')
    const out = c.say(1001, PORT)
    const command = line(out)
    expect(command).toMatch(/^PORT 203,113,100,208,\d+,\d+\r\n$/)
    expect(ends(out)).toContain('203.113.100.208')
    const port = portOf(command)
    expect(port).toBeGreaterThanOrEqual(8192)
    // Not from elsewhere, and not from another port than RFC 959's.
    expect(c.call(port, 20, SERVER + 1)).toBe('Policy')
    expect(c.call(port, 21)).toBe('Policy')
    expect(c.call(port ^ 1)).toBe('Policy')
    expect(ends(c.call(port))).toBe('198.51.100.7:20 > 192.168.8.50:5001')
    const answer = sent(
      c.t,
      1,
      tcp(ALICE, 5001, SERVER, 20, TCP.SYN | TCP.ACK, undefined, { acknowledgement: 0x01020305 }),
    )
    expect(ends(answer)).toBe(`203.113.100.208:${port} > 198.51.100.7:20`)
    c.t.flows.remove(c.t.flows.findTranslated(2, SERVER | 0, 20, OUTSIDE | 0, port, 6, 0))
    expect(c.call(port)).toBe('Policy')
  })

  test('what follows is shifted by what the command grew, and the answers back', () => {
    const c = control('rfc')
    const grown = (c.say(1001, PORT) as Uint8Array).length - 40 - PORT.length
    expect(grown).toBeGreaterThan(0)
    const after = 1001 + PORT.length
    expect(word(c.say(after, 'LIST\r\n'), 24)).toBe(after + grown)
    expect(word(c.say(1001, ''), 24)).toBe(1001)
    const heard = c.hear(after + grown)
    expect(word(heard, 28)).toBe(after)
    expect(ends(heard)).toBe('198.51.100.7:21 > 192.168.8.50:5000')
    expect(word(c.hear(1001), 28)).toBe(1001)
    // A second command shifts more.
    const next = after + 6
    const again = c.say(next, 'PORT 192,168,8,50,19,200\r\n')
    expect(word(again, 24)).toBe(next + grown)
    const more = (again as Uint8Array).length - 40 - 26
    expect(word(c.say(next + 26, 'LIST\r\n'), 24)).toBe(next + 26 + grown + more)
    expect(word(c.hear(next + 26 + grown + more), 28)).toBe(next + 26)
  })

  test('the same port may be called again once the connection to it is over', () => {
    const c = control('rfc')
    const port = portOf(line(c.say(1001, PORT)))
    expect(ends(c.call(port))).toContain('> 192.168.8.50:5001')
    const from = (flags: number, sequence: number) =>
      sent(c.t, 1, tcp(ALICE, 5001, SERVER, 20, flags, undefined, { sequence, acknowledgement: 0x01020305 }))
    from(TCP.SYN | TCP.ACK, 700)
    const again = portOf(line(c.say(1001 + PORT.length, PORT)))
    // It is still up: nobody may take its ends.
    expect(c.call(again)).toBe('FlowTableFull')
    from(TCP.FIN | TCP.ACK, 701)
    const numbers = { sequence: 0x01020305, acknowledgement: 702 }
    received(c.t, tcp(SERVER, 20, OUTSIDE, port, TCP.FIN | TCP.ACK, undefined, numbers))
    expect(ends(c.call(again))).toBe('198.51.100.7:20 > 192.168.8.50:5001')
    expect(ends(from(TCP.SYN | TCP.ACK, 900))).toBe(`203.113.100.208:${again} > 198.51.100.7:20`)
  })

  test('a command that is sent again is the same', () => {
    const c = control('rfc')
    const [one, two] = [c.say(1001, PORT), c.say(1001, PORT)]
    expect(line(two)).toBe(line(one))
    expect(word(two, 24)).toBe(word(one, 24))
    const grown = (one as Uint8Array).length - 40 - PORT.length
    expect(word(c.say(1001 + PORT.length, 'LIST\r\n'), 24)).toBe(1001 + PORT.length + grown)
  })

  test('FTPDATAPORT=ANY takes data from any port of the server', () => {
    const c = control('any')
    expect(ends(c.call(portOf(line(c.say(1001, PORT))), 3333))).toBe('198.51.100.7:3333 > 192.168.8.50:5001')
  })

  test('the SYN offers no selective acknowledgements', () => {
    expect([...control('rfc').syn.subarray(40, 44)]).toEqual([1, 1, 1, 1])
    expect([...control(undefined).syn.subarray(40, 44)]).toEqual([4, 2, 1, 1])
  })

  test.each([
    ['another’s address', 'PORT 192,168,8,51,19,137\r\n'],
    ['a port that services have', 'PORT 192,168,8,50,3,255\r\n'],
    ['a number that is none', 'PORT 192,168,8,50,19,256\r\n'],
    ['too few numbers', 'PORT 192,168,8,50,19\r\n'],
    ['more behind it', 'PORT 192,168,8,50,19,137\r\nX'],
    ['something before it', ' PORT 192,168,8,50,19,137\r\n'],
  ])('a command with %s opens nothing and stays as it is', (_, command) => {
    const c = control('rfc')
    expect(line(c.say(1001, command))).toBe(command)
    for (const port of [5001, 1023]) expect(c.call(port)).toBe('Policy')
  })

  test('a damaged command stays damaged', () => {
    const c = control('rfc')
    const packet = tcp(
      ALICE,
      5000,
      SERVER,
      21,
      TCP.ACK,
      undefined,
      { sequence: 1001, acknowledgement: 9001 },
      text(PORT),
    )
    packet[36] = packet[36]! ^ 1
    expect(line(sent(c.t, 1, packet))).toBe(PORT)
    expect(() => ends(sent(c.t, 1, packet))).toThrow()
  })

  test('what is asked for in vain is forgotten, with its session too', () => {
    const c = control('rfc')
    const port = portOf(line(c.say(1001, PORT)))
    expect(received(c.t, tcp(SERVER, 20, OUTSIDE, port, TCP.SYN), 60_000)).toBe('Policy')
    const d = control('rfc')
    const there = portOf(line(d.say(1001, PORT)))
    d.t.remove(1)
    d.t.install({ session: 1, peer: 11, address: ALICE, user: 'mallory', mtu: 1400 })
    expect(d.call(there)).toBe('Policy')
  })

  test('without translation the command stays, and the connection is let in', () => {
    const c = control('rfc', [])
    expect(line(c.say(1001, PORT))).toBe(PORT)
    expect(ends(c.call(5001))).toBe('198.51.100.7:20 > 192.168.8.50:5001')
    expect(received(c.t, tcp(SERVER, 20, BOB, 5001, TCP.SYN))).toBe('Policy')
  })
})

describe('EPRT', () => {
  test('names our address and port with its own delimiters, and the server reaches the client there', () => {
    for (const delimiter of ['|', '!']) {
      const c = control('rfc')
      const command = ['eprt ', '1', '192.168.8.50', '5001', '\r\n'].join(delimiter)
      const out = line(c.say(1001, command))
      const [head, kind, address, port, end] = out.split(delimiter)
      expect([head, kind, address, end]).toEqual(['eprt ', '1', '203.113.100.208', '\r\n'])
      expect(ends(c.call(Number(port)))).toBe('198.51.100.7:20 > 192.168.8.50:5001')
      const after = 1001 + command.length
      const grown = out.length - command.length
      expect(word(c.say(after, 'LIST\r\n'), 24)).toBe(after + grown)
      expect(word(c.hear(after + grown), 28)).toBe(after)
    }
  })

  test('grows by no more than what is free behind a packet', () => {
    const c = control('rfc')
    const short = 'EPRT |1|192.168.8.50|1024|\r\n'
    expect(line(c.say(1001, short)).length - short.length).toBeLessThanOrEqual(12)
  })

  test.each([
    ['IPv6', 'EPRT |2|::1|5001|\r\n'],
    ['another’s address', 'EPRT |1|192.168.8.51|5001|\r\n'],
    ['a port that services have', 'EPRT |1|192.168.8.50|1023|\r\n'],
    ['no such port', 'EPRT |1|192.168.8.50|65536|\r\n'],
    ['a number that is none', 'EPRT |1|192.168.8.500|5001|\r\n'],
    ['delimiters that differ', 'EPRT |1|192.168.8.50!5001|\r\n'],
    ['a digit for a delimiter', 'EPRT 111192.168.8.501500111\r\n'],
    ['too little', 'EPRT |1|192.168.8.50|\r\n'],
    ['nothing at all', 'EPRT \r\n'],
  ])('of %s opens nothing and stays as it is', (_, command) => {
    const c = control('rfc')
    expect(line(c.say(1001, command))).toBe(command)
    for (const port of [5001, 1023, 0]) expect(c.call(port)).toBe('Policy')
  })
})

describe('a command in parts', () => {
  const cut = (command: string, at: number) => [command.slice(0, at), command.slice(at)] as const

  test('is held back until it is repeated whole, and what is behind it, too', () => {
    for (const command of [PORT, 'EPRT |1|192.168.8.50|5001|\r\n']) {
      for (let at = 1; at < command.length; at++) {
        const c = control('rfc')
        const [head, tail] = cut(command, at)
        expect(c.say(1001, head)).toBe('Policy')
        expect(c.say(1001 + at, tail)).toBe('Policy')
        expect(typeof c.say(1001 + at, '')).not.toBe('string')
        const out = c.say(1001, command)
        expect(line(out)).toMatch(/203.113.100.208/)
        const grown = (out as Uint8Array).length - 40 - command.length
        expect(word(c.say(1001 + command.length, 'LIST\r\n'), 24)).toBe(1001 + command.length + grown)
      }
    }
  })

  test('that stays in parts passes as it is after some repetitions, and opens nothing', () => {
    const c = control('rfc')
    const [head, tail] = cut(PORT, 9)
    expect([c.say(1001, head), c.say(1001, head)]).toEqual(['Policy', 'Policy'])
    expect(line(c.say(1001, head))).toBe(head)
    expect(line(c.say(1001, head))).toBe(head)
    expect(line(c.say(1010, tail))).toBe(tail)
    expect(c.call(5001)).toBe('Policy')
    // The next one has its turn again.
    const next = 1001 + PORT.length
    expect(c.say(next, head)).toBe('Policy')
    expect(line(c.say(next, PORT))).toMatch(/^PORT 203/)
  })

  test('is looked for without translation, too', () => {
    const c = control('rfc', [])
    expect(c.say(1001, 'PORT 192,')).toBe('Policy')
    expect(line(c.say(1001, PORT))).toBe(PORT)
    expect(ends(c.call(5001))).toBe('198.51.100.7:20 > 192.168.8.50:5001')
  })

  test('of any other kind passes at once', () => {
    const c = control('rfc')
    let sequence = 1001
    for (const data of ['LIS', 'T\r\n', 'PASV\r\n', 'STOR a', ' PORT', '\r\n', `${PORT}PORT`]) {
      expect(line(c.say(sequence, data))).toBe(data)
      sequence += data.length
    }
  })
})

test('where nobody asked for it nothing is looked into', () => {
  const c = control(undefined)
  expect(line(c.say(1001, PORT))).toBe(PORT)
  expect(c.call(5001)).toBe('Policy')
})
