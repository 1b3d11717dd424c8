/** The flow table's columns, and the hash that finds a flow's set. */

export const FlowState = { Opening: 0, Established: 1, Closing: 2 } as const

/** A flow as it is, or one that is translated: met where packets come from clients, or where they go to them. */
export const Hook = { None: 0, In: 1, Out: 2 } as const

/** Who wants to know when flows end: rows are told while all that is in them is there still. */
export interface FlowObserver {
  /** The connection is over, though its flow is kept a while; it may be told again. */
  closing(row: number): void
  /** The flow's row is about to be free. */
  ended(row: number): void
}

export class FlowColumns {
  /** Columns by row. The source is who sent the first packet. Addresses are signed, as in Headers. */
  readonly source: Int32Array
  readonly destination: Int32Array
  readonly sourcePort: Uint32Array
  readonly destinationPort: Uint32Array
  readonly protocol: Uint8Array
  readonly session: Uint32Array
  readonly state: Uint8Array
  /** What the state machine remembers (see track.ts). */
  readonly marks: Uint8Array
  readonly packetsForward: Uint32Array
  readonly packetsReverse: Uint32Array
  /** Of IP packets as they are on the wire, but for later fragments. */
  readonly bytesForward: Float64Array
  readonly bytesReverse: Float64Array
  readonly expires: Float64Array
  readonly seen: Float64Array
  /** When it began, and how many began in its row. */
  readonly born: Float64Array
  readonly births: Uint8Array
  /** Of a translated flow: on which way its packets are met (one of Hook), and the row of its answers, or -1. */
  readonly hook: Uint8Array
  readonly mate: Int32Array
  /** 1 in the row of a translated flow's answers. */
  readonly isAnswer: Uint8Array
  /** 1 where somebody outside began it. */
  readonly fromOutside: Uint8Array
  /** What window.ts remembers; two by row, for what the source sends and for what comes back. */
  readonly seenTcp: Uint8Array
  readonly scale: Uint8Array
  readonly sent: Int32Array
  readonly acknowledged: Int32Array
  readonly edge: Int32Array
  /** What ftp.ts remembers: whether numbers are shifted, by how much up to a number, and by how much behind it. */
  readonly shifted: Uint8Array
  readonly shiftAt: Int32Array
  readonly shiftBefore: Int32Array
  readonly shiftAfter: Int32Array
  /** How often a part of a command was held back, and where it begins. */
  readonly held: Uint8Array
  readonly heldAt: Int32Array

  constructor(n: number) {
    this.source = new Int32Array(n)
    this.destination = new Int32Array(n)
    this.sourcePort = new Uint32Array(n)
    this.destinationPort = new Uint32Array(n)
    this.protocol = new Uint8Array(n)
    this.session = new Uint32Array(n)
    this.state = new Uint8Array(n)
    this.marks = new Uint8Array(n)
    this.packetsForward = new Uint32Array(n)
    this.packetsReverse = new Uint32Array(n)
    this.bytesForward = new Float64Array(n)
    this.bytesReverse = new Float64Array(n)
    this.expires = new Float64Array(n)
    this.seen = new Float64Array(n)
    this.born = new Float64Array(n)
    this.births = new Uint8Array(n)
    this.hook = new Uint8Array(n)
    this.mate = new Int32Array(n).fill(-1)
    this.isAnswer = new Uint8Array(n)
    this.fromOutside = new Uint8Array(n)
    this.seenTcp = new Uint8Array(n)
    this.scale = new Uint8Array(2 * n)
    this.sent = new Int32Array(2 * n)
    this.acknowledged = new Int32Array(2 * n)
    this.edge = new Int32Array(2 * n)
    this.shifted = new Uint8Array(n)
    this.shiftAt = new Int32Array(n)
    this.shiftBefore = new Int32Array(n)
    this.shiftAfter = new Int32Array(n)
    this.held = new Uint8Array(n)
    this.heldAt = new Int32Array(n)
  }

  /** A row's flow has carried nothing yet, and is not translated. */
  protected begin(row: number): void {
    this.state[row] = FlowState.Opening
    this.marks[row] = 0
    this.hook[row] = Hook.None
    this.mate[row] = -1
    this.isAnswer[row] = 0
    this.fromOutside[row] = 0
    this.seenTcp[row] = 0
    this.shifted[row] = 0
    this.held[row] = 0
    this.shiftBefore[row] = 0
    this.shiftAfter[row] = 0
    this.packetsForward[row] = 0
    this.packetsReverse[row] = 0
    this.bytesForward[row] = 0
    this.bytesReverse[row] = 0
  }
}

/** The hash of a 5-tuple, the same for both directions, and never 0. */
export function tupleHash(
  seed: number,
  source: number,
  sourcePort: number,
  destination: number,
  destinationPort: number,
  protocol: number,
): number {
  const sum = (mix(seed, source, sourcePort) + mix(seed, destination, destinationPort)) | 0
  let h = sum ^ protocol
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) | 1
}

function mix(seed: number, address: number, port: number): number {
  let h = Math.imul(address ^ seed, 0xcc9e2d51)
  h = (h << 15) | (h >>> 17)
  h = Math.imul(h ^ Math.imul(port + 1, 0x1b873593), 0xe6546b64)
  return h ^ (h >>> 15) ^ seed
}
