/** Requests to a guest's agent over a line that loses, damages and repeats, and a guest that restarts. */
import { describe, expect, it } from 'vitest'
import { Agent, AgentLost, AgentRefused, type Wire } from '../interop/windows-agent.ts'
import { emitLine, LineReader, parseLine, type Words } from '../interop/windows-line.ts'

/** An agent of the test's own at the other end of the line. */
class Guest {
  boot = '00000001'
  /** What it was asked to do, each once. */
  readonly done: string[] = []
  /** Which lines get lost, counted from 0 in each direction. */
  loses: (direction: 'in' | 'out', count: number) => boolean = () => false
  answer: (words: Words) => Words | undefined = words => ({ ok: '1', verb: words['verb'] ?? '' })
  private counts = { in: 0, out: 0 }
  private take: (text: string) => void = () => undefined
  private readonly reader = new LineReader()
  private last = { number: 0, words: {} as Words }

  readonly wire: Wire = {
    listen: take => {
      this.take = take
    },
    write: text => {
      for (const line of this.reader.take(text)) if (!this.loses('in', this.counts.in++)) this.handle(line)
    },
  }

  hello(words: Words = { system: 'windows', version: '5.1.2600' }): void {
    this.send({ kind: 'H', boot: this.boot, number: 0, words })
  }

  restart(): void {
    this.boot = '00000002'
    this.last = { number: 0, words: {} }
    this.hello()
  }

  noise(text: string): void {
    this.take(text)
  }

  private handle(text: string): void {
    const line = parseLine(text)
    if (line === undefined || 'version' in line || line.boot !== this.boot) return
    if (line.number > this.last.number) {
      this.done.push(line.words['verb'] ?? '')
      const words = this.answer(line.words)
      if (words === undefined) return this.send({ ...line, kind: 'B', words: {} })
      this.last = { number: line.number, words }
    }
    this.send({ ...line, kind: 'R', words: this.last.words })
  }

  private send(line: Parameters<typeof emitLine>[0]): void {
    const text = emitLine(line)
    queueMicrotask(() => {
      if (!this.loses('out', this.counts.out++)) this.take(text)
    })
  }
}

async function met(guest = new Guest(), patience = { againMillis: 5, silenceMillis: 200 }) {
  const agent = new Agent(guest.wire, patience)
  guest.hello()
  await agent.greet(1000)
  return { agent, guest }
}

describe('an agent', () => {
  it('is met by its hello, through noise', async () => {
    const guest = new Guest()
    const agent = new Agent(guest.wire)
    guest.noise('SeaBIOS (version 1.16)\r\nBooting from Hard Disk...\r\n\x00\xff')
    guest.hello()
    expect(await agent.greet(1000)).toEqual({ system: 'windows', version: '5.1.2600' })
    expect(agent.damaged).toBe(3)
  })

  it('that never says hello is reported with the time it had', async () => {
    await expect(new Agent(new Guest().wire).greet(20)).rejects.toThrow(/no agent said hello within 0 s/)
  })

  it('of another version is refused', async () => {
    const guest = new Guest()
    const agent = new Agent(guest.wire)
    guest.noise('FG2 H 00c0ffee 0 anything new *f1638af3\r\n')
    await expect(agent.greet(1000)).rejects.toThrow("the guest's agent speaks version 2, this lab version 1")
  })

  it('does each thing once though every second line is lost', async () => {
    const { agent, guest } = await met()
    guest.loses = (_, count) => count % 2 === 0
    for (const verb of ['dial', 'ping', 'hangup']) expect(await agent.ask(verb)).toEqual({ ok: '1', verb })
    expect(guest.done).toEqual(['dial', 'ping', 'hangup'])
  })

  it('says why it cannot', async () => {
    const { agent, guest } = await met()
    guest.answer = () => ({ no: '1', why: 'RasSetCredentials: error 5' })
    const refusal = agent.ask('configure')
    await expect(refusal).rejects.toThrow(AgentRefused)
    await expect(refusal).rejects.toThrow("the guest's agent cannot configure: RasSetCredentials: error 5")
  })

  it('that is busy is waited for, and one that falls silent is not', async () => {
    const { agent, guest } = await met()
    guest.answer = () => undefined
    await expect(agent.ask('dial', {}, 400)).rejects.toThrow('dial took longer than 0 s')
    guest.loses = () => true
    await expect(agent.ask('ping', {}, 10_000)).rejects.toThrow('the guest fell silent during ping')
  })

  it('that restarts during a request fails it, and serves the next one', async () => {
    const { agent, guest } = await met()
    guest.answer = () => undefined
    const dial = agent.ask('dial')
    const failed = expect(dial).rejects.toThrow(AgentLost)
    guest.restart()
    await failed
    guest.answer = () => ({ ok: '1' })
    expect(await agent.ask('status')).toEqual({ ok: '1' })
    expect(guest.done).toEqual(['dial', 'status'])
  })

  it('hands out what it collected piece by piece', async () => {
    const { agent, guest } = await met()
    const text = `Oakley\r\n${'sending message, '.repeat(50)}`
    guest.answer = ({ verb, offset }) =>
      verb === 'read'
        ? { size: String(text.length), data: text.slice(Number(offset), Number(offset) + 100) }
        : { ok: '1' }
    expect(await agent.collect('ike')).toBe(text)
    expect(guest.done).toEqual(['collect', ...Array.from({ length: Math.ceil(text.length / 100) }, () => 'read')])
  })
})
