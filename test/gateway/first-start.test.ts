import { describe, expect, it } from 'vitest'
import { clientInstructions, makeFirstSecrets, randomText } from '../../src/gateway/first-start.ts'
import { SecretStore } from '../../src/gateway/secret-store.ts'
import { Secret } from '../../src/packet/bytes.ts'
import { seededDice } from '../support/dice.ts'
import { temporaryDirectory } from './fakes.ts'

const store = () => new SecretStore(temporaryDirectory())
const text = (s: Secret | undefined) => s && Buffer.from(s.reveal()).toString('utf8')

describe('random text', () => {
  it('is letters and digits that cannot be taken for each other', () => {
    const all = randomText(20_000, seededDice('alphabet'))
    expect(all.length).toBe(20_000)
    expect(all).toMatch(/^[A-Za-z0-9]+$/)
    expect(all).not.toMatch(/[lIO01]/)
  })

  it('has every character as often as any other', () => {
    // Every byte once: those that would favour the first characters must be thrown away.
    const everyByte = (length: number) => Uint8Array.from({ length }, (_, i) => i % 256)
    const counts = new Map<string, number>()
    const usable = 256 - (256 % new Set(randomText(5000, seededDice('count'))).size)
    for (const c of randomText(usable, () => everyByte(256))) counts.set(c, (counts.get(c) ?? 0) + 1)
    expect(new Set(counts.values()).size).toBe(1)
  })

  it('asks for more bytes where it threw some away', () => {
    const bytes = [new Uint8Array(4).fill(255), Uint8Array.of(0, 255, 1, 2), Uint8Array.of(3, 4, 5, 6)]
    let asked = 0
    const drawn = randomText(4, () => bytes[asked++]!)
    expect(drawn.length).toBe(4)
    expect(asked).toBe(3)
  })
})

describe('the instructions', () => {
  const secrets = { key: 'K', user: { name: 'dialin1', password: 'P' } }

  it('leave the client as it comes where MS-CHAPv2 is taken', () => {
    const shown = clientInstructions('203.0.113.1', secrets)
    expect(shown).toContain('-AuthenticationMethod MSChapv2 -Force')
    expect(shown).not.toMatch(/\(CHAP\)|-AuthenticationMethod Chap\b|-EncryptionLevel|ptional/)
  })

  it('have CHAP ticked where the script asks for it', () => {
    const shown = clientInstructions('203.0.113.1', secrets, true)
    expect(shown).toContain('tick "Challenge Handshake Authentication Protocol (CHAP)"')
    expect(shown).toContain('-AuthenticationMethod Chap -EncryptionLevel Optional -Force')
    expect(Math.max(...shown.split('\n').map(line => line.length))).toBeLessThan(130)
  })
})

describe('the first start', () => {
  it('makes a key and a user, stores them, and tells them', () => {
    const s = store()
    const made = makeFirstSecrets(s, 1, false, seededDice('first'))!
    expect(made.key).toMatch(/^[A-Za-z0-9]{20}$/)
    expect(made.user!.password).toMatch(/^[A-Za-z0-9]{12}$/)
    expect(text(s.key(1))).toBe(made.key)
    expect(s.allUsers().map(u => [u.name, text(u.password)])).toEqual([[made.user!.name, made.user!.password]])
    const shown = clientInstructions('203.0.113.1', made)
    for (const word of ['203.0.113.1', made.key, made.user!.name, made.user!.password]) expect(shown).toContain(word)
  })

  it('happens once', () => {
    const s = store()
    makeFirstSecrets(s, 1, false, seededDice('first'))
    expect(makeFirstSecrets(s, 1, false, seededDice('second'))).toBeUndefined()
  })

  it('makes nothing where a key and a user of the script exist', () => {
    const s = store()
    s.setKey(1, 'general', Secret.fromText('mine'))
    expect(makeFirstSecrets(s, 1, true, seededDice('x'))).toBeUndefined()
    expect(s.allUsers()).toEqual([])
    expect(text(s.key(1))).toBe('mine')
  })

  it('makes a key alone where the script has users, and invents none that could not connect', () => {
    const s = store()
    const made = makeFirstSecrets(s, 1, true, seededDice('x'))!
    expect(made.user).toBeUndefined()
    expect(s.allUsers()).toEqual([])
    const shown = clientInstructions('203.0.113.1', made)
    expect(shown).toContain(made.key)
    expect(shown).not.toContain('undefined')
    expect(shown).not.toContain('dialin1')
  })

  it('keeps a key that is there and makes the user that is missing', () => {
    const s = store()
    s.setKey(3, 'general', Secret.fromText('mine'))
    const made = makeFirstSecrets(s, 3, false, seededDice('x'))!
    expect(made.key).toBe('mine')
    expect(s.allUsers().length).toBe(1)
  })
})
