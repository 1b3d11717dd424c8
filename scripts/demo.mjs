// `npm run demo`: an office, a Floatgate before it, and a simulated Windows XP behind a NAT that dials in, all in network
// namespaces of their own that are gone afterwards. Shows the dialogue, pings and downloads through the tunnel, asks the
// gateway what it sees, and hangs up. Needs root. `npm run demo -- win10` is Windows 10 instead.

import { setup } from './setup.mjs'

if (process.getuid() !== 0) {
  process.stderr.write('demo: root is needed (network namespaces, raw sockets, TUN devices): run "sudo npm run demo"\n')
  process.exit(1)
}
setup()
// In this same process, so that Ctrl-C reaches the one that has to clean up.
await import('../dist/test/support/demo.js')
