/** Choosing the SPI of an inbound SA (RFC 4303 section 2.1): it names the worker that owns the SA. */

import type { Dice } from '../machine.ts'
import { Reader } from '../packet/reader.ts'

/** SPIs from 1 to 255 are reserved by IANA; 0 never stands on the wire (and is the non-ESP marker of RFC 3948). */
export const FIRST_SPI = 256
const SPI_COUNT = 0x1_0000_0000

/**
 * An unpredictable SPI that no SA uses, with `spi % workers === worker`. `inUse` says which are taken. Throws RangeError
 * where `worker` is none of `workers`, or where every SPI of the worker is taken.
 */
export function chooseSpi(dice: Dice, worker: number, workers: number, inUse: (spi: number) => boolean): number {
  if (!(worker >= 0 && worker < workers)) throw new RangeError(`worker ${worker} of ${workers}`)
  const drawn = new Reader(dice(4)).u32()
  const start = drawn - (drawn % workers) + worker
  // A taken one is so rare that its neighbour is as good as a new draw, and the walk needs no luck to end.
  const candidates = Math.ceil(SPI_COUNT / workers)
  for (let i = 0, spi = start; i <= candidates; i++, spi += workers) {
    if (spi >= SPI_COUNT) spi = worker
    if (spi >= FIRST_SPI && !inUse(spi)) return spi
  }
  throw new RangeError(`no SPI is left for worker ${worker}`)
}
