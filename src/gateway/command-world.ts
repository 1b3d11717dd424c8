/** What the commands that are carried out here need of the world. */

import type { Configuration } from '../alliedware/config.ts'
import type { CertificateWorld } from './certificate-commands.ts'
import type { ScriptFiles } from './script-files.ts'
import type { ShowWorld } from './show-answer.ts'
import type { Site } from './site.ts'

export interface CommandWorld extends CertificateWorld, ShowWorld {
  /** Makes the host's part of a changed configuration; answers why the host refused it, and then nothing has changed. */
  readonly prepare?: (configuration: Configuration, site?: Site) => Promise<string | undefined>
  /** Takes a changed configuration into use, and another site where one is given; answers what is odd about it. */
  readonly configure: (configuration: Configuration, site?: Site) => Promise<string[]>
  /** Absent: there are neither flash nor a script to load. */
  readonly files?: ScriptFiles
  readonly wall?: () => Date
  /** The directory for captures. */
  readonly captures?: string
  /** Prints on the terminal that a caller sits at; false where that is gone. */
  readonly tell?: (terminal: number, text: string) => boolean
}
