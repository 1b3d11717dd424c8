/** The transcripts beside this file: what is said now has to be what they say, and Wireshark reads them as well. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { emitPcapng } from '../../src/packet/pcap.ts'
import { temporaryDirectory } from '../gateway/fakes.ts'
import { which } from '../support/command.ts'
import { type Dissection, dissect } from '../support/tshark.ts'
import { emitTranscript, parseTranscript, type Transcript, toPackets } from './transcript.ts'

/** UPDATE_GOLDEN=1 writes the transcripts anew, for a change of the bytes that is meant. */
const update = process.env['UPDATE_GOLDEN'] === '1'
if (update && process.env['CI']) throw new Error('UPDATE_GOLDEN rewrites what a check compares with: not in CI')

/** The name of a test that calls `expectStored`: it tells when nothing is compared. */
export const saysTheSame = update ? 'WRITES its transcript anew (UPDATE_GOLDEN)' : 'says the same bytes as ever'

const pathOf = (file: string) => join(import.meta.dirname, `${file}.txt`)

export function readStored(file: string): Transcript {
  return parseTranscript(readFileSync(pathOf(file), 'utf8'))
}

/** Compares line by line, so that the first datagram that differs is seen. */
export function expectStored(file: string, transcript: Transcript): void {
  const text = emitTranscript(transcript)
  if (update) {
    writeFileSync(pathOf(file), text)
    console.warn(`UPDATE_GOLDEN: wrote ${file}.txt; nothing was compared`)
  }
  expect(text.split('\n')).toEqual(readFileSync(pathOf(file), 'utf8').split('\n'))
  expect(readStored(file)).toEqual(transcript)
}

export const noWireshark = (await which('tshark')) === undefined
if (noWireshark) console.warn('transcripts are not read by an independent program: there is no tshark on this host')

/** What Wireshark makes of a transcript, given the keys that stand in it. `checksums`: see `dissect`. */
export async function readByWireshark(transcript: Transcript, checksums = false): Promise<Dissection[]> {
  const capture = join(temporaryDirectory(), 'public.pcapng')
  writeFileSync(capture, emitPcapng(toPackets(transcript), 'pub0'))
  return await dissect(capture, transcript, checksums)
}
