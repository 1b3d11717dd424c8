/**
 * The lines between the lab and the agent of a guest over its serial port; docs/windows-vms.md has the rules.
 *
 *   FG1 KIND BOOT NUMBER name=value... *CRC32
 */
import { crc32 } from 'node:zlib'

export type Kind = 'H' | 'Q' | 'B' | 'R'
export type Words = Readonly<Record<string, string>>

export interface Line {
  readonly kind: Kind
  /** Eight digits that name the agent's run: another after each restart of the guest. */
  readonly boot: string
  readonly number: number
  readonly words: Words
}

export const protocolVersion = 1

const plain = /[^A-Za-z0-9._:/\\,()-]/gu
const escaped = (text: string) =>
  text.replace(plain, c => [...Buffer.from(c)].map(byte => `%${byte.toString(16).padStart(2, '0')}`).join(''))

/** Latin-1: each character of the answer is a byte, whatever code page the guest writes. */
const unescaped = (text: string) =>
  text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

const checksum = (text: string) => crc32(Buffer.from(text, 'latin1')).toString(16).padStart(8, '0')

/** A line with its ends; the first one ends what noise may stand before it. */
export function emitLine({ kind, boot, number, words }: Line): string {
  const parts = Object.entries(words).map(([name, value]) => ` ${name}=${escaped(value)}`)
  const text = `FG${protocolVersion} ${kind} ${boot} ${number}${parts.join('')}`
  return `\r\n${text} *${checksum(text)}\r\n`
}

/** What a line says; undefined for noise and damage, and the version alone where that is not ours. */
export function parseLine(received: string): Line | { readonly version: number } | undefined {
  const [, text, version, sum] = /(FG(\d+) .*) \*([0-9a-f]{8})\s*$/.exec(received) ?? []
  if (text === undefined || checksum(text) !== sum) return undefined
  if (Number(version) !== protocolVersion) return { version: Number(version) }
  const [, kind, boot, number, ...words] = text.split(' ')
  if (!/^[HQBR]$/.test(kind ?? '') || !/^[0-9a-f]{8}$/.test(boot ?? '') || !/^\d+$/.test(number ?? '')) return undefined
  return { kind: kind as Kind, boot: boot!, number: Number(number), words: Object.fromEntries(words.map(pair)) }
}

function pair(word: string): [string, string] {
  const equals = word.indexOf('=')
  return equals < 0 ? [word, ''] : [word.slice(0, equals), unescaped(word.slice(equals + 1))]
}

/** Cuts what comes over a line into its lines, and forgets what grows longer than any of them. */
export class LineReader {
  private held = ''

  /** The whole lines that are complete with this. */
  take(chunk: string): string[] {
    const parts = (this.held + chunk).split(/[\r\n]+/)
    this.held = parts.pop()!.slice(-4096)
    return parts.filter(part => part !== '')
  }
}
