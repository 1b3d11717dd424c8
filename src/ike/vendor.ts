/** Vendor IDs (RFC 2408 section 3.16): what they tell about a peer, in words; behaviour hangs on capabilities alone. */

import { equal, fromHex, startsWith } from '../packet/bytes.ts'
import { chooseNatFlavour } from './nat.ts'

export const VendorId = {
  /** Dead peer detection, RFC 3706, version 1.0. */
  Dpd: fromHex('afcad71368a1f1c96b8696fc77570100'),
  /** "MS NT5 ISAKMPOAKLEY", followed by a 32-bit word. */
  MsNt5: fromHex('1e2b516905991c7d7c96fcbfb587e461'),
  /** Windows has no phase 1 towards us. */
  InitialContact: fromHex('26244d38eddb61b3172a36e3d0cfb819'),
  Fragmentation: fromHex('4048b7d56ebce88525e7de7f00d6c2d3'),
  KeyMods: fromHex('01528bbbc00696121849ab9a1c5b2a51'),
  MamieExists: fromHex('214ca4faffa7f32d6748e5303395ae83'),
  Xauth: fromHex('09002689dfd6b712'),
  StrongSwan: fromHex('882fe56d6fd20dbc2251613b2ebe5beb'),
} as const

/** How names of Apple's own begin: that of its draft, beside the RFC's and those of the drafts -08 to -02. */
const APPLE = fromHex('4df37928')

/** Whether one of the vendor IDs is `wanted` exactly. */
export function hasVendorId(vendorIds: readonly Uint8Array[], wanted: Uint8Array): boolean {
  return vendorIds.some(v => equal(v, wanted))
}

/** Windows by the word behind its vendor ID, as logs show them rather than as the specification says. */
const windowsGenerations: Readonly<Record<number, string>> = {
  2: 'Windows 2000',
  3: 'Windows XP before SP2',
  4: 'Windows XP SP2/SP3 or Server 2003',
  5: 'Windows Vista',
  6: 'Windows Server 2008',
  7: 'Windows 7',
  8: 'Windows 7 or Server 2008 R2',
  9: 'Windows 8 to 11 or Server 2012 and later',
}

/** What stands behind the name of a Windows that knows no NAT traversal: IP protocol 50 has to reach us. */
export const WITHOUT_NAT_TRAVERSAL = ', without NAT traversal'

/** Who probably sent a first message with these vendor IDs. */
export function describeClient(vendorIds: readonly Uint8Array[]): string {
  const nt5 = vendorIds.find(v => v.length === 20 && startsWith(v, VendorId.MsNt5))
  if (nt5) {
    const word = ((nt5[16]! << 24) | (nt5[17]! << 16) | (nt5[18]! << 8) | nt5[19]!) >>> 0
    const name = windowsGenerations[word] ?? `Windows (version word ${word})`
    return chooseNatFlavour(vendorIds) ? name : `${name}${WITHOUT_NAT_TRAVERSAL}`
  }
  if (hasVendorId(vendorIds, VendorId.StrongSwan)) return 'strongSwan'
  if (vendorIds.some(v => startsWith(v, APPLE))) return 'macOS or iOS'
  // strongSwan, libreswan and Android's racoon send little that tells them apart.
  if (hasVendorId(vendorIds, VendorId.Dpd)) return 'Linux or Android'
  return vendorIds.length === 0 ? 'a client without vendor IDs' : 'an unknown IPsec client'
}
