/**
 * Whether what the gateway's rooms know of one another agrees: every table of each against the others', and no timer, exchange
 * or row that belongs to nothing. Dear, so not looked at behind each event.
 */

import { ReferenceEngine } from '../../src/esp/reference.ts'
import { isEstablished, placeKey } from '../../src/ike/state.ts'
import type { MemoryGateway } from '../support/memory-gateway.ts'
import { fault } from './fault.ts'

export class Books {
  /** Inbound SPIs that were seen installed, with their worker: once they are gone, no engine may open them. */
  private readonly spis = new Map<number, number>()

  /** Another process begins with nothing. */
  forget(): void {
    this.spis.clear()
  }

  look(gateway: MemoryGateway): void {
    ike(gateway)
    this.engines(gateway)
    sessions(gateway)
    deadlines(gateway)
  }

  private engines({ control, workers }: MemoryGateway): void {
    const live = new Set<number>()
    for (const p of control.peers.all.values())
      for (const [spi, { sa, outbound }] of p.sas) {
        const { engine } = workers[p.worker]!
        live.add(spi)
        this.spis.set(spi, p.worker)
        if (!engine.inboundUsage(spi)) fault(`peer ${p.peer} has an inbound SA that its engine has not`)
        if (outbound && !engine.outboundUsage(p.peer, sa.outboundSpi))
          fault(`peer ${p.peer} has an outbound SA that its engine has not`)
      }
    for (const [spi, worker] of this.spis) {
      if (live.has(spi)) continue
      if (workers[worker]!.engine.inboundUsage(spi)) fault('an engine has an SA that is gone')
      this.spis.delete(spi)
    }
    for (const { engine } of workers) {
      if (!(engine instanceof ReferenceEngine)) continue
      for (const peer of engine['peers'].keys())
        if (!control.peers.all.has(peer)) fault(`an engine knows peer ${peer}, who is gone`)
    }
  }
}

function ike({ control }: MemoryGateway): void {
  const context = control.ike['context']
  const peers = control.ike['peers']
  const halfOpen = [...control.ike['mainModes'].halfOpen()]
  let phase1s = 0
  let children = 0
  let quickModes = 0
  let own = 0
  for (const peer of peers.byId.values()) {
    if (!control.peers.all.has(peer.id)) fault(`IKE has peer ${peer.id}, control has not`)
    if (!peers['byPlace'].get(placeKey(peer.place))?.has(peer)) fault(`peer ${peer.id} is not where it is`)
    children += peer.children.size
    own += Number(peer.keepalive !== undefined) + Number(peer.liveness !== undefined)
    for (const phase1 of peer.phase1s) {
      phase1s++
      for (const quick of phase1.state.sa.quickModes.values()) {
        quickModes++
        if (quick.state === 'WAIT_HASH' && peer.children.get(quick.child.sa.inboundSpi)?.quickMode !== quick)
          fault(`Quick Mode ${quick.id} goes on, though what it makes is gone`)
      }
    }
    for (const child of peer.children.values()) {
      if (peers.findByInboundSpi(child.sa.inboundSpi)?.child !== child) fault('an SA is not found by its SPI')
      const { quickMode } = child
      const known = [...peer.phase1s].some(p => p.state.sa.quickModes.get(quickMode?.messageId ?? 0) === quickMode)
      if (quickMode && !known) fault(`an SA waits for Quick Mode ${quickMode.id}, which nobody can complete`)
    }
  }
  const placed = [...peers['byPlace'].values()].reduce((sum, there) => sum + there.size, 0)
  same('peers of control', control.peers.all.size, peers.byId.size)
  same('peers by place', placed, peers.byId.size)
  same('SAs by SPI', peers['byInboundSpi'].size, children)
  same('SPIs of control', control.peers['spis'].size, children)
  same('phase 1s by cookie', context.phase1s.size, phase1s + halfOpen.length)
  for (const phase1 of context.phase1s.values())
    if (isEstablished(phase1) && !phase1.state.sa.peer.phase1s.has(phase1)) fault('a phase 1 has no peer')
  const waiting =
    halfOpen.filter(p => p.timer !== undefined).length + Number(control.ike['fragmentTimer'] !== undefined)
  const most = waiting + phase1s + children + quickModes + own
  if (context.timers.size > most) fault(`IKE has ${context.timers.size} timers, of which ${most} can be explained`)
}

function sessions({ control, workers }: MemoryGateway): void {
  const all = [...control.sessions.all.values()]
  const { l2tp } = control
  same('sessions of L2TP', l2tp['bySession'].size, all.length)
  for (const s of all) if (!l2tp['bySession'].has(s.ids.session)) fault(`L2TP does not know session ${s.ids.session}`)
  for (const t of l2tp.snapshot().tunnels)
    if (!control.peers.all.has(t.peer)) fault(`tunnel ${t.localTunnelId} belongs to peer ${t.peer}, who is gone`)
  const used = control.residents.poolStates().reduce((sum, p) => sum + p.used.length, 0)
  const admitted = all.filter(s => s.admission?.kind === 'accepted').length
  if (used > admitted) fault(`${used} addresses are taken by ${admitted} sessions`)
  const end = l2tp['context'].rows['next']
  workers.forEach(({ forwarder }, n) => {
    const mine = all.filter(s => s.worker === n)
    const up = mine.filter(s => s.networkUp)
    same(`L2TP rows of worker ${n}`, taken(forwarder.l2tp.peer, end), mine.length)
    same(`PPP rows of worker ${n}`, taken(forwarder.ppp.flags, end), up.length)
    for (const s of up) {
      const row = forwarder.firewall.sessions.peer[s.ids.session]
      if (row !== s.ids.peer) fault(`worker ${n} sends what is session ${s.ids.session}'s to peer ${row}`)
    }
  })
}

/** A link that is over takes its deadline with it. Two never end: the look at the attempts, and the one at the traffic. */
function deadlines({ control }: MemoryGateway): void {
  const links = [...control.sessions.all.values()].filter(s => s.link.deadline !== undefined).length
  const endpoints = Number(control.ike.deadline !== undefined) + Number(control.l2tp.deadline !== undefined)
  same('deadlines', control['deadlines']['current'].size, 2 + endpoints + links)
}

/** How many rows are in use, of those that were ever handed out. */
function taken(column: Uint16Array | Uint8Array, end: number): number {
  let count = 0
  for (let row = 1; row < end; row++) if (column[row] !== 0) count++
  return count
}

function same(what: string, found: number, wanted: number): void {
  if (found !== wanted) fault(`there are ${found} ${what}, and there should be ${wanted}`)
}
