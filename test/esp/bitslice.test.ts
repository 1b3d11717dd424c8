/**
 * DES of the native addon, in bit slices and in bytes: its circuits proved, its results those of NIST and OpenSSL, and no branch or
 * address made from keys or data. `native/test/des.sh check 1000000` is the long form.
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lacking, toolchain } from '../support/toolchain.ts'
import { native } from './support.ts'

const sources = fileURLToPath(new URL('../../native/', import.meta.url))
const flags = ['-std=c++20', '-O2', '-fno-exceptions', '-fno-rtti']

const { compiler, openssl, valgrind, objdump, x86 } = toolchain

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'des-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe.skipIf(lacking(compiler))('the circuits', () => {
  test('are the S-boxes of FIPS 46-3, for all 64 inputs of each', () => {
    const program = join(folder, 'prove')
    execFileSync('g++', [...flags, '-o', program, join(sources, 'sbox/prove.cc')])
    const said = execFileSync(program).toString()
    expect(said).toMatch(/^gates of two inputs:( \d+){8} = \d+\ngates of three inputs:( \d+){8} = \d+\n$/)
  })
})

describe.skipIf(lacking(compiler))('the networks', () => {
  // That they are P and E are static_asserts of des_shuffle_kernel.h and des_nibble_kernel.h.
  test.each([
    ['network.cc', 'des_network.h'],
    ['nibbles.cc', 'des_nibbles.h'],
  ])('of sbox/%s are what it finds', (search, header) => {
    const program = join(folder, 'network')
    execFileSync('g++', [...flags, '-o', program, join(sources, 'sbox', search)])
    expect(execFileSync(program).toString()).toBe(readFileSync(join(sources, header), 'utf8'))
  })
})

describe.skipIf(lacking(compiler, openssl))('DES in bit slices and bytes', () => {
  const program = () => join(folder, 'des')
  beforeAll(() => {
    execFileSync(join(sources, 'test/des.sh'), ['build', program()], { stdio: 'pipe' })
  })

  test('answers what NIST and OpenSSL answer, in every unit of this processor', () => {
    const said = execFileSync(program(), ['check', '20000']).toString()
    for (const unit of native.versions().des) expect(said).toContain(`[${unit}]`)
  })

  test.skipIf(lacking(valgrind))(
    'makes no branch and no address from keys or data; OpenSSL does',
    () => {
      const memcheck = (mode: string) => spawnSync('valgrind', ['-q', '--error-exitcode=9', program(), mode])
      const ours = memcheck('secret')
      expect(ours.stderr.toString()).toBe('')
      expect(ours.status).toBe(0)
      // valgrind has no AVX-512.
      for (const way of native.versions().des.filter(name => name !== 'avx512' && name !== 'vbmi')) {
        expect(ours.stdout.toString()).toContain(`[${way}]`)
      }
      expect(memcheck('leak').status).toBe(9)
    },
    120_000,
  )
})

/** The instructions of the object file that a source becomes, as objdump writes them. */
function instructions(source: string): string[] {
  const object = join(folder, 'object.o')
  execFileSync('g++', [...flags, '-fPIC', '-c', '-o', object, source])
  const listing = execFileSync('objdump', ['-d', '--no-show-raw-insn', object], { maxBuffer: 1 << 26 }).toString()
  return listing.split('\n').flatMap(line => /^\s+[0-9a-f]+:\s+(.*\S)/.exec(line)?.[1] ?? [])
}

/** Instructions by which what is in a vector register gets into a general one, the flags, a mask or an address. */
const escapes =
  /^(\{evex\} )?v?(movmsk|pmovmsk|pextr|ptest|testp|comis|ucomis|cvtt?s[sd]2|pcmp[ei]str|gather|pgather|scatter|pscatter|pcompress|pexpand|pmov[bwdq]2m|ptestn?m)|%k[1-7]|^v?mov[dq]\s+%[xyz]mm\d+,%[er]/

describe.skipIf(lacking(compiler, objdump, x86))('the compiled vectors', () => {
  test.each([
    'des_avx2.cc',
    'des_avx512.cc',
    'des_shuffle.cc',
    'des_vbmi.cc',
    'aes_ni.cc',
    'aes_vaes.cc',
    'aes_vaes512.cc',
  ])('of %s stay in vector registers and memory', source => {
    const all = instructions(join(sources, source))
    expect(all.filter(i => /%[xyz]mm/.test(i)).length).toBeGreaterThan(300)
    expect(all.filter(i => escapes.test(i))).toEqual([])
  })

  test('would be seen to leave them', () => {
    const source = join(folder, 'escape.cc')
    writeFileSync(
      source,
      `typedef unsigned long V __attribute__((vector_size(16)));
       unsigned long Escape(V v, const unsigned long* table) { return table[(v ^ (v >> 3))[0] & 1]; }`,
    )
    expect(instructions(source).filter(i => escapes.test(i)).length).toBeGreaterThan(0)
  })
})
