/**
 * Messages in the router's frame: `Info (1077003): Operation successful.` The seven digits are severity, module and message.
 *
 * The router's numbers are known for FIREWALL (module 77) and "Operation successful" (message 3) alone. The rest is our
 * table, which stays as it is: docs/cli.md has it.
 */

export type Severity = 'info' | 'warning' | 'error'

const severityDigits: Readonly<Record<Severity, number>> = { info: 1, warning: 2, error: 3 }

/** Module numbers by the first word of the object. */
export const messageModules: Readonly<Record<string, number>> = {
  alias: 36,
  ca: 90,
  certificate: 90,
  config: 49,
  enco: 39,
  file: 31,
  firewall: 77,
  ip: 5,
  ipsec: 81,
  isakmp: 82,
  l2tp: 68,
  log: 57,
  ppp: 3,
  radius: 46,
  ssh: 75,
  system: 34,
  user: 45,
}
/** The command line itself, and whatever has no module. */
export const COMMAND_MODULE = 35

export const messageNumbers = {
  /** Something to know, beside the rest. */
  note: 1,
  unknownCommand: 2,
  done: 3,
  /** A word, a parameter or a value is not what the command takes. */
  notUnderstood: 4,
  /** Understood, and refused as things stand. */
  refused: 5,
  /** It needs a privilege that the operator has not. */
  privilege: 6,
  /** A wrong password, or a place that is locked. */
  login: 7,
  /** A bug of ours. */
  internal: 8,
} as const

export function messageCode(severity: Severity, module: string | undefined, number: number): string {
  const digits = messageModules[module ?? ''] ?? COMMAND_MODULE
  return `${severityDigits[severity]}${String(digits).padStart(3, '0')}${String(number).padStart(3, '0')}`
}

const heads: readonly (readonly [head: string, severity: Severity])[] = [
  ['Error: ', 'error'],
  ['Warning: ', 'warning'],
]

/**
 * An answer with its messages framed: lines that begin with `Error: ` or `Warning: `, and the one that says all went well.
 * `number` is what an error's is.
 */
export function frameMessages(text: string, module: string | undefined, number: number): string {
  return text
    .split('\n')
    .map(line => {
      if (line === 'Operation successful.') return `Info (${messageCode('info', module, messageNumbers.done)}): ${line}`
      for (const [head, severity] of heads) {
        if (!line.startsWith(head)) continue
        const code = messageCode(severity, module, severity === 'error' ? number : messageNumbers.note)
        return `${head.slice(0, -2)} (${code}): ${line.slice(head.length)}`
      }
      return line
    })
    .join('\n')
}
