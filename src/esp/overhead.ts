/** What IPsec, L2TP and PPP leave of the path's MTU for the client's own packets. */

import type { Suite } from './sa.ts'
import { cipherSizes, ESP_HEADER_SIZE, ESP_TRAILER_SIZE, integritySizes } from './suites.ts'

const IP_HEADER = 20
const UDP_HEADER = 8
/** The inner UDP header, L2TP's data header with length field, and PPP's address, control and protocol. */
const TUNNEL_HEADERS = 8 + 8 + 4
/** What sequence numbers, which take no length field beside them when we send, add to that. */
const SEQUENCE = 4 - 2

/**
 * The largest inner IP packet, in bytes, that fits into one outer packet of `pathMtu` bytes under this suite; `sequenced`: behind
 * sequence numbers of L2TP.
 */
export function innerMtu(suite: Suite, udpEncapsulated: boolean, pathMtu: number, sequenced = false): number {
  const { block, iv } = cipherSizes[suite.cipher]
  const { icv } = integritySizes[suite.integrity]
  const room = pathMtu - IP_HEADER - (udpEncapsulated ? UDP_HEADER : 0) - ESP_HEADER_SIZE - iv - icv
  return Math.floor(room / block) * block - ESP_TRAILER_SIZE - TUNNEL_HEADERS - (sequenced ? SEQUENCE : 0)
}
