/** CAPTURE and DISABLE CAPTURE: who may capture whom into which file, and that the log tells of it. */

import { closeSync, createWriteStream, openSync, writeFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { Command } from '../alliedware/parse.ts'
import type { AdminAnswer, Caller } from './caller.ts'
import type { CaptureResult, CaptureSink, CaptureTarget } from './capture.ts'
import type { Control } from './control.ts'
import { makeDirectory } from './directory.ts'
import { type Log, Severity } from './log.ts'
import { refusal } from './show-answer.ts'

export interface CaptureCommandWorld {
  readonly control: Control
  readonly log: Log
  /** The directory for captures; where there is none, none can be made. */
  readonly captures?: string
  readonly tell?: (terminal: number, text: string) => boolean
}

const DEFAULT_SECONDS = 60
const DEFAULT_MEGABYTES = 10
const MEGABYTE = 1_000_000
/** What waits for the disk: more is left out. */
const MOST_WAITING = 32 * MEGABYTE

/** Undefined where the command is another. */
export function captureCommand(w: CaptureCommandWorld, command: Command, caller: Caller): AdminAnswer | undefined {
  if (command.verb === 'disable' && command.object[0] === 'capture') {
    const who = caller.user ?? `uid ${caller.uid}`
    return w.control.captures.end(`ended by ${who}`)
      ? { exit: 0, text: 'Operation successful.' }
      : refusal('nothing is captured')
  }
  if (command.verb !== 'capture') return undefined
  const { args } = command
  const target = targetOf(args)
  if (target === undefined) return refusal('CAPTURE takes one of USER, PEER and SESSION')
  const place = placeOf(w, String(args['file']), caller)
  if (typeof place === 'object') return place
  const keys = args['keys'] === true
  let sink: CaptureSink
  try {
    if (w.captures !== undefined) makeDirectory(w.captures, 0o700)
    sink = fileSink(place, keys)
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code ?? ''
    return refusal(code === 'EEXIST' ? `${place} exists already` : `${place} cannot be made: ${code}`)
  }
  const who = `${caller.user ?? `uid ${caller.uid}`}${caller.from === undefined ? '' : ` at ${caller.from}`}`
  const say = (text: string) => w.log.add({ severity: Severity.Important, module: 'CH', text, fields: { file: place } })
  const late: { done?: (text: string) => void } = {}
  const end = w.control.captures.start({
    target,
    keys,
    sink,
    seconds: typeof args['seconds'] === 'number' ? args['seconds'] : DEFAULT_SECONDS,
    bytes: (typeof args['megabytes'] === 'number' ? args['megabytes'] : DEFAULT_MEGABYTES) * MEGABYTE,
    ended: result => {
      const text = `Capture ended: ${resultText(result)}`
      say(text)
      late.done?.(text)
    },
  })
  if (end === undefined) {
    sink.close(undefined)
    return refusal('another capture is under way: DISABLE CAPTURE ends it')
  }
  say(
    `Capture of ${command.parameters.filter(p => /^(user|peer|session)$/.test(p.name)).map(p => `${p.name} ${p.text}`)} into ${place}${keys ? ', with keys,' : ''} begun by ${who}`,
  )
  const { terminal } = caller
  if (terminal !== undefined) late.done = text => void w.tell?.(terminal, text)
  return {
    exit: 0,
    text: `Capturing into ${place}${keys ? `, ${place}.ikev1_decryption_table and ${place}.esp_sa` : ''}.`,
    data: { file: place },
    follow: {
      millis: 3_700_000,
      start: (write, done) => {
        late.done = text => {
          write(text)
          done()
        }
        return () => end(`ended by ${who}`)
      },
    },
  }
}

function targetOf(args: Command['args']): CaptureTarget | undefined {
  const { user, peer, session } = args
  if ([user, peer, session].filter(x => x !== undefined).length !== 1) return undefined
  if (typeof user === 'string') return { user }
  if (typeof session === 'number') return { session }
  // Peers are numbered from 1 up to some thousands; no client has such an address.
  return typeof peer === 'number' ? (peer <= 0xffff ? { peer } : { address: peer }) : undefined
}

/** A name goes into our own directory; a path is for root on this host, who can write there anyway. */
function placeOf(w: CaptureCommandWorld, file: string, caller: Caller): string | AdminAnswer {
  if (isAbsolute(file)) {
    const isRoot = caller.uid === 0 && caller.user === undefined
    return isRoot ? file : refusal('only root on the host chooses a directory: FILE takes a name')
  }
  if (w.captures === undefined) return refusal('nothing can be captured here')
  if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(file)) return refusal('FILE takes a name of letters, digits, ".", "_" and "-"')
  return join(w.captures, file)
}

/** Throws where one of the files exists already, or cannot be made. */
function fileSink(path: string, keys: boolean): CaptureSink {
  const tables = { ike: `${path}.ikev1_decryption_table`, esp: `${path}.esp_sa` }
  const fd = openSync(path, 'wx', 0o600)
  if (keys) for (const table of Object.values(tables)) closeSync(openSync(table, 'wx', 0o600))
  const stream = createWriteStream(path, { fd })
  // A full disk ends nothing but this file.
  let fault: string | undefined
  stream.on('error', e => {
    fault = e.message
  })
  return {
    write: bytes => {
      if (!stream.writable || stream.writableLength > MOST_WAITING) return false
      stream.write(bytes)
      return true
    },
    close: texts => {
      stream.end()
      try {
        if (texts !== undefined) {
          writeFileSync(tables.ike, texts.ike)
          writeFileSync(tables.esp, texts.esp)
        }
      } catch (e) {
        fault ??= (e as Error).message
      }
      return fault
    },
  }
}

function resultText({ packets, bytes, leftOut, why }: CaptureResult): string {
  const lost = leftOut === 0 ? '' : `, ${leftOut} left out`
  return `${packets} packets, ${bytes} bytes${lost}: ${why}`
}
