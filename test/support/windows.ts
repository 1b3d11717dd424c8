/** What the VPN clients built into Windows offer in IKE, by generation. */

import { messageIdBytes } from '../../src/ike/keymat.ts'
import { VendorId } from '../../src/ike/vendor.ts'
import { concat } from '../../src/packet/writer.ts'
import type { InitiatorOptions } from './initiator.ts'

const windows = (word: number) => concat(VendorId.MsNt5, messageIdBytes(word))

/** Windows XP SP2 with its update: 3DES, MODP, draft-02. */
export const windowsXp = {
  offers: [
    { cipher: '3des', hash: 'sha1', group: 14 },
    { cipher: '3des', hash: 'sha1', group: 2 },
    { cipher: '3des', hash: 'md5', group: 2 },
    { cipher: 'des', hash: 'sha1', group: 1 },
    { cipher: 'des', hash: 'md5', group: 1 },
  ],
  natFlavours: ['draft-02lf'],
  vendorIds: [windows(4), VendorId.Fragmentation],
  nonceLength: 20,
  computerName: 'XPCLIENT',
  quickOffers: [
    { cipher: '3des', integrity: 'md5' },
    { cipher: '3des', integrity: 'sha1' },
    { cipher: 'des', integrity: 'md5' },
  ],
  messageIds: 'random',
} as const satisfies Partial<InitiatorOptions>

/** Windows 2000 as it came, without update 818043: no NAT traversal, no group 14. */
export const windows2000 = {
  ...windowsXp,
  offers: windowsXp.offers.filter(o => o.group !== 14),
  natFlavours: [],
  vendorIds: [windows(2)],
} as const satisfies Partial<InitiatorOptions>

/** Windows 10: elliptic curves and AES first, RFC 3947, message IDs 1, 2, 3. */
export const windows10 = {
  offers: [
    { cipher: 'aes256', hash: 'sha1', group: 20 },
    { cipher: 'aes128', hash: 'sha1', group: 19 },
    { cipher: 'aes256', hash: 'sha1', group: 14 },
    { cipher: '3des', hash: 'sha1', group: 14 },
    { cipher: '3des', hash: 'sha1', group: 2 },
  ],
  natFlavours: ['rfc3947', 'draft-02lf'],
  vendorIds: [windows(9), VendorId.Fragmentation],
  nonceLength: 48,
  quickOffers: [
    { cipher: 'aes256', integrity: 'sha1' },
    { cipher: 'aes128', integrity: 'sha1' },
    { cipher: '3des', integrity: 'sha1' },
  ],
  messageIds: 'sequential',
} as const satisfies Partial<InitiatorOptions>
