/** The copying and the sums of super-segments, by the native addon. */

import type { Batch } from '../packet/batch.ts'
import type { SegmentArithmetic } from '../packet/cut.ts'
import type { Native } from './native.ts'
import type { NativeEngine } from './native-engine.ts'

export class NativeSegments implements SegmentArithmetic {
  private readonly native: Native
  private readonly engine: NativeEngine

  /** The engine knows the thread's batches. */
  constructor(native: Native, engine: NativeEngine) {
    this.native = native
    this.engine = engine
  }

  copy(from: Batch, row: number, header: number, at: number, into: Batch, first: number, count: number): void {
    const { engine } = this
    this.native.copySegments(engine.attach(from), row, header, at, engine.attach(into), first, count)
  }

  sum(batch: Batch, first: number, count: number): void {
    this.native.sumSegments(this.engine.attach(batch), first, count)
  }
}
