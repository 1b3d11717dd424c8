/** What goes into a simulated client and what comes out: options, inputs and effects of VpnClient. */

import type { Engine } from '../../src/esp/engine.ts'
import type { Dice, Millis } from '../../src/machine.ts'
import type { Batch } from '../../src/packet/batch.ts'
import type { Ipv4 } from '../../src/packet/ip.ts'
import type { DeleteForm } from './ike-client.ts'
import type { VpnProfile } from './profiles.ts'

export interface VpnClientOptions {
  readonly profile: VpnProfile
  readonly dice: Dice
  /** Our own address as the host knows it, and the one we dial. */
  readonly address: Ipv4
  readonly server: Ipv4
  readonly presharedKey: string
  readonly user: string
  readonly password: string
  readonly computerName?: string
  /** Windows counts its tunnels from 1 since it started: clients behind one NAT have the same. */
  readonly tunnelId?: number
  /** Many clients may share an engine and a batch, each with a row of its own. */
  readonly engine?: Engine
  readonly peer?: number
  readonly batch?: Batch
  /** The inner address that it asks for; absent: any. */
  readonly asksFor?: Ipv4
  /** Whether to tell each step in words. */
  readonly narrate?: boolean
  /** Waits between the transmissions of an IKE message, and after the last. */
  readonly ikeIntervals?: readonly Millis[]
  /** How long connecting may take in all. */
  readonly patienceMillis?: Millis
  /** When a pair of SAs is replaced, after it came up; absent: when nine tenths of its life are over. */
  readonly rekeyMillis?: Millis
  /** How it tells at the end that its SAs are over; absent: a message for each. */
  readonly deletes?: DeleteForm
}

export type VpnClientInput =
  | { readonly kind: 'start' }
  /** A datagram from the server, that came to this port of ours; on 4500 with the non-ESP marker where it is IKE. */
  | { readonly kind: 'datagram'; readonly port: 500 | 4500; readonly bytes: Uint8Array }
  /** IP protocol 50, from the SPI on. */
  | { readonly kind: 'esp'; readonly bytes: Uint8Array }
  /** An IP packet to be sent through the tunnel. */
  | { readonly kind: 'ipPacket'; readonly bytes: Uint8Array }
  /** Asks for new SAs now. */
  | { readonly kind: 'rekey' }
  /** Thinks better of new SAs that are still under way. */
  | { readonly kind: 'abandonRekey' }
  /** Asks for a new phase 1 now, to take the place of the one there is. */
  | { readonly kind: 'renewPhase1' }
  /** Ends its phase 1, as when that has lived long enough: the next is made when one is needed. */
  | { readonly kind: 'endPhase1' }
  | { readonly kind: 'disconnect' }

export type Stage = 'IKE' | 'IPsec' | 'L2TP' | 'PPP' | 'authentication' | 'connected'

export type VpnClientEffect =
  /** To the same port of the server. */
  | { readonly kind: 'send'; readonly port: 500 | 4500; readonly bytes: Uint8Array }
  | { readonly kind: 'sendEsp'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'networkUp'
      readonly address: Ipv4
      readonly serverAddress: Ipv4
      readonly dns: readonly Ipv4[]
      readonly mtu: number
    }
  | { readonly kind: 'ipPacket'; readonly bytes: Uint8Array }
  | { readonly kind: 'step'; readonly text: string }
  /** It is over. `failed` tells where, absent where the user wanted it so. */
  | { readonly kind: 'down'; readonly failed: Stage | undefined; readonly reason: string }
