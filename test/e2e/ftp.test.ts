/** FTP's active mode through a worker's translation, between the kernels of a client and a server: whole commands and halves. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { whyNoNetwork } from '../support/netns.ts'
import { type ClientProgram, Office } from '../support/office.ts'
import { accounts, officeScript, places } from '../support/plan.ts'

const lacking = await whyNoNetwork()
if (lacking !== undefined) console.warn(`FTP is not tried end to end: ${lacking}`)

const GLOBAL = '203.0.113.8'
const far = places.c3.address

/** Calls whoever asks for it, from port 20, and says by what it was asked. */
const SERVER = `const net = require('net')
net.createServer(c => {
  let text = ''
  c.on('error', () => {})
  c.on('data', d => {
    text += d
    const [whole, line] = /^(.*)\\r\\n/.exec(text) || []
    if (!whole) return
    text = text.slice(whole.length)
    const n = line.match(/\\d+/g).map(Number)
    const extended = line.startsWith('EPRT')
    const [a, b, e, f] = extended ? n.slice(1) : n
    const port = extended ? n[5] : n[4] * 256 + n[5]
    const data = net.connect({ host: [a, b, e, f].join('.'), port, localPort: 20 })
    data.on('error', () => {})
    data.end('asked by ' + line)
    c.write('200 ' + line.slice(0, 4) + '\\r\\n')
  })
}).listen(21, '0.0.0.0', () => console.log('serving'))`

/** Asks once, in two writes where `cut` says so, and again by the same connection; prints both answers. */
const CLIENT = `const net = require('net')
const [host, form, cut] = process.argv.slice(1)
setTimeout(() => { console.log('silence'); process.exit() }, 15000)
const heard = []
const control = net.connect(21, host)
control.setNoDelay(true)
control.on('error', e => { console.log(e.code); process.exit() })
const ask = () => {
  const { port } = calls.address()
  const own = control.localAddress
  const words = own.split('.').concat(port >> 8, port & 255).join(',')
  const command = (form === 'PORT' ? 'PORT ' + words : 'EPRT |1|' + own + '|' + port + '|') + '\\r\\n'
  const at = Number(cut)
  control.write(command.slice(0, at || undefined))
  if (at > 0) setTimeout(() => control.write(command.slice(at)), 20)
}
const calls = net.createServer(d => {
  let text = ''
  d.on('data', x => { text += x })
  d.on('end', () => {
    heard.push(text)
    if (heard.length < 2) return ask()
    console.log(JSON.stringify(heard))
    process.exit()
  })
}).listen(0, '0.0.0.0', () => control.on('connect', ask))`

describe.skipIf(lacking !== undefined)('a client behind a worker’s translation', () => {
  const office = new Office()
  let client: ClientProgram

  beforeAll(async () => {
    await office.raise(['c1', 'c3'])
    const pair = 'add firewall policy=main nat=enhanced int=dyn-callers gblinterface=eth0'
    const script = officeScript().replace(pair, `${pair} gblip=${GLOBAL}\nset firewall policy=main ftpdataport=rfc`)
    await office.startGateway(script, { workers: 2 })
    office.network.start('c3', 'ftp', process.execPath, '-e', SERVER)
    client = office.dial('c1', accounts.dialin1, '--route', '192.168.8.0/24', '--route', `${far}/32`)
    await client.connected()
  })
  afterAll(() => office.remove())

  it.each([
    ['PORT', 0],
    ['EPRT', 0],
    ['PORT', 9],
    ['PORT', 3],
    ['EPRT', 12],
  ])('is called by the server that it asks: %s, cut at %i', async (form, cut) => {
    const { output } = await client.run(process.execPath, '-e', CLIENT, far, form, String(cut))
    const wanted =
      form === 'PORT' ? /^asked by PORT 203,0,113,8,\d+,\d+$/ : /^asked by EPRT \|1\|203\.0\.113\.8\|\d+\|$/
    const heard = JSON.parse(output) as string[]
    expect(heard).toEqual([expect.stringMatching(wanted), expect.stringMatching(wanted)])
  })
})
