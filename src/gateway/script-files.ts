/** Where scripts are, as commands see it. */

import type { Flash } from './flash.ts'
import type { Places, Stored } from './loading.ts'

export interface ScriptFiles {
  readonly flash: Flash
  /** The path of the script that was read last. */
  running: string
  /** --config names the script to start with, so that SET CONFIG chooses in vain. */
  readonly fixed: boolean
  /** Where a file of flash is, or the script that a start would take now, and the site file that goes with it. */
  readonly places: (name?: string) => Places
  readonly stored: () => Stored
}
