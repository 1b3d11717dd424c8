/** Everything that reads what a stranger wrote, for the fuzzer that is led by coverage and for the replay of what it kept. */

import type { Target } from './guided.ts'
import { dataTargets } from './targets-data.ts'
import { ikeTargets } from './targets-ike.ts'
import { l2tpTargets } from './targets-l2tp.ts'
import { pppTargets } from './targets-ppp.ts'

export const targets: readonly Target[] = [...ikeTargets, ...l2tpTargets, ...pppTargets, ...dataTargets]
