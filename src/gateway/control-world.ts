/** What control is given: its world outside of itself, and what it is to ask of it. */

import type { Configuration } from '../alliedware/config.ts'
import type { Surroundings } from '../firewall/surroundings.ts'
import type { RsaCredentials } from '../ike/signature.ts'
import type { Dice } from '../machine.ts'
import type { Ipv4 } from '../packet/ip.ts'
import type { OfficeFacts } from '../ppp/dhcp.ts'
import type { Clock } from './deadlines.ts'
import type { Log } from './log.ts'
import type { DataPath, HostNetwork, IkeSockets } from './ports.ts'
import type { SecretStore } from './secret-store.ts'
import type { Stats } from './stats.ts'

export interface ControlWorld {
  readonly clock: Clock
  readonly wall: () => Date
  readonly dice: Dice
  readonly log: Log
  readonly sockets: IkeSockets
  readonly data: DataPath
  readonly network: HostNetwork
  readonly stats: Stats
  readonly secrets: SecretStore
  /** Our certificate and whom we trust, for policies with AUTHTYPE=RSASIG; absent: none. */
  readonly credentials?: () => RsaCredentials | undefined
  /** Our address as clients dial it, where a NAT in front of us hides it. */
  readonly publicAddress: () => Ipv4 | undefined
  /** Whether clients have to put ESP into UDP, NAT or not; absent: only where there is one. */
  readonly forceEncapsulation?: () => boolean
  /** What clients that ask by DHCPINFORM are told; absent: nothing but the name servers. */
  readonly office?: () => OfficeFacts
  /** The networks around us under this configuration, for the firewall. */
  readonly surroundings: (configuration: Configuration) => Surroundings
  /** Rules came into force or ceased to be with time: the host's firewall follows. */
  readonly rulesChanged?: () => void
}
