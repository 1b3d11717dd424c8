/** What the kernel tells of connections that went through its translation, and whose account they are on. */

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildRuleset } from '../../src/firewall/compile.ts'
import { accountOf } from '../../src/firewall/host-accounting.ts'
import { nftablesTable } from '../../src/firewall/nftables.ts'
import { CONNTRACK_GONE_GROUP, type GoneConnection, parseGone } from '../../src/gateway/conntrack.ts'
import { fromHex } from '../../src/packet/bytes.ts'
import { ipv4 } from '../../src/packet/ip.ts'
import { addonPath } from '../native/support.ts'
import { KernelRouter, whyNoKernelRouter } from './kernel.ts'
import { firewall, INTERNET, LAN_HOST, OFFICE, one, port, rule, SURROUNDINGS, udp } from './office.ts'

const FORWARD = rule({
  number: 5,
  action: 'allow',
  interface: 'eth0',
  protocol: 17,
  ip: one(LAN_HOST),
  port: port(53),
  globalIp: one(OFFICE),
  globalPort: port(5353),
})
const policy = { accounting: true, rules: [FORWARD] }

/** Hears of what begins from now on and goes; on a word has the kernel forget all there is, and prints what it was told. */
const LISTENER = `
const native = require(process.argv[1])
const fd = native.netfilterSocket(${CONNTRACK_GONE_GROUP})
console.log('ready')
process.stdin.once('data', () => {
  // IPCTNL_MSG_CT_DELETE of everything of IPv4.
  native.netlinkSend(fd, Uint8Array.of(20, 0, 0, 0, 2, 1, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0))
  const buffer = new Uint8Array(65536)
  setTimeout(() => {
    for (let n = native.netlinkReceive(fd, buffer); n > 0; n = native.netlinkReceive(fd, buffer))
      console.log(Buffer.from(buffer.subarray(0, n)).toString('hex'))
    process.exit()
  }, 100)
})`

const why = whyNoKernelRouter()
if (why !== undefined) {
  console.log(`the kernel is not asked what connections carried: ${why}`)
} else {
  describe('connections through the kernel', () => {
    let router: KernelRouter
    beforeAll(async () => {
      router = await KernelRouter.open()
      for (const name of ['nf_conntrack_acct', 'nf_conntrack_timestamp'])
        router.ask('sysctl', '-qw', `net.netfilter.${name}=1`)
      router.nft(
        nftablesTable({
          firewall: firewall(policy),
          tableName: 'floatgate_test',
          devices: { eth0: 'wan', vlan1: 'lan' },
          interfaces: SURROUNDINGS.interfaces,
          tunDevice: 'fg0',
          ports: [500, 4500],
        })!,
      )
    })
    afterAll(async () => {
      await router.close()
    })

    test('are told with their true ends, which say whose account they are on', async () => {
      const listener = ['netns', 'exec', router.namespace, process.execPath, '-e', LISTENER, addonPath]
      const child = spawn('ip', listener, { stdio: ['pipe', 'pipe', 'inherit'] })
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      expect((await lines.next()).value).toBe('ready')
      await router.send('lan', udp(LAN_HOST, 1000, INTERNET, 53, 100), true)
      await router.send('lan', udp(LAN_HOST, 1000, INTERNET, 53, 200), true)
      await router.send('wan', udp(INTERNET, 4000, OFFICE, 5353, 10), true)
      await router.send('lan', udp(LAN_HOST, 53, INTERNET, 4000, 500), true)
      child.stdin.write('enough\n')
      const gone: GoneConnection[] = []
      for (let line = await lines.next(); !line.done; line = await lines.next())
        gone.push(...parseGone(fromHex(line.value)))
      const of = (sourcePort: number) => gone.find(c => c.original.sourcePort === sourcePort)!
      const [out, into] = [of(1000), of(4000)]
      expect(out).toMatchObject({
        protocol: 17,
        original: { source: LAN_HOST, destination: INTERNET, destinationPort: 53 },
        reply: { source: INTERNET },
        packetsForward: 2,
        bytesForward: 356,
        packetsReverse: 0,
      })
      expect(out.ended! - out.started!).toBeLessThan(10_000)
      expect(into).toMatchObject({
        original: { source: INTERNET, destination: OFFICE, destinationPort: 5353 },
        reply: { source: LAN_HOST, sourcePort: 53 },
        packetsForward: 1,
        bytesForward: 38,
        packetsReverse: 1,
        bytesReverse: 528,
      })
      const ruleset = buildRuleset(firewall(policy), SURROUNDINGS)
      const account = (c: typeof out) => accountOf(ruleset, [one(ipv4('10.9.0.1'))], c.original.source, c.reply.source)
      expect(account(out)).toEqual({ policy: 'main', direction: 'out' })
      expect(account(into)).toEqual({ policy: 'main', direction: 'in' })
    })
  })
}
