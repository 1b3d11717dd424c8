/** The command line of floatgated. */

import { parseArgs } from 'node:util'

export interface Options {
  readonly config: string
  /** Whether --config was given: what SET CONFIG chose comes before the default, and behind this. */
  readonly configGiven: boolean
  readonly site: string
  /** Whether --site was given: a missing default site file is no fault. */
  readonly siteGiven: boolean
  readonly state: string
  readonly socket: string
  readonly check: boolean
  readonly help: boolean
  readonly version: boolean
  /** First start: make a pre-shared key and a user where there are none, and print them for the clients. */
  readonly firstStart: boolean
}

export const DEFAULTS = {
  config: '/etc/floatgate/gateway.cfg',
  site: '/etc/floatgate/site.json',
  state: '/var/lib/floatgate',
  socket: '/run/floatgate/ctl.sock',
} as const

export const USAGE = `usage: floatgated [--config FILE] [--site FILE] [--state DIR] [--socket PATH] [--check]

The L2TP/IPsec gateway, in the foreground. It needs root.

  --config FILE   the router's command script: else what SET CONFIG chose, flash/boot.cfg of the state directory,
                  or ${DEFAULTS.config}
  --site FILE     JSON: devices, placeholder values       (${DEFAULTS.site})
  --state DIR     flash, keys, users made at run time     (${DEFAULTS.state})
  --socket PATH   control socket for vpnctl               (${DEFAULTS.socket})
  --check         read the configuration, print every fault with its line or "ok", and exit
  --first-start   make a pre-shared key and a user where none are, and print what to type into the client
  --version       print the version and exit
  --help          print this and exit

Signals: SIGTERM and SIGINT end it cleanly, SIGHUP reads the configuration again (a faulty one changes nothing).
It prints "floatgate: ready" on standard error once it serves.
`

/** Throws an Error with a plain message where the arguments are wrong. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      config: { type: 'string' },
      site: { type: 'string' },
      state: { type: 'string' },
      socket: { type: 'string' },
      check: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean' },
      'first-start': { type: 'boolean' },
    },
    strict: true,
    allowPositionals: false,
  })
  return {
    config: values.config ?? DEFAULTS.config,
    configGiven: values.config !== undefined,
    site: values.site ?? DEFAULTS.site,
    siteGiven: values.site !== undefined,
    state: values.state ?? DEFAULTS.state,
    socket: values.socket ?? DEFAULTS.socket,
    check: values.check ?? false,
    help: values.help ?? false,
    version: values.version ?? false,
    firstStart: values['first-start'] ?? false,
  }
}
