/**
 * `device-feature DEVICE FEATURE [on|off]`, a program for a namespace: prints whether a device has what ethtool calls so, which
 * is `undefined` where the kernel knows none of that name; or turns it on or off, and prints whether it is so now.
 */

import { loadNative } from '../../src/gateway/native.ts'

const [device = '', feature = '', to] = process.argv.slice(2)
const native = loadNative()
const answer =
  to === undefined ? native.deviceFeature(device, feature) : native.setDeviceFeature(device, feature, to === 'on')
process.stdout.write(`${answer}\n`)
