/** The ESP engines that a simulated gateway can have, the native one with IKE's native arithmetic for everybody. Clients always have the reference, so that each is held against the other. */

import type { Engine } from '../../src/esp/engine.ts'
import { loadNative } from '../../src/gateway/native.ts'
import { NativeArithmetic } from '../../src/gateway/native-arithmetic.ts'
import { NativeEngine } from '../../src/gateway/native-engine.ts'
import { computeBy } from '../../src/ike/arithmetic.ts'

/** Options for a simulation. */
export const engines = {
  reference: () => ({}),
  native: () => {
    const native = loadNative()
    computeBy(new NativeArithmetic(native))
    return { engine: (): Engine => new NativeEngine(native) }
  },
} as const

export function isEngineName(name: string): name is keyof typeof engines {
  return Object.hasOwn(engines, name)
}
