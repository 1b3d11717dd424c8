import { describe, expect, it } from 'vitest'
import { better, optionsFor, regressions, SHORT, table } from '../../bench/report.ts'

describe('the options of a benchmark', () => {
  it('are those for all, and its own before them', () => {
    const options = ['--seconds=1', '--gateway.seconds=3', '--crowd.clients=9']
    expect(optionsFor('gateway', options, false)).toEqual(['--seconds=3', '--seconds=1'])
    expect(optionsFor('crowd', options, false)).toEqual(['--clients=9', '--seconds=1'])
  })

  it('are short where all run, behind whatever was said', () => {
    expect(optionsFor('crowd', ['--crowd.clients=9'], true)).toEqual(['--clients=9', ...SHORT['crowd']!])
    expect(optionsFor('script', [], true)).toEqual([])
  })
})

describe('the table', () => {
  const row = { what: 'UDP', value: 123.4, unit: 'k packets/s', ratio: 2.5, against: 'SoftEther', remark: 'slow load' }

  it('tells figure, ratio and what it stands beside', () => {
    const text = table([{ name: 'gateway', status: 0, seconds: 9, rows: [row] }])
    expect(text.split('\n')[1]).toMatch(/^gateway {2}UDP +123 k packets\/s +2\.50 {2}SoftEther; slow load$/)
  })

  it('keeps the rows of a benchmark that failed, and tells of the failure', () => {
    const lines = table([
      { name: 'gateway', status: 1, seconds: 9, rows: [row] },
      { name: 'kernel', status: 'SIGTERM', seconds: 900, rows: [] },
      { name: 'esp', status: 0, seconds: 3, rows: [{ what: 'AES', skipped: 'no root' }] },
    ]).split('\n')
    expect(lines[1]).toContain('123 k packets/s')
    expect(lines[2]).toMatch(/^gateway +as a whole +failed +ended with 1 after 9 s$/)
    expect(lines[3]).toMatch(/^kernel +as a whole +failed +ended with SIGTERM after 900 s$/)
    expect(lines[4]).toMatch(/^esp +AES +not measured +no root$/)
  })
})

describe('regressions', () => {
  const row = { what: 'aes', value: 1, unit: 'GB/s', ratio: 2 }

  it('are ratios below a half, and rows that are missing', () => {
    expect(regressions([row], { aes: 4 })).toEqual([])
    expect(regressions([row], { aes: 4.1 })).toEqual(['aes: 2.00 times, and 4.1 are expected'])
    expect(regressions([row], { aes: 4, des: 1 })).toEqual(['des: not measured'])
  })

  it('are unknown where nothing is expected or something was not measured', () => {
    expect(regressions([row], undefined)).toBeUndefined()
    expect(regressions([row, { what: 'des', skipped: 'no compiler' }], { aes: 4 })).toBeUndefined()
  })

  it('are judged by the better of two runs', () => {
    const [best] = better([row], [{ ...row, ratio: 3 }])
    expect(best?.ratio).toBe(3)
    expect(better([row], [{ ...row, ratio: 1 }])).toEqual([row])
  })
})
