/** What went wrong with an L2TP message, as the Result Code AVP tells the peer (RFC 2661 section 4.4.2). */

import { ErrorCode, StopResult } from './constants.ts'

/** The room's only error: thrown by parsers, caught by the endpoint, told to the peer in a StopCCN or CDN. */
export class L2tpError extends Error {
  override readonly name = 'L2tpError'
  /** 2, "see the error code", means the same in StopCCN and CDN. */
  readonly resultCode: number
  readonly errorCode: number

  constructor(message: string, errorCode: number = ErrorCode.BadValue, resultCode: number = StopResult.Error) {
    super(message)
    this.resultCode = resultCode
    this.errorCode = errorCode
  }
}
