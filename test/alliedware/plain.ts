/** Configurations made comparable: secrets by what they hold, and line numbers or the order of users left out. */

import type { Configuration } from '../../src/alliedware/config.ts'
import { Secret } from '../../src/packet/bytes.ts'

/** A copy with secrets opened; without line numbers, and with users by name, where asked for. */
export function withoutLines(configuration: Configuration, dropLines = true, sortUsers = false): unknown {
  const users = sortUsers ? [...configuration.users].sort((a, b) => (a.name < b.name ? -1 : 1)) : configuration.users
  return open({ ...configuration, users }, dropLines)
}

function open(value: unknown, dropLines: boolean): unknown {
  if (value instanceof Secret) return { secret: [...value.reveal()] }
  if (Array.isArray(value)) return value.map(item => open(item, dropLines))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !(dropLines && key === 'line'))
      .map(([key, item]) => [key, open(item, dropLines)]),
  )
}
