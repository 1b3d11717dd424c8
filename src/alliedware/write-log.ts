/** The written script's lines about the log. */

import { formatSeverity } from './commands/log.ts'
import { type LogConfig, type LogOutput, outputDefaults } from './log-config.ts'
import { ip, line, lineIfAny, quoted, unless, when } from './write-line.ts'

export function writeLog(c: LogConfig): string[] {
  return [...when(!c.enabled, 'disable log'), ...c.outputs.flatMap(writeOutput)]
}

function writeOutput(o: LogOutput): string[] {
  const head = `log output=${o.id}`
  const settings = {
    server: ip(o.server),
    port: unless(o.port, outputDefaults.port),
    messages: o.messages,
    facility: unless(o.facility, outputDefaults.facility),
    syslogformat: unless(o.format, outputDefaults.format),
  }
  // The buffer is there without a word.
  const made =
    o.id === 'temporary'
      ? lineIfAny(`set ${head}`, settings)
      : [line(`create ${head}`, { destination: o.destination, ...settings })]
  return [
    ...made,
    ...o.filters.map(f => {
      const conditions = {
        severity: formatSeverity(f.severity),
        module: quoted(f.module),
        type: quoted(f.type),
        subtype: quoted(f.subtype),
        msgtext: quoted(f.text),
      }
      const all = Object.values(conditions).every(value => value === undefined) ? ' all' : ''
      return line(`add ${head} filter=${f.id}${all}`, { action: unless(f.action, 'process'), ...conditions })
    }),
    ...when(!o.enabled, `disable ${head}`),
  ]
}
