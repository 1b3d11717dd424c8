/** The one error that bad IKE input may cause (RFC 2408 section 5): what to count, and what to tell the peer, if anything. */

export class IkeError extends Error {
  override readonly name = 'IkeError'
  /** The counter's name: a short kebab-case reason. */
  readonly reason: string
  /** The notify message type to answer with where answering is allowed; undefined: say nothing. */
  readonly notify: number | undefined

  constructor(reason: string, notify?: number, detail = reason) {
    super(detail)
    this.reason = reason
    this.notify = notify
  }
}
