import { describe, expect, it } from 'vitest'
import { DEFAULTS, parseOptions, USAGE } from '../../src/gateway/options.ts'

describe('the command line of floatgated', () => {
  it('has a default for everything', () => {
    expect(parseOptions([])).toEqual({
      ...DEFAULTS,
      siteGiven: false,
      configGiven: false,
      check: false,
      help: false,
      version: false,
      firstStart: false,
    })
  })

  it('takes every option, in both spellings', () => {
    const o = parseOptions([
      '--config',
      'a.cfg',
      '--site=b.json',
      '--state',
      'c',
      '--socket=d',
      '--check',
      '--first-start',
    ])
    expect(o).toEqual({
      config: 'a.cfg',
      configGiven: true,
      site: 'b.json',
      siteGiven: true,
      state: 'c',
      socket: 'd',
      check: true,
      help: false,
      version: false,
      firstStart: true,
    })
    expect(parseOptions(['-h']).help).toBe(true)
    expect(parseOptions(['--version']).version).toBe(true)
  })

  it.each([[['--cfg', 'x']], [['file']], [['--config']], [['--check=yes']]])('refuses %j in plain words', args => {
    expect(() => parseOptions(args)).toThrow(Error)
  })

  it('is explained by the usage, option by option', () => {
    for (const name of ['config', 'site', 'state', 'socket', 'check', 'first-start', 'version', 'help']) {
      expect(USAGE).toContain(`--${name}`)
    }
    for (const path of Object.values(DEFAULTS)) expect(USAGE).toContain(path)
  })
})
