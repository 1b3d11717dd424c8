/**
 * The lab by hand (`npm run interop -- --hold`): lines from standard input, until its end.
 *
 *   c1 up [wanted...]   connects; wanted is 3des (the usual), aes, key=SECRET, password=WORD, user=NAME
 *   c1 down             leaves
 *   c1 cut              pulls the plug and boots the guest again
 *   c1 COMMAND...       anything else runs in the guest
 *                       c2 and c3 likewise; l1 and l3, which have libreswan, are booted when first named
 *   gw show session     a command of the router's language for the gateway
 */
import { createInterface } from 'node:readline'
import type { Cast } from './cast.ts'
import type { Client } from './client.ts'
import { libreswan } from './libreswan.ts'
import { aes128, type Settings, tripleDes } from './settings.ts'

export async function hold(cast: Cast): Promise<void> {
  const stage = await cast.stage()
  const print = (text: string) => process.stdout.write(`${text.trimEnd()}\n`)
  await stage.gateway.start()
  print(`ready: ${stage.gateway.name}; namespaces ${stage.world.network.id}-*, files ${stage.world.network.directory}`)
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, ...words] = line.trim().split(/\s+/)
    try {
      if (!name) continue
      if (name === 'gw') print((await stage.gateway.command?.(...words)) ?? 'it takes no commands')
      else if (name === 'c1' || name === 'c2' || name === 'c3') print(await order(stage[name], words))
      else if (name === 'l1') print(await order((await cast.stage(libreswan)).c1, words))
      else if (name === 'l3') print(await order((await cast.stage(libreswan)).c3, words))
      else print('c1, c2, c3, l1, l3 or gw?')
    } catch (error) {
      print(String(error))
    }
    print('.')
  }
}

async function order(client: Client, words: readonly string[]): Promise<string> {
  if (words[0] === 'up') return JSON.stringify(await client.connect(settings(client, words.slice(1))))
  if (words[0] === 'down')
    return (await client.disconnect()) ? 'left cleanly' : 'something was left or had to be forced'
  if (words[0] === 'cut') {
    await client.guest.cutPower()
    await client.guest.boot()
    return 'booted again'
  }
  const { status, output } = await client.guest.run(words.join(' '), 120_000)
  return `${output}status ${status}`
}

function settings(client: Client, words: readonly string[]): Partial<Settings> {
  const value = (key: string) => words.find(word => word.startsWith(`${key}=`))?.slice(key.length + 1)
  const key = value('key')
  return {
    ...(words.includes('aes') ? aes128 : tripleDes),
    account: { user: value('user') ?? client.account.user, password: value('password') ?? client.account.password },
    ...(key === undefined ? {} : { preSharedKey: key }),
  }
}
