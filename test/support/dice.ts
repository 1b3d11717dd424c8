/** Dice for tests and simulations. */

import { hash, prf } from '../../src/ike/cipher.ts'
import { messageIdBytes } from '../../src/ike/keymat.ts'
import type { Dice } from '../../src/machine.ts'
import { encodeText } from '../../src/packet/bytes.ts'
import { concat } from '../../src/packet/writer.ts'

/** Dice whose throws follow from a seed. */
export function seededDice(seed: string): Dice {
  let count = 0
  return length => {
    let bytes = new Uint8Array(0) as Uint8Array
    while (bytes.length < length)
      bytes = concat(bytes, prf('sha256', encodeText(seed), hash('md5', messageIdBytes(count++))))
    return bytes.slice(0, length)
  }
}
