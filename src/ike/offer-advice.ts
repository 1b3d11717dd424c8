/** What is to be changed on a client whose offer nobody here can agree to, whatever the policy allows. */

import { numberOf } from './algorithms.ts'
import { Encapsulation, EspTransform, Phase2Attribute, Protocol } from './constants.ts'

/** Hybrid authentication has the lowest number of those that XAUTH's drafts took for themselves. */
const FIRST_XAUTH = 64_221

/** Of an offer in Main Mode; undefined where the policy could allow it. */
export function phase1Advice(authentication: number | undefined): string | undefined {
  if (authentication === undefined || authentication < FIRST_XAUTH) return undefined
  return 'choose L2TP over IPsec on the client: XAUTH belongs to its other kind of IPsec connection, which is not here'
}

/** Of an offer in Quick Mode; undefined where the policy could allow it. */
export function phase2Advice(
  protocol: number,
  bundled: boolean,
  transform: number,
  numbers: readonly number[],
): string | undefined {
  if (bundled) return 'let the client offer ESP alone, not bundled with another protocol'
  if (protocol !== Protocol.Esp) return 'let the client offer ESP: nothing else is here'
  if (transform === EspTransform.Null) return 'let the client require encryption: ESP without it is never agreed to'
  if (transform !== EspTransform.AesGcm16 && !numberOf(numbers, Phase2Attribute.Authentication))
    return 'let the client require integrity: ESP without it is never agreed to'
  if (TUNNELS.has(numberOf(numbers, Phase2Attribute.EncapsulationMode)))
    return 'let the client use transport mode, as L2TP over IPsec does, not tunnel mode'
  // RFC 4304. Unlike attributes that nobody here knows, this one changes every ICV.
  if (numberOf(numbers, Phase2Attribute.ExtendedSequenceNumber))
    return 'let the client do without sequence numbers of 64 bits'
  return undefined
}

const TUNNELS: ReadonlySet<number | undefined> = new Set([
  Encapsulation.Tunnel,
  Encapsulation.UdpTunnel,
  Encapsulation.UdpTunnelDraft,
])
