/** A World's gateway as commands see it. */

import type { CommandWorld } from '../../src/gateway/command-world.ts'
import type { World } from './world.ts'

/** Nothing of a host, and what its administrator typed counts at once; `more` takes precedence. */
export function commandWorld(world: World, more: Partial<CommandWorld> = {}): CommandWorld {
  return {
    control: world.control,
    secrets: world.secrets,
    log: world.gateway.log,
    system: () => {
      throw new Error('not asked for in these tests')
    },
    moreCounters: () => ({}),
    configure: async configuration => {
      world.control.configure(configuration)
      return []
    },
    ...more,
  }
}

/** A terminal, number 7, and what was told to it. */
export function screen(): { readonly lines: string[]; readonly tell: NonNullable<CommandWorld['tell']> } {
  const lines: string[] = []
  const tell = (terminal: number, text: string) => {
    if (terminal !== 7) return false
    lines.push(...text.split('\n'))
    return true
  }
  return { lines, tell }
}
