/** Writing a file that nobody else may read, as a whole: a crash leaves the old one or the new one. */

import { renameSync, rmSync, writeFileSync } from 'node:fs'

export function writePrivate(path: string, content: string | Uint8Array): void {
  const next = `${path}.new`
  // A leftover's mode would stay: the file is always made, and with nobody else's rights.
  rmSync(next, { force: true })
  writeFileSync(next, content, { mode: 0o600, flag: 'wx', flush: true })
  renameSync(next, path)
}
