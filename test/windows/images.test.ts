/** Which images a run is given, and what each gets: its machine, its phonebook, its disk, its scenarios. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { identify } from '../interop/windows-client.ts'
import { makeDisk } from '../interop/windows-disk.ts'
import { explainRasError } from '../interop/windows-errors.ts'
import { BadImage, readImages } from '../interop/windows-images.ts'
import { qemuArguments } from '../interop/windows-machine.ts'
import { phonebook, settingsFile } from '../interop/windows-phonebook.ts'
import { compileForWindows, windowsScripts } from '../interop/windows-program.ts'
import { imageScenarios } from '../interop/windows-scenarios.ts'
import { type VersionName, versionNames, versions } from '../interop/windows-versions.ts'
import { must, which } from '../support/command.ts'

const folder = mkdtempSync(join(tmpdir(), 'floatgate-images-'))
const file = (name: string, text = '') => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
let xp: string
beforeAll(() => {
  xp = file('xp.qcow2')
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('an image', () => {
  it('is named, found, and known by its version', () => {
    const [image] = readImages([`win-xp=${xp}`])
    expect(image).toMatchObject({
      name: 'win-xp',
      path: xp,
      way: 'phonebook',
      login: 'psk',
      medium: 'floppy',
      rekey: 'bytes',
    })
    const [other] = readImages([`office=${xp},version=11,cpus=2,rekey=3700,qemu=-bios /x.fd`])
    expect(other).toMatchObject({
      way: 'powershell',
      medium: 'disk',
      processors: 2,
      rekey: 3700,
      qemu: ['-bios', '/x.fd'],
    })
  })

  it('may come from a list', () => {
    const list = file(
      'list.json',
      JSON.stringify({ 'win-7': { path: xp, boot: 900 }, old: { path: xp, version: '2000' } }),
    )
    const images = readImages([list])
    expect(images.map(i => [i.name, i.version.name, i.login, i.bootSeconds])).toEqual([
      ['win-7', '7', 'psk', 900],
      ['old', '2000', 'prepared', 600],
    ])
  })

  it.each([
    ['win-xp', /"win-xp" is not NAME=PATH/],
    ['win-xp=/nowhere/xp.qcow2', /win-xp: there is no image \/nowhere\/xp.qcow2/],
    ['/nowhere/list.json', /there is no file \/nowhere\/list.json/],
    ['thing=XP', /thing: its version is not told: 2000, xp/],
    ['thing=XP,version=95', /there is no version 95/],
    ['win-xp=XP,colour=blue', /win-xp: it has no "colour"/],
    ['win-xp=XP,memory=lots', /memory has to be a positive number/],
    ['win-xp=XP,medium=tape', /medium cannot be tape/],
    ['win-xp=XP,way=powershell', /Windows xp has no Add-VpnConnection/],
    ['win-2000=XP,login=psk', /Windows 2000 has no place for a key/],
    ['Win XP=XP', /small letters/],
  ])('%s is refused', (text, why) => {
    const refused = () => readImages([text.replace(/=XP/, `=${xp}`)])
    expect(refused).toThrow(BadImage)
    expect(refused).toThrow(why)
  })

  it('has a name of its own', () => {
    expect(() => readImages([`xp=${xp}`, `xp=${xp}`])).toThrow('two images are called xp')
    expect(() => readImages([file('bad.json', '[1]')])).toThrow('has to be an object')
    expect(() => readImages([file('worse.json', '{')])).toThrow(/worse.json: /)
  })

  it('has the scenarios of the Linux guests, by its name', () => {
    const names = (text: string) => imageScenarios(readImages([text])).map(scenario => scenario.name)
    expect(names(`win-xp=${xp}`)).toEqual(
      ['visit', 'wrong-password', 'wrong-key', 'rekey', 'power-cut', 'nat-in-front', 'bare'].map(n => `win-xp-${n}`),
    )
    // There is no key to be wrong.
    expect(names(`win-xp=${xp},login=certificate`)).not.toContain('win-xp-wrong-key')
    const scenarios = imageScenarios(readImages([`win-xp=${xp},login=certificate`]))
    expect(scenarios.every(s => s.variant?.script?.includes('authtype=rsasig'))).toBe(true)
    expect(scenarios.filter(s => s.variant?.behindNat).map(s => s.name)).toEqual(['win-xp-nat-in-front'])
    expect(scenarios[0]?.groups).toEqual(['win-xp', 'windows'])
  })
})

describe('a version', () => {
  it.each([
    ['5.0.2195', '2000'],
    ['5.1.2600', 'xp'],
    ['5.2.3790', 'xp'],
    ['6.0.6002', 'vista'],
    ['6.1.7601', '7'],
    ['6.3.9600', '8'],
    ['10.0.19045', '10'],
    ['10.0.22631', '11'],
    ['10.0.26100', '11'],
  ] as const)('%s is %s and no other', (number, name) => {
    expect(versionNames.filter(other => versions[other].is(number))).toEqual([name])
  })
})

it('an image that holds another Windows than it was said to is found out by its hello', () => {
  const [image] = readImages([`win-xp=${xp}`])
  expect(identify(image!, { system: 'windows', version: '5.1.2600', pack: '3' })).toBe('windows 5.1.2600 SP3')
  const wrong = () => identify(image!, { system: 'windows', version: '6.1.7601', pack: '1' })
  expect(wrong).toThrow(`${xp} is not Windows xp: it says version 6.1.7601`)
  expect(() => identify(image!, {})).toThrow('is not Windows xp')
})

describe('the phonebook', () => {
  const keys = (name: VersionName, usesKey = true) => {
    const text = phonebook('203.0.113.1', usesKey, { version: versions[name] })
    return new Map(text.split('\r\n').map(line => [line.split('=')[0]!, line.split('=')[1]]))
  }

  it('dials L2TP only, with the key, CHAP or MS-CHAPv2, and no encryption in PPP', () => {
    const xpKeys = keys('xp')
    expect(xpKeys.has('[Floatgate]')).toBe(true)
    const expected = {
      VpnStrategy: '3',
      IpSecFlags: '1',
      DataEncryption: '8',
      PhoneNumber: '203.0.113.1',
      DEVICE: 'vpn',
    }
    for (const [key, value] of Object.entries(expected)) expect([key, xpKeys.get(key)]).toEqual([key, value])
    // 0x20 is CHAP, 0x200 MS-CHAPv2, and old versions want 0x100 for "as set here".
    expect(xpKeys.get('AuthRestrictions')).toBe(String(0x320))
    expect(keys('7').get('AuthRestrictions')).toBe(String(0x220))
    expect(keys('2000', false).get('IpSecFlags')).toBe('0')
  })

  it('keeps the key out: it is in the settings, which the agent hands to Windows', () => {
    const [image] = readImages([`win-xp=${xp}`])
    expect(settingsFile('203.0.113.1', 'office secret 1', image!)).toBe(
      'entry=Floatgate\r\nserver=203.0.113.1\r\nhow=phonebook\r\nlogin=psk\r\npsk=office secret 1\r\np12password=\r\n',
    )
    const [prepared] = readImages([`win-2000=${xp}`])
    expect(settingsFile('203.0.113.1', 'office secret 1', prepared!)).toContain('psk=\r\n')
    expect(() => settingsFile('a\nb', 'x', image!)).toThrow('more than one line')
  })
})

describe("QEMU's arguments", () => {
  const card = { segment: 'nat', tap: 'w2nat', mac: '52:54:00:fa:57:02' } as const
  const text = (image: string) =>
    qemuArguments(readImages([image])[0]!, card, '/run/disk.img', '/run/com1', 'tcg').join(' ')

  it('leave the image as it is, and give each version what it has drivers for', () => {
    const old = text(`win-xp=${xp}`)
    expect(old).toContain('-snapshot')
    expect(old).toContain(`file=${xp},if=ide,index=0`)
    expect(old).toContain('file=/run/disk.img,format=raw,if=floppy')
    expect(old).toContain('-device rtl8139,netdev=net0,mac=52:54:00:fa:57:02')
    expect(old).toContain('-machine pc,accel=tcg -cpu qemu64')
    const recent = text(`win-11=${xp},qemu=-bios /x.fd`)
    expect(recent).toContain('file=/run/disk.img,format=raw,if=ide,index=1')
    expect(recent).toContain('-machine q35,accel=tcg -cpu max')
    expect(recent.endsWith('-bios /x.fd')).toBe(true)
  })
})

it('errors of RAS are put in words', () => {
  expect(explainRasError(691)).toBe('RAS 691: user name or password is wrong')
  expect(explainRasError(809)).toContain('UDP 500 and 4500')
  expect(explainRasError(4711)).toMatch(/^RAS 4711: /)
})

describe("the lab's scripts", () => {
  it('are there for every version', () => {
    const scripts = windowsScripts()
    expect(Object.keys(scripts).sort()).toEqual(['FGSTART.CMD', 'NAT5.REG', 'PREPARE.CMD', 'PREPARE5.REG', 'START.CMD'])
    expect(scripts['START.CMD']).toContain('agent.exe')
  })

  it('call no file that is not there', () => {
    const scripts = windowsScripts()
    const called = Object.values(scripts).flatMap(text =>
      [...text.matchAll(/%~d0\\([\w.]+)/g)].map(m => m[1]!.toUpperCase()),
    )
    expect(called.filter(name => name !== 'AGENT.EXE' && !(name in scripts))).toEqual([])
    // A script of this name would run where another calls FIND.
    expect(scripts).not.toHaveProperty('FIND.CMD')
  })
})

const crossCompiler = (await which('i686-w64-mingw32-gcc')) !== undefined
if (!crossCompiler) process.stderr.write('the agent for Windows is not compiled: i686-w64-mingw32-gcc is missing\n')

describe.skipIf(!crossCompiler)('the agent for Windows', () => {
  it('is a program for Windows 2000 and later, and needs nothing that only later ones have', async () => {
    const program = join(folder, 'agent.exe')
    expect((await compileForWindows(program)).length).toBeLessThan(200_000)
    const told = await must(['i686-w64-mingw32-objdump', '-p', program])
    expect(told).toMatch(/file format pei-i386/)
    expect(told).toMatch(/MajorSubsystemVersion\s+5\n/)
    expect(told).toMatch(/MinorSubsystemVersion\s+0\n/)
    const libraries = [...told.matchAll(/DLL Name: (\S+)/g)].map(m => m[1]!.toLowerCase())
    expect(libraries.sort()).toEqual(['crypt32.dll', 'kernel32.dll', 'msvcrt.dll', 'ws2_32.dll'])
    // What a version may lack is asked for at run time.
    for (const name of ['GetTickCount64', 'PFXImportCertStore', 'RasSetCredentialsA', 'IcmpSendEcho', 'getaddrinfo']) {
      expect(told).not.toContain(name)
    }
  })
})

const tools = (await Promise.all(['mkfs.vfat', 'mcopy', 'sfdisk'].map(which))).every(found => found !== undefined)
if (!tools)
  process.stderr.write('the disk of the Windows guests is not tested: mkfs.vfat, mcopy or sfdisk is missing\n')

describe.skipIf(!tools)('the disk', () => {
  it.each([
    ['floppy', '', 1440],
    ['disk', '@@1048576', 16_384],
  ] as const)('is a %s with the files, in the line ends of Windows', async (medium, at, kilobytes) => {
    const path = join(folder, `${medium}.img`)
    const binary = Uint8Array.from([13, 10, 10, 0, 255])
    await makeDisk(path, medium, { 'START.CMD': 'echo\nexit\r\n', 'AGENT.EXE': binary })
    expect(readFileSync(path).length).toBe(kilobytes * 1024)
    expect(await must(['mtype', '-i', `${path}${at}`, '::START.CMD'])).toBe('echo\r\nexit\r\n')
    await must(['mcopy', '-i', `${path}${at}`, '::AGENT.EXE', `${path}.out`])
    expect(new Uint8Array(readFileSync(`${path}.out`))).toEqual(binary)
    if (medium === 'disk') expect(await must(['sfdisk', '-d', path])).toMatch(/start=\s*2048,.*type=e/)
  })

  it('takes names of 8.3 only', async () => {
    const made = makeDisk(join(folder, 'odd.img'), 'floppy', { 'long name.txt': '' })
    await expect(made).rejects.toThrow('no name for a FAT disk')
  })
})
