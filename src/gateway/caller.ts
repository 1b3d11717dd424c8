/** Who gives a command, and what they are answered. */

export interface AdminRequest {
  readonly command: string
  readonly json: boolean
  /** Whoever asked stays for what comes later: a line of JSON, `{"screen":"..."}`, for each piece of it. */
  readonly follow?: boolean
}

export interface AdminAnswer {
  /** What vpnctl exits with: 0 done, 1 refused or failed, 2 not understood. */
  readonly exit: 0 | 1 | 2
  /** For a person. */
  readonly text: string
  /** For a program, with --json. */
  readonly data?: unknown
  /** What comes after the answer, for those who stay; others never see it. */
  readonly follow?: Follow
}

export interface Follow {
  /** At most so long. */
  readonly millis: number
  /** `write` answers false where nobody is there any more; `done` lets them go. Answers how to end it. */
  readonly start: (write: (text: string) => boolean, done: () => void) => () => void
}

export interface Caller {
  readonly uid: number
  readonly pid: number
  /** The account that logged in, where one did. */
  readonly user?: string
  /** Where from, as the log tells it. */
  readonly from?: string
  /** The terminal it sits at, for what comes later (debugging); none for a single command. */
  readonly terminal?: number
}
