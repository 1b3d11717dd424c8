/** The results of a run as a Markdown table. */
import type { Stage } from './expectations.ts'

export interface Result {
  readonly name: string
  readonly about: string
  readonly outcome: 'passed' | 'failed' | 'skipped'
  readonly seconds: number
  readonly text: string
}

/** What the clients are made of, such as "Linux 6.1, strongSwan 5.9.8-5". */
export async function clientPrograms({ c1 }: Stage): Promise<string> {
  const packages = 'strongswan-charon xl2tpd ppp'
  const { output } = await c1.guest.run(`dpkg-query -W -f '\${Package} \${Version}\\n' ${packages}; uname -sr`)
  return output.trim().split('\n').join(', ')
}

/** @param programs what the clients are made of */
export function markdown(results: readonly Result[], gateway: string, programs: string, date: Date): string {
  const count = (outcome: Result['outcome']) => results.filter(result => result.outcome === outcome).length
  const cell = (text: string) => (text.split('\n')[0] ?? '').replaceAll('|', '\\|')
  const rows = results.map(
    ({ name, about, outcome, seconds, text }) =>
      `| ${name} | ${cell(about)} | ${outcome} | ${seconds.toFixed(1)} | ${cell(text)} |`,
  )
  return `# ${gateway} against real clients

${date.toISOString().slice(0, 16).replace('T', ' ')} UTC. Clients: ${programs}.

| scenario | what it plays | result | seconds | what was seen |
|---|---|---|---|---|
${rows.join('\n')}

${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped.
`
}
