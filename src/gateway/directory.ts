/** Makes directories that are to be there. Node's `recursive` asks for ever where a file system has no room for new ones, as /proc. */

import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** Makes a directory, and what is missing above it, with this mode. Throws an Error that names what could not be made. */
export function makeDirectory(path: string, mode: number): void {
  if (isDirectory(path)) return
  const above = dirname(path)
  if (above !== path) makeDirectory(above, mode)
  try {
    mkdirSync(path, { mode })
  } catch (e) {
    // Somebody else was quicker.
    if (!isDirectory(path)) throw e
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
