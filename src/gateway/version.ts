/** The version in package.json, whether we run from src or from dist. */

import { readFileSync } from 'node:fs'

export function version(): string {
  for (const up of ['../../', '../../../']) {
    try {
      const file = JSON.parse(readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8')) as {
        version: string
      }
      return file.version
    } catch {
      // One level further up, then.
    }
  }
  return 'unknown'
}
