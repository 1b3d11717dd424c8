/** SHOW FIREWALL ARP: global addresses of translations and forwards that the gateway answers for, though no device bears them. */

import type { AddressRange } from '../../firewall/policy.ts'
import { formatRange } from '../value.ts'
import { list } from './layout.ts'

export interface ProxiedAddresses {
  readonly policy: string
  /** The public interface. */
  readonly interface: string
  readonly ip: AddressRange
}

export function printFirewallArp(entries: readonly ProxiedAddresses[]): string {
  return list(
    'Firewall ARP',
    [
      { head: 'IP', width: 34, text: e => formatRange(e.ip) },
      { head: 'Interface', width: 16, text: e => e.interface },
      { head: 'Policy', width: 16, text: e => e.policy },
    ],
    entries,
    'The firewall answers for no addresses.',
  )
}
