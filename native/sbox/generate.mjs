// Writes native/des_sboxes.h: the S-boxes of DES as circuits, found by search.cc with the seeds below.
//
//   node native/sbox/generate.mjs                  the same header again (some minutes)
//   node native/sbox/generate.mjs --seeds 100 150  tries those seeds and keeps in the table what does better
//
// The header is proved by prove.cc over all 64 inputs, whatever made it.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const tablePath = join(here, 'seeds.json')
const headerPath = join(here, '..', 'des_sboxes.h')
const ARITIES = [2, 3]
const INPUTS = 6

/** What search.cc prints, parsed. Node numbers below six are inputs. */
function find(program, box, arity, { seed, rounds, steps }) {
  const text = execFileSync(program, [box, arity, seed, rounds, steps].map(String), {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const circuit = { box, arity, cost: 0, gates: new Map(), outputs: [] }
  for (const line of text.toString().trim().split('\n')) {
    const [kind, ...rest] = line.split(' ')
    if (kind === 'box') circuit.cost = Number(rest[4])
    const n = rest.map(Number)
    if (kind === 'gate') circuit.gates.set(n[0], { inputs: n.slice(1, 4), table: n[4] })
    if (kind === 'output') circuit.outputs.push({ node: n[1], inverted: n[2] === 1 })
  }
  return circuit
}

const bit = (table, a, b, c) => (table >> ((a << 2) | (b << 1) | c)) & 1

/** Those of the gate's three places on which it depends. */
function places({ table }) {
  return [0, 1, 2].filter(p => {
    const stride = 4 >> p
    return [0, 1, 2, 3, 4, 5, 6, 7].some(i => !(i & stride) && ((table >> i) ^ (table >> (i + stride))) & 1)
  })
}

/**
 * An order of the gates in which few values are alive at once, found by trying: of the gates whose inputs are there,
 * one after which the fewest are alive.
 */
function schedule(circuit) {
  let state = 1
  const below = limit => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
  const readers = new Map()
  const uses = g => new Set(places(g).map(p => g.inputs[p]))
  for (const g of circuit.gates.values()) for (const n of uses(g)) readers.set(n, (readers.get(n) ?? 0) + 1)
  const kept = new Set(circuit.outputs.map(o => o.node))
  let best
  for (let round = 0; round < 3000; round++) {
    const left = new Map(readers)
    const done = new Set([0, 1, 2, 3, 4, 5])
    const order = []
    let alive = INPUTS
    let peak = alive
    let sum = 0
    while (order.length < circuit.gates.size) {
      let chosen
      for (const [name, gate] of circuit.gates) {
        if (done.has(name) || ![...uses(gate)].every(n => done.has(n))) continue
        const frees = [...uses(gate)].filter(n => left.get(n) === 1 && !kept.has(n)).length
        const rank = frees + below(1000) / 900 - (kept.has(name) ? -1 : 0)
        if (chosen === undefined || rank > chosen.rank) chosen = { name, gate, rank }
      }
      for (const n of uses(chosen.gate)) {
        left.set(n, left.get(n) - 1)
        if (left.get(n) === 0 && !(kept.has(n) && n >= INPUTS)) alive--
      }
      done.add(chosen.name)
      order.push(chosen.name)
      // An output is XORed away as soon as it is there, if nothing else reads it.
      if (!kept.has(chosen.name) || left.has(chosen.name)) alive++
      peak = Math.max(peak, alive)
      sum += alive
    }
    if (best === undefined || peak < best.peak || (peak === best.peak && sum < best.sum)) best = { order, peak, sum }
  }
  return best.order
}

/** AND, OR, XOR and AND-NOT: negations move along until they are gone, or stand at an output. */
function emitTwo(circuit) {
  const lines = []
  const stored = new Map()
  for (let i = 0; i < INPUTS; i++) stored.set(i, { name: `x${i}`, inverted: 0 })
  const masks = [0, 0, 0, 0]
  let gates = 0
  const finish = name => {
    circuit.outputs.forEach((o, i) => {
      if (o.node !== name) return
      const s = stored.get(name)
      lines.push(`y${i} = y${i} ^ ${s.name};`)
      if (o.inverted !== (s.inverted === 1)) masks[i] = 1
    })
  }
  for (const name of schedule(circuit)) {
    const gate = circuit.gates.get(name)
    const used = places(gate)
    const [a, b] = [stored.get(gate.inputs[0]), stored.get(gate.inputs[1])]
    const value = (p, q) => bit(gate.table, p ^ a.inverted, q ^ b.inverted, q ^ b.inverted)
    // A gate (a, b, b) is read where c equals b.
    const cells = [value(0, 0), value(0, 1), value(1, 0), value(1, 1)]
    const ones = cells.reduce((sum, v) => sum + v, 0)
    let text
    let inverted = 0
    if (ones === 2) {
      if (cells[0] === cells[1]) {
        stored.set(name, { name: a.name, inverted: cells[0] })
        finish(name)
        continue
      }
      if (cells[0] === cells[2]) {
        stored.set(name, { name: b.name, inverted: cells[0] })
        finish(name)
        continue
      }
      text = `${a.name} ^ ${b.name}`
      inverted = cells[0]
    } else if (ones === 1 || ones === 3) {
      const odd = cells.indexOf(ones === 1 ? 1 : 0)
      inverted = ones === 1 ? 0 : 1
      if (odd === 0) {
        text = `${a.name} | ${b.name}`
        inverted ^= 1
      } else if (odd === 1) text = `~${a.name} & ${b.name}`
      else if (odd === 2) text = `~${b.name} & ${a.name}`
      else text = `${a.name} & ${b.name}`
    } else throw new Error(`box ${circuit.box}: gate ${name} is constant (${used})`)
    gates++
    lines.push(`V g${name} = ${text};`)
    stored.set(name, { name: `g${name}`, inverted })
    finish(name)
  }
  for (const o of circuit.outputs) if (o.node < INPUTS) throw new Error('an output is an input')
  return { lines, gates: gates + 4, mask: masks.reduce((sum, m, i) => sum | (m << i), 0) }
}

/**
 * Any function of three; a last gate of two inputs takes the half block as its third. The instruction overwrites its
 * first operand, so one comes first that is not read again, and the half block, which is in memory, last.
 */
function emitThree(circuit) {
  const lines = []
  let gates = 0
  const order = schedule(circuit)
  const reads = n => new Set(places(circuit.gates.get(n)).map(p => circuit.gates.get(n).inputs[p]))
  const lastRead = new Map(order.flatMap((n, at) => [...reads(n)].map(input => [input, at])))
  const name = n => (n < INPUTS ? `x${n}` : `g${n}`)
  order.forEach((n, at) => {
    const { table, inputs } = circuit.gates.get(n)
    const used = places(circuit.gates.get(n))
    const dying = p => lastRead.get(inputs[p]) === at
    used.sort((p, q) => Number(dying(q)) - Number(dying(p)))
    const outputs = circuit.outputs.flatMap((o, i) => (o.node === n ? [{ ...o, i }] : []))
    const folds = outputs.length === 1 && !lastRead.has(n) && used.length <= 2
    const y = `y${outputs[0]?.i}`
    // Operands of the instruction, and the gate's value where the first reads i >> 2, the second i >> 1, the third i.
    const operands = used.map(p => name(inputs[p]))
    if (folds) operands[2] = y
    let number = 0
    for (let i = 0; i < 8; i++) {
      const values = [0, 0, 0]
      used.forEach((p, k) => {
        values[p] = (i >> (2 - k)) & 1
      })
      const value = bit(table, ...values) ^ (folds ? (i & 1) ^ (outputs[0].inverted ? 1 : 0) : 0)
      number |= value << i
    }
    operands[1] ??= operands[0]
    operands[2] ??= operands[1]
    const lut = (f, ...of) => `M::template Lut<0x${f.toString(16).padStart(2, '0')}>(${of.join(', ')})`
    gates++
    lines.push(folds ? `${y} = ${lut(number, ...operands)};` : `V g${n} = ${lut(number, ...operands)};`)
    for (const o of folds ? [] : outputs) {
      gates++
      // 0x3c is a ^ b, 0xc3 its complement.
      lines.push(`y${o.i} = ${o.inverted ? lut(0xc3, `g${n}`, `y${o.i}`, `y${o.i}`) : `y${o.i} ^ g${n}`};`)
    }
  })
  return { lines, gates, mask: 0 }
}

function header(circuits) {
  const text = [
    '// The S-boxes of DES as circuits of vector instructions. Written by sbox/generate.mjs; sbox/prove.cc proves it.',
    '//',
    "// A box takes its six bits, first bit first, and XORs its four into the other half's. Counted are all instructions.",
    '#pragma once',
    '',
    '#include <cstdint>',
    '',
    'namespace floatgate {',
  ]
  for (const arity of ARITIES) {
    const boxes = circuits.filter(c => c.arity === arity).map(c => (arity === 2 ? emitTwo(c) : emitThree(c)))
    const counts = boxes.map(b => b.gates)
    text.push(
      '',
      arity === 2
        ? '// Of AND, OR, XOR and AND-NOT. Bit i of kInverted: output i of that box is XORed in as its complement.'
        : '// Of any functions of three inputs, which M::Lut computes: bit (a << 2 | b << 1 | c) of its number.',
      `// ${counts.reduce((sum, n) => sum + n, 0)} instructions: ${counts.join(', ')}.`,
      'template <class M>',
      `struct DesBoxes${arity} {`,
      '  using V = typename M::V;',
      `  static constexpr uint8_t kInverted[8] = {${boxes.map(b => b.mask).join(', ')}};`,
      `  static constexpr int kInstructions[8] = {${counts.join(', ')}};`,
    )
    boxes.forEach(({ lines }, i) => {
      text.push(
        '',
        `  static inline __attribute__((always_inline)) void Box${i + 1}(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,`,
        '                                                          V& y2, V& y3) {',
        ...lines.map(l => `    ${l}`),
        '  }',
      )
    })
    text.push('};')
  }
  text.push('', '}  // namespace floatgate', '')
  return text.join('\n')
}

const build = mkdtempSync(join(tmpdir(), 'sbox-'))
try {
  const program = join(build, 'search')
  execFileSync('g++', ['-std=c++20', '-O3', '-o', program, join(here, 'search.cc')])
  const table = JSON.parse(readFileSync(tablePath, 'utf8'))
  const at = process.argv.indexOf('--seeds')
  const [from, to] = at < 0 ? [1, 0] : process.argv.slice(at + 1).map(Number)
  const circuits = []
  for (const entry of table) {
    let best = find(program, entry.box, entry.inputs, entry)
    for (let seed = from; seed <= to; seed++) {
      const tried = find(program, entry.box, entry.inputs, { ...entry, seed })
      if (tried.cost >= best.cost) continue
      best = tried
      entry.seed = seed
    }
    entry.instructions = best.cost
    console.log(`box ${entry.box}, gates of ${entry.inputs} inputs: ${best.cost} instructions (seed ${entry.seed})`)
    circuits.push(best)
  }
  writeFileSync(
    tablePath,
    `[\n${table.map(e => `  ${JSON.stringify(e).replaceAll(':', ': ').replaceAll(',', ', ').replace('{', '{ ').replace('}', ' }')}`).join(',\n')}\n]\n`,
  )
  writeFileSync(headerPath, header(circuits))
} finally {
  rmSync(build, { recursive: true })
}
