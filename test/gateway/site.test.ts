import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EMPTY_SITE, parseSite, readSite } from '../../src/gateway/site.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { temporaryDirectory } from './fakes.ts'

const faults = (value: unknown) => parseSite(JSON.stringify(value)).faults

describe('a site file', () => {
  it('gives devices, values, the public address and the number of workers', () => {
    const { site, faults } = parseSite(
      JSON.stringify({
        interfaces: { ETH0: 'ens3', vlan1: 'br-lan', 'eth1-0': 'ens4' },
        values: { 'office private LAN address': '192.168.8.1' },
        hostFirewall: false,
        lanOffloads: false,
        publicAddress: '203.0.113.1',
        forceEncapsulation: true,
        dnsSuffix: 'office.example',
        routes: ['192.168.8.0/24', '10.0.0.0/8'],
        workers: 2,
      }),
    )
    expect(faults).toEqual([])
    expect(site).toEqual({
      interfaces: { eth0: 'ens3', vlan1: 'br-lan', 'eth1-0': 'ens4' },
      values: { 'office private LAN address': '192.168.8.1' },
      hostFirewall: false,
      lanOffloads: false,
      publicAddress: ipv4('203.0.113.1'),
      forceEncapsulation: true,
      dnsSuffix: 'office.example',
      routes: [
        { network: ipv4('192.168.8.0'), length: 24 },
        { network: ipv4('10.0.0.0'), length: 8 },
      ],
      workers: 2,
    })
  })

  it('may be empty', () => {
    expect(parseSite('{}')).toEqual({ site: EMPTY_SITE, faults: [] })
  })

  it('says which key it does not know, and which it does', () => {
    expect(faults({ interface: {} })).toEqual([
      'the file: unknown key "interface" (known: interfaces, values, hostFirewall, lanOffloads, publicAddress, forceEncapsulation, dnsSuffix, routes, workers, sshPort, sshAddresses)',
    ])
  })

  it.each(['192.168.8.1/24', '192.168.8.0', '192.168.8.0/33', '300.0.0.0/8', '0.0.0.0/x', '/8'])(
    'says that %s is no network',
    route => {
      expect(faults({ routes: ['10.0.0.0/8', route] })).toEqual([
        'routes.1: expected a network such as 192.168.8.0/24, without bits behind its prefix',
      ])
    },
  )

  it('takes the default route and a host for networks', () => {
    expect(faults({ routes: ['0.0.0.0/0', '192.0.2.7/32', '128.0.0.0/1'] })).toEqual([])
    expect(faults({ routes: Array.from({ length: 29 }, (_, i) => `10.${i}.0.0/16`) })).toHaveLength(1)
  })

  it.each(['', '.', 'a..b', 'a b', `${'a'.repeat(254)}`])('takes no DNS suffix such as "%s"', dnsSuffix => {
    expect(faults({ dnsSuffix })).not.toEqual([])
  })

  it('says where an address is none', () => {
    expect(faults({ publicAddress: '203.0.113.256' })).toEqual(['publicAddress: expected an IPv4 address'])
    expect(faults({ publicAddress: 7 })).toEqual(['publicAddress: must be string'])
  })

  it('refuses devices that cannot be, and names no interface has', () => {
    expect(faults({ interfaces: { eth0: '../etc' } })).toEqual([
      'interfaces.eth0: expected the name of a Linux device, such as eth0',
    ])
    expect(faults({ interfaces: { eth0: 'a-name-beyond-15-bytes' } }).length).toBe(1)
    expect(faults({ interfaces: { 'no number': 'ens3' } }).length).toBeGreaterThan(0)
    expect(faults({ interfaces: ['ens3'] })).toEqual(['interfaces: must be object'])
  })

  it.each([0, 65, 1.5, '2'])('refuses %j workers', workers => {
    expect(faults({ workers }).length).toBe(1)
  })

  it('tells every fault at once', () => {
    expect(faults({ publicAddress: 'x', workers: 0, values: { a: 1 }, more: true }).length).toBe(4)
  })

  it.each(['', '{', '[]', '"text"', 'null'])('that is %j has a fault and is no site', text => {
    const result = parseSite(text)
    expect(result.faults.length).toBe(1)
    expect(result.site).toEqual(EMPTY_SITE)
  })

  it('takes no property of its ancestors for a setting', () => {
    const { site } = parseSite('{"interfaces": {"eth0": "ens3"}}')
    expect(site.publicAddress).toBeUndefined()
    expect(parseSite('{"__proto__": {"workers": 3}}').faults.length).toBe(1)
  })
})

describe('reading it', () => {
  it('needs no file where nobody named one', () => {
    const path = join(temporaryDirectory(), 'site.json')
    expect(readSite(path, false)).toEqual({ site: EMPTY_SITE, faults: [] })
    expect(readSite(path, true).faults).toEqual(['cannot be read: there is no such file'])
    writeFileSync(path, '{"workers": 3}')
    expect(readSite(path, true).site.workers).toBe(3)
  })

  it('says what stands in the way', () => {
    const path = join(temporaryDirectory(), 'site.json')
    mkdirSync(path)
    expect(readSite(path, false).faults).toEqual(['cannot be read: it is a directory'])
  })
})
