/** What the workers' ESP engines tell control. */

import type { EngineEvent } from '../esp/engine.ts'
import type { IkeInput } from '../ike/effects.ts'
import { type Log, Severity } from './log.ts'
import type { Peers } from './peers.ts'
import { IKE_NAT_PORT, IKE_PORT } from './sockets.ts'

export class EngineEvents {
  /** Clients that cut SHA-256 to 96 bits. */
  shortIcvs = 0
  private readonly to: {
    readonly peers: Peers
    readonly ike: (input: IkeInput) => void
    readonly log: Log
  }

  constructor(to: EngineEvents['to']) {
    this.to = to
  }

  take(e: EngineEvent): void {
    const { peers, ike } = this.to
    switch (e.kind) {
      case 'first':
        return ike({ kind: 'saUsed', spi: e.spi })
      case 'moved': {
        const peer = peers.all.get(e.peer)
        if (!peer) return
        // Native ESP has no port: IKE's stays what it was.
        const remote = { address: e.remote, port: e.port === 0 ? peer.remote.port : e.port }
        peers.moved(e.peer, e.local, remote)
        return ike({ kind: 'peerMoved', peer: e.peer, local: e.local, remote })
      }
      case 'stray': {
        const [ours, theirs] = e.port === 0 ? [IKE_PORT, IKE_PORT] : [IKE_NAT_PORT, e.port]
        const local = { address: e.local, port: ours }
        return ike({ kind: 'strayEsp', spi: e.spi, local, remote: { address: e.remote, port: theirs } })
      }
      case 'shortIcv':
        this.shortIcvs++
        return this.say(
          Severity.Info,
          e.peer,
          `The client cuts SHA-256 to 96 bits instead of 128 (RFC 4868): so do we on its SAs, beginning with ${e.spi.toString(16)}`,
        )
      case 'hard':
        return ike({ kind: 'saExhausted', peer: e.peer, spi: e.spi, inbound: e.inbound })
      case 'soft':
        // The client rekeys (Windows does so at its own soft limit); we are a pure responder.
        return this.say(Severity.Detail, e.peer, `SA ${e.spi.toString(16)} nears its byte limit`)
    }
  }

  private say(severity: number, peer: number, text: string): void {
    this.to.log.add({ severity, module: 'IPSE', text, fields: { peer } })
  }
}
