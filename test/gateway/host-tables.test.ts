import { describe, expect, it } from 'vitest'
import { parseNeighbours, parseRoutes } from '../../src/gateway/host-tables.ts'
import { ipv4 } from '../../src/packet/ip.ts'

describe("the kernel's tables", () => {
  it('reads routes that are up', () => {
    const text = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\tFE7100CB\t0003\t0\t0\t0\t00000000\t0\t0\t0
fg0\t6408A8C0\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0
lan0\t0008A8C0\t00000000\t0000\t0\t0\t0\t00FFFFFF\t0\t0\t0
`
    expect(parseRoutes(text)).toEqual([
      { network: 0, mask: 0, nextHop: ipv4('203.0.113.254'), device: 'eth0' },
      { network: ipv4('192.168.8.100'), mask: 0xffffffff, nextHop: 0, device: 'fg0' },
    ])
    expect(parseRoutes('')).toEqual([])
    expect(parseRoutes('Iface\nnothing of the kind\n')).toEqual([])
  })

  it('reads neighbours that have answered', () => {
    const text = `IP address       HW type     Flags       HW address            Mask     Device
192.168.8.10     0x1         0x2         02:00:00:00:00:01     *        lan0
192.168.8.11     0x1         0x0         00:00:00:00:00:00     *        lan0
`
    expect(parseNeighbours(text)).toEqual([
      { address: ipv4('192.168.8.10'), hardware: '02:00:00:00:00:01', device: 'lan0' },
    ])
  })
})
