/** What an emulated machine has executed, as native/bench/guest_instructions.cc counts it, and whose code that was. */

import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readSync } from 'node:fs'
import { project } from '../test/support/netns.ts'

const HEADER = 16
const ENTRY = 16
/** Addresses of the kernel begin here. */
const KERNEL = 0xffff_8000_0000_0000n

/** A piece of a machine's memory with a name. */
export interface Range {
  readonly from: bigint
  readonly to: bigint
  readonly name: string
}

/** Instructions by the address of their block. */
export type Counts = ReadonlyMap<bigint, number>

export class Instructions {
  private readonly file: number

  constructor(path: string) {
    this.file = openSync(path, 'r')
  }

  /** Compiles the plugin into a folder, and answers its path. */
  static async plugin(folder: string): Promise<string> {
    const path = `${folder}/guest_instructions.so`
    const argv = ['-std=c++20', '-O2', '-shared', '-fPIC', '-fvisibility=hidden', '-fno-exceptions', '-fno-rtti']
    execFileSync('g++', [...argv, '-o', path, `${project}/native/bench/guest_instructions.cc`])
    return path
  }

  /** All that were executed since the machine was switched on. */
  total(): number {
    const words = this.read()
    let sum = 0n
    for (let i = 1; i < words.length; i += 2) sum += words[i]!
    return Number(sum)
  }

  counts(): Counts {
    const words = this.read()
    const counts = new Map<bigint, number>()
    for (let i = 0; i < words.length; i += 2) counts.set(words[i]!, Number(words[i + 1]!))
    return counts
  }

  close(): void {
    closeSync(this.file)
  }

  private read(): BigUint64Array {
    const header = new BigUint64Array(1)
    readSync(this.file, header, 0, 8, 0)
    const words = new BigUint64Array((Number(header[0]!) * ENTRY) / 8)
    readSync(this.file, words, 0, words.byteLength, HEADER)
    return words
  }
}

/** Where code was executed between two counts: shares by the names of ranges, the largest first. */
export function profile(before: Counts, after: Counts, ranges: readonly Range[]): [name: string, share: number][] {
  const sorted = ranges.toSorted((a, b) => (a.from < b.from ? -1 : 1))
  const shares = new Map<string, number>()
  let sum = 0
  for (const [address, count] of after) {
    const executed = count - (before.get(address) ?? 0)
    if (executed === 0) continue
    const name = nameOf(sorted, address) ?? (address >= KERNEL ? 'kernel, unknown' : 'other programs')
    shares.set(name, (shares.get(name) ?? 0) + executed)
    sum += executed
  }
  return [...shares].map(([name, n]): [string, number] => [name, n / sum]).sort(([, a], [, b]) => b - a)
}

function nameOf(sorted: readonly Range[], address: bigint): string | undefined {
  let low = 0
  for (let high = sorted.length; low < high; ) {
    const middle = (low + high) >> 1
    if (sorted[middle]!.from <= address) low = middle + 1
    else high = middle
  }
  const range = sorted[low - 1]
  return range !== undefined && address < range.to ? range.name : undefined
}

/** Functions of /proc/kallsyms or of nm, each until the next begins, named by `named` (module: undefined where there is none). */
export function functionRanges(
  list: string,
  named: (symbol: string, module: string | undefined) => string,
  /** Where the file of these functions begins in memory, if it was not linked to a fixed place. */
  base = 0n,
): Range[] {
  const symbols = list
    .split('\n')
    .map(line => /^([0-9a-f]+) [tTwW] (\S+)(?:\s+\[(\S+)\])?/.exec(line))
    .filter(found => found !== null)
    .map(([, at, symbol, module]) => ({ at: base + BigInt(`0x${at}`), name: named(symbol!, module) }))
    .sort((a, b) => (a.at < b.at ? -1 : 1))
  return symbols.map(({ at, name }, i) => ({ from: at, to: symbols[i + 1]?.at ?? at + 4096n, name }))
}

/** Where a process has a file, by its /proc/PID/maps. */
export function baseOf(maps: string, file: string): bigint {
  const line = maps.split('\n').find(l => l.endsWith(`/${file}`))
  return BigInt(`0x${line?.split('-')[0] ?? '0'}`)
}

/** What V8 compiled, by the map that `--perf-basic-prof` writes; of two at one place the later is there. */
export function compiledRanges(map: string): Range[] {
  const byPlace = new Map<string, Range>()
  for (const [, at, size, name] of map.matchAll(/^([0-9a-f]+) ([0-9a-f]+) (.*)$/gm)) {
    const from = BigInt(`0x${at}`)
    byPlace.set(at!, { from, to: from + BigInt(`0x${size}`), name: name!.replace(/file:\/\/\S*\//, '') })
  }
  return [...byPlace.values()]
}

/** The executable pieces of a process by its /proc/PID/maps; what belongs to no file was compiled as it ran. */
export function processRanges(maps: string, compiled: string): Range[] {
  return maps
    .split('\n')
    .map(line => /^([0-9a-f]+)-([0-9a-f]+) ..x. \S+ \S+ \S+\s*(.*)$/.exec(line))
    .filter(found => found !== null)
    .map(([, from, to, path]) => ({
      from: BigInt(`0x${from}`),
      to: BigInt(`0x${to}`),
      name: path === '' ? compiled : path!.split('/').at(-1)!,
    }))
}
