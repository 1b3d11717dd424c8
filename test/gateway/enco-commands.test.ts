/** Keys that the gateway makes, reads from flash, and what is said of them. */

import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SecretStore } from '../../src/gateway/secret-store.ts'
import { temporaryDirectory } from './fakes.ts'
import { flashWorld } from './operators.ts'

const text = (w: { world: { secrets: SecretStore } }, id: number) =>
  Buffer.from(w.world.secrets.key(id)!.reveal()).toString('latin1')

describe('CREATE ENCO KEY RANDOM', () => {
  it('makes a pre-shared key that clients can type, and tells it this once', async () => {
    const w = await flashWorld()
    const made = await w.done('create enco key=7 type=general random description="of the road warriors"')
    const value = /^Value: (\w{20})$/m.exec(made.text)?.[1]
    expect(value).toBe(text(w, 7))
    expect(made.data).toEqual({ id: 7, value })
    expect((await w.done('create enco key=8 type=general random length=8')).text).toMatch(/^Value: \w{8}$/m)
    const shown = await w.done('show enco key')
    expect(shown.data).toContainEqual({
      id: 7,
      type: 'general',
      length: 20,
      description: 'of the road warriors',
      module: '',
      ipAddress: '',
    })
    for (const later of [shown.text, JSON.stringify(shown.data), w.lines.join('\n')]) expect(later).not.toContain(value)
  })

  it('makes as many bytes as the cipher wants', async () => {
    const w = await flashWorld()
    for (const [type, bytes] of [
      ['des', 8],
      ['3des2key', 16],
      ['3desouter', 24],
      ['aes192', 24],
      ['aes256', 32],
    ] as const) {
      await w.done(`create enco key=9 type=${type} random`)
      expect(w.world.secrets.key(9)!.reveal().length).toBe(bytes)
    }
  })

  it.each([
    ['create enco key=7 type=general random length=4', /8 to 64/],
    ['create enco key=7 type=general random value=x', /VALUE goes with neither/],
    ['create enco key=7 type=general random file=a.key', /exclude each other/],
    ['create enco key=7 type=general', /VALUE is missing/],
  ])('"%s" is refused', async (command, why) => {
    const w = await flashWorld()
    const answer = await w.type(command)
    expect(answer.exit).toBe(1)
    expect(answer.text).toMatch(why)
    expect(w.world.secrets.key(7)).toBeUndefined()
  })
})

describe('what is said of a key', () => {
  it('is shown, kept on disk, and taken back by an empty text', async () => {
    const w = await flashWorld()
    await w.done('create enco key=7 type=general value=secret')
    await w.done('set enco key=7 description="Vienna" module=isakmp ipaddress=192.0.2.7')
    const about = { id: 7, description: 'Vienna', module: 'isakmp', ipAddress: '192.0.2.7' }
    expect((await w.done('show enco key=7')).data).toMatchObject([about])
    expect((await w.done('show enco key')).text).toMatch(/^7 +GENERAL +6 bytes +Vienna +isakmp +192\.0\.2\.7$/m)
    const again = new SecretStore(join(w.world.secrets.path, '..'))
    expect(again.keyIds()).toContainEqual(expect.objectContaining(about))
    await w.done('set enco key=7 description="" module="" ipaddress=0.0.0.0')
    expect((await w.done('show enco key=7')).data).toMatchObject([{ description: '', module: '', ipAddress: '' }])
    expect(text(w, 7)).toBe('secret')
  })

  it('outlives a reload of the script that makes the key', async () => {
    const w = await flashWorld()
    w.flash.write('keys.cfg', 'create enco key=7 type=general value=secret\n')
    await w.done('reload config=keys.cfg')
    await w.done('set enco key=7 description=Vienna')
    await w.done('reload config=keys.cfg')
    expect((await w.done('show enco key=7')).data).toMatchObject([{ description: 'Vienna' }])
  })
})

describe('CREATE ENCO KEY FILE', () => {
  it('reads a pre-shared key, as text or as hexadecimal', async () => {
    const w = await flashWorld()
    w.flash.write('vpn.key', 'roam-free-2005\n')
    await w.done('create enco key=7 type=general file=VPN.key')
    expect(text(w, 7)).toBe('roam-free-2005')
    w.flash.write('hex.key', '6869\n')
    await w.done('create enco key=8 type=general file=hex.key format=hex')
    expect(text(w, 8)).toBe('hi')
  })

  it.each([
    ['create enco key=7 type=general file=none.key', /does not exist/],
    ['create enco key=7 type=general file=bad.key format=hex', /hexadecimal digits/],
    ['create enco key=7 type=general file=bad.key format=niq', /FORMAT=NIQ is not read/],
    ['create enco key=7 type=aes128 file=bad.key', /expected 16 bytes/],
    ['create enco key=7 type=rsa file=bad.key', /ssh-rsa/],
    ['create enco key=1 type=general file=bad.key', /both ENCO key 1 and file "bad.key" exist/],
    ['create enco key=1 type=general file=none.key', /is not written to a file/],
  ])('"%s" is refused', async (command, why) => {
    const w = await flashWorld()
    w.flash.write('bad.key', 'nothing of use')
    const before = text(w, 1)
    const answer = await w.type(command)
    expect(answer.exit).toBe(1)
    expect(answer.text).toMatch(why)
    expect(answer.text).not.toContain('nothing of use')
    expect(w.world.secrets.key(7)).toBeUndefined()
    expect(text(w, 1)).toBe(before)
  })

  it('writes the public half of an RSA key, and reads it again', async () => {
    const w = await flashWorld()
    await w.done('create enco key=2 type=rsa length=1024')
    await w.done('create enco key=2 type=rsa file=gate.key format=ssh')
    const { publicKey } = (await w.done('show enco key=2')).data as { publicKey: string }
    expect(w.flash.read('gate.key')).toBe(`${publicKey}\n`)
    await w.done('create enco key=3 type=rsa file=gate.key')
    expect((await w.done('show enco key=3')).data).toMatchObject({ publicKey, private: false })
  })

  const haveKeygen = spawnSync('which', ['ssh-keygen']).status === 0
  if (!haveKeygen) console.warn('reading of OpenSSH keys is not tested: no ssh-keygen (apt-get install openssh-client)')
  it.skipIf(!haveKeygen).each(['RFC4716', 'PEM'])(
    'reads a private RSA key of ssh-keygen in its form %s',
    async form => {
      const w = await flashWorld()
      const path = join(temporaryDirectory(), 'key')
      execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-m', form, '-N', '', '-C', '', '-f', path])
      w.flash.write('host.key', readFileSync(path, 'utf8'))
      await w.done('create enco key=2 type=rsa file=host.key description=host')
      expect((await w.done('show enco key=2')).data).toMatchObject({
        private: true,
        length: 2048,
        description: 'host',
        publicKey: readFileSync(`${path}.pub`, 'utf8').trim(),
      })
    },
  )
})
