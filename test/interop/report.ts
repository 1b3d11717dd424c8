/** The results of a run as a Markdown table. */
import type { Scenario } from './expectations.ts'

export interface Result {
  readonly scenario: Scenario
  readonly outcome: 'passed' | 'failed' | 'skipped'
  readonly seconds: number
  readonly text: string
}

/** @param programs what each kind of client is made of */
export function markdown(results: readonly Result[], gateway: string, programs: readonly string[], date: Date): string {
  const count = (outcome: Result['outcome']) => results.filter(result => result.outcome === outcome).length
  const cell = (text: string) => (text.split('\n')[0] ?? '').replaceAll('|', '\\|')
  const rows = results.map(
    ({ scenario: { name, about, guest, daemon }, outcome, seconds, text }) =>
      `| ${name} | ${guest ?? daemon?.name ?? 'strongSwan'} | ${cell(about)} | ${outcome} | ${seconds.toFixed(1)} | ${cell(text)} |`,
  )
  return `# ${gateway} against real clients

${date.toISOString().slice(0, 16).replace('T', ' ')} UTC. Clients: ${programs.join('; ')}.

| scenario | client | what it plays | result | seconds | what was seen |
|---|---|---|---|---|---|
${rows.join('\n')}

${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped.
`
}
