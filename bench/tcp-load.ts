/** TCP of the load's clients to or from the LAN, through the tunnels that are up: a connection from each inner address. */

import { must } from '../test/support/command.ts'
import { type Network, project } from '../test/support/netns.ts'
import { lanHost } from '../test/support/plan.ts'

/** Bytes of a transfer, and of its steady part. */
export interface Moved {
  readonly all: number
  readonly steady: number
}

/** Sends up or takes down for so many seconds, after the time that TCP takes to get going. */
export async function transfer(
  network: Network,
  word: 'pour' | 'drain',
  seconds: number,
  inner: readonly string[],
): Promise<Moved> {
  const words = [`${project}/dist/bench/load-lan.js`, word, lanHost, String(seconds), ...inner]
  const argv = network.inside('load', process.execPath, ...words)
  const said = await must(argv, { timeoutMillis: 1000 * seconds + 20_000 })
  const [all, steady] = said.split(' ').map(Number)
  return { all: all!, steady: steady! }
}
