/** What a simulation has been through: counted so that one can see that it did go where trouble is. */

type Counter = Exclude<keyof Explored, 'add' | 'text'>

export class Explored {
  connects = 0
  redials = 0
  refusals = 0
  cutOff = 0
  rekeys = 0
  lost = 0
  duplicated = 0
  damaged = 0
  replayed = 0
  withheld = 0
  natEvents = 0
  moves = 0
  gatewayRestarts = 0
  gatewayFreezes = 0
  clockJumps = 0
  clientCrashes = 0
  sleeps = 0
  hangUps = 0
  impatience = 0
  hungUpByUs = 0
  pings = 0
  delivered = 0
  forged = 0
  virtualMillis = 0

  add(other: Explored): void {
    for (const key of Object.keys(this) as Counter[]) {
      this[key] += other[key]
    }
  }

  text(): string {
    const hours = (this.virtualMillis / 3_600_000).toFixed(1)
    const words: [number | string, string][] = [
      [this.connects, 'connects'],
      [this.redials, 'redials'],
      [this.refusals, 'refusals'],
      [this.cutOff, 'connections that failed or broke'],
      [this.rekeys, 'rekeys'],
      [this.lost, 'packets lost'],
      [this.duplicated, 'repeated'],
      [this.damaged, 'damaged'],
      [this.replayed, 'repeated or made up by the attacker'],
      [this.withheld, 'withheld'],
      [this.natEvents, 'NAT events'],
      [this.moves, 'moves to another NAT'],
      [this.gatewayRestarts, 'gateway restarts'],
      [this.gatewayFreezes, 'gateway freezes'],
      [this.clockJumps, 'clock jumps'],
      [this.clientCrashes, 'client crashes'],
      [this.sleeps, 'sleeps'],
      [this.hangUps, 'hang-ups by users'],
      [this.impatience, 'out of impatience'],
      [this.hungUpByUs, 'by the operator'],
      [this.pings, 'pings'],
      [this.delivered, 'delivered'],
      [this.forged, 'forged'],
      [hours, 'virtual hours'],
    ]
    return words.map(([n, what]) => `${n} ${what}`).join(', ')
  }
}
