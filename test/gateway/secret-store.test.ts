import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { SecretStore } from '../../src/gateway/secret-store.ts'
import { Secret, toHex } from '../../src/packet/bytes.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { temporaryDirectory } from './fakes.ts'

const mode = (path: string) => statSync(path).mode & 0o777
const text = (s: Secret | undefined) => s && Buffer.from(s.reveal()).toString('utf8')

describe('the secret store', () => {
  it('makes its directory for nobody else, and no file before there is a secret', () => {
    const directory = join(temporaryDirectory(), 'deep', 'state')
    const store = new SecretStore(directory)
    expect(mode(directory)).toBe(0o700)
    expect(existsSync(store.path)).toBe(false)
    expect(store.warnings).toEqual([])
  })

  it('keeps keys of any bytes and users across restarts', () => {
    const directory = temporaryDirectory()
    const store = new SecretStore(directory)
    const key = new Secret(Uint8Array.of(0, 255, 128, 10))
    store.setKey(1, 'general', key)
    store.setUser({ name: 'Anna', password: Secret.fromText('gehe⟨im⟩ "q"'), ipAddress: ipv4('192.168.8.50') })
    store.setUser({ name: 'ben', password: Secret.fromText('x'), ipAddress: undefined })

    const again = new SecretStore(directory)
    expect(toHex(again.key(1)!.reveal())).toBe('00ff800a')
    expect(again.key(2)).toBeUndefined()
    expect(again.keyIds()).toMatchObject([{ id: 1, type: 'general', length: 4, description: '' }])
    expect(again.allUsers().map(u => [u.name, text(u.password), u.ipAddress])).toEqual([
      ['Anna', 'gehe⟨im⟩ "q"', ipv4('192.168.8.50')],
      ['ben', 'x', undefined],
    ])
  })

  it('keeps all that a user is', () => {
    const store = new SecretStore(temporaryDirectory())
    const boss = {
      name: 'boss',
      password: Secret.fromText('seven-seals'),
      privilege: 'securityofficer' as const,
      login: true,
      telnet: true,
      description: 'Security Officer Account',
      ipAddress: ipv4('192.168.8.51'),
      netmask: ipv4('255.255.255.0'),
      mtu: 1400,
      disabled: true as const,
    }
    store.setUser(boss)
    const [again] = new SecretStore(join(store.path, '..')).allUsers()
    expect({ ...again, password: text(again!.password) }).toEqual({ ...boss, password: 'seven-seals' })
  })

  it('takes user names for the same whatever their case', () => {
    const store = new SecretStore(temporaryDirectory())
    store.setUser({ name: 'Anna', password: Secret.fromText('old'), ipAddress: undefined })
    store.setUser({ name: 'anna', password: Secret.fromText('new'), ipAddress: undefined })
    expect(store.allUsers().map(u => text(u.password))).toEqual(['new'])
    expect(store.removeUser('ANNA')).toBe(true)
    expect(store.removeUser('anna')).toBe(false)
    expect(new SecretStore(join(store.path, '..')).allUsers()).toEqual([])
  })

  it('forgets a key for good', () => {
    const directory = temporaryDirectory()
    const store = new SecretStore(directory)
    store.setKey(7, 'general', Secret.fromText('to be destroyed'))
    expect(store.removeKey(7)).toBe(true)
    expect(store.removeKey(7)).toBe(false)
    expect(new SecretStore(directory).key(7)).toBeUndefined()
    expect(readFileSync(store.path, 'utf8')).not.toContain(Buffer.from('to be destroyed').toString('base64'))
  })

  it('lets nobody else read, under any umask, and over a wide leftover', () => {
    const directory = temporaryDirectory()
    const store = new SecretStore(directory)
    writeFileSync(`${store.path}.new`, 'left by a crash', { mode: 0o666 })
    chmodSync(`${store.path}.new`, 0o666)
    const mask = process.umask(0)
    try {
      store.setKey(1, 'general', Secret.fromText('k'))
    } finally {
      process.umask(mask)
    }
    expect(mode(store.path)).toBe(0o600)
    expect(existsSync(`${store.path}.new`)).toBe(false)
  })

  it('replaces the file as a whole: whoever has the old one open sees it unchanged', () => {
    const store = new SecretStore(temporaryDirectory())
    store.setKey(1, 'general', Secret.fromText('first'))
    const before = statSync(store.path).ino
    store.setKey(1, 'general', Secret.fromText('second'))
    expect(statSync(store.path).ino).not.toBe(before)
  })

  it('leaves the old file whole where the new one cannot be written', () => {
    const directory = temporaryDirectory()
    const store = new SecretStore(directory)
    store.setKey(1, 'general', Secret.fromText('first'))
    const whole = readFileSync(store.path, 'utf8')
    // Something that cannot be replaced stands in the new file's place.
    mkdirSync(`${store.path}.new`)
    expect(() => store.setKey(1, 'general', Secret.fromText('second'))).toThrow()
    expect(readFileSync(store.path, 'utf8')).toBe(whole)
  })

  it('narrows a mode that was widened, and tells', () => {
    const directory = temporaryDirectory()
    const first = new SecretStore(directory)
    first.setKey(1, 'general', Secret.fromText('k'))
    chmodSync(first.path, 0o644)
    const store = new SecretStore(directory)
    expect(mode(store.path)).toBe(0o600)
    expect(store.warnings).toEqual([`${store.path} could be read by others: its mode is 0600 again`])
    expect(text(store.key(1))).toBe('k')
    expect(new SecretStore(directory).warnings).toEqual([])
  })

  it('throws over a file that it cannot read, rather than to begin anew', () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'secrets.json'), '{"keys": {', { mode: 0o600 })
    expect(() => new SecretStore(directory)).toThrow()
  })

  it('quotes nothing of a damaged file', () => {
    const directory = temporaryDirectory()
    for (const damaged of ['{"users": [{"name": "a", "password": hunter2}]}', 'null', '"hunter2"']) {
      writeFileSync(join(directory, 'secrets.json'), damaged, { mode: 0o600 })
      expect(() => new SecretStore(directory)).toThrow(/secrets\.json is damaged/)
      expect(() => new SecretStore(directory)).not.toThrow(/hunter2/)
    }
  })

  it('shows nothing when it is printed', () => {
    const store = new SecretStore(temporaryDirectory())
    store.setKey(1, 'general', Secret.fromText('hush-hush'))
    store.setUser({ name: 'anna', password: Secret.fromText('hush-hush'), ipAddress: undefined })
    expect(inspect(store, { depth: 9 })).not.toContain('hush')
    expect(JSON.stringify(store.allUsers())).not.toContain('hush')
  })
})
