import { describe, expect, it } from 'vitest'
import { Descriptors, native, thrownBy } from './support.ts'

/** A device of our own, or why there is none. */
function own(fds: Descriptors): string | Error {
  try {
    const tun = native.tunOpen('fgf%d', 1)
    for (const fd of tun.fds) fds.keep(fd)
    return tun.name
  } catch (e) {
    return e as Error
  }
}

const fds = new Descriptors()
const device = own(fds)
if (device instanceof Error) {
  console.log(`devices' features are not turned: ${device.message} (root and /dev/net/tun are needed)`)
}

describe('features of devices', () => {
  it('are known by the names that ethtool shows', () => {
    expect(native.deviceFeature('lo', 'rx-gro')).toBe(true)
    expect(native.deviceFeature('lo', 'no such feature')).toBeUndefined()
    expect(native.setDeviceFeature('lo', 'no such feature', true)).toBe(false)
  })

  it('cannot be asked of a device that is not there', () => {
    expect(thrownBy(() => native.deviceFeature('nosuchdevice0', 'rx-gro')).code).toBe('ENODEV')
    expect(thrownBy(() => native.deviceFeature('a name that is too long', 'rx-gro')).code).toBe('ENODEV')
    expect(thrownBy(() => native.setDeviceFeature('nosuchdevice0', 'rx-gro', true)).code).toBe('ENODEV')
  })

  it.skipIf(device instanceof Error)('are turned on and off one by one, where the device lets them', () => {
    const name = device as string
    try {
      expect(native.deviceFeature(name, 'rx-udp-gro-forwarding')).toBe(false)
      expect(native.setDeviceFeature(name, 'rx-udp-gro-forwarding', true)).toBe(true)
      expect(native.deviceFeature(name, 'rx-udp-gro-forwarding')).toBe(true)
      expect(native.deviceFeature(name, 'rx-gro')).toBe(true)
      expect(native.setDeviceFeature(name, 'rx-udp-gro-forwarding', false)).toBe(true)
      expect(native.deviceFeature(name, 'rx-udp-gro-forwarding')).toBe(false)
      // A TUN device has no VLANs to filter, and says no.
      expect(native.setDeviceFeature(name, 'rx-vlan-filter', true)).toBe(false)
    } finally {
      fds.closeAll()
    }
  })
})
