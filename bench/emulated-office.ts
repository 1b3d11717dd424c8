/** The office with an emulated machine in the gateway's place, and Floatgate on it. */

import { copyFileSync, cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { must } from '../test/support/command.ts'
import { type Network, project } from '../test/support/netns.ts'
import { gatewayLan, gatewayPublic, officeScript } from '../test/support/plan.ts'
import type { Card, EmulatedGateway, Parts } from './emulated-gateway.ts'

export const ADDON = 'floatgate.node'
export const SOCKET = '/run/ctl.sock'

/** Puts switches between the gateway's cables and TAP devices, which a machine in the namespace `gw` has as its cards. */
export async function giveCards(network: Network): Promise<Card[]> {
  for (const [cable, tap] of [
    ['pub0', 'tap0'],
    ['lan0', 'tap1'],
  ]) {
    await network.ip('gw', `address flush dev ${cable}`)
    await network.bridge('gw', `${cable}br`)
    await network.ip('gw', `link set ${cable} master ${cable}br`)
    await network.ip('gw', `tuntap add dev ${tap} mode tap`)
    await network.ip('gw', `link set ${tap} up master ${cable}br`)
  }
  return [
    { tap: 'tap0', name: 'pub0', address: `${gatewayPublic}/24` },
    { tap: 'tap1', name: 'lan0', address: `${gatewayLan}/24` },
  ]
}

/** Starts floatgated of this project there, and returns when it is ready. `words`: more environment, as a shell has it. */
export async function startFloatgate(machine: EmulatedGateway, parts: Parts, site: object, words = ''): Promise<void> {
  const { work } = machine
  const copy = `${work}/floatgate`
  for (const path of ['dist', 'native/build/Release', 'package.json', 'bin']) {
    cpSync(`${project}/${path}`, `${copy}/${path}`, { recursive: true })
  }
  symlinkSync(`${project}/node_modules`, `${copy}/node_modules`)
  copyFileSync(process.execPath, `${work}/node`)
  await copyLibraries(machine, parts)
  writeFileSync(`${work}/router.cfg`, officeScript())
  const interfaces = { eth0: 'pub0', vlan1: 'lan0' }
  writeFileSync(`${work}/site.json`, JSON.stringify({ interfaces, forceEncapsulation: true, ...site }))
  const options = `--config ${work}/router.cfg --site ${work}/site.json --state /run/state --socket ${SOCKET}`
  await machine.must(
    `mkdir -p /run/state; export ${words} PATH=${work}:$PATH LD_LIBRARY_PATH=${work}/lib
setsid ${copy}/bin/floatgated ${options} >/run/floatgated.log 2>&1 &
echo $! >/run/floatgated.pid
for _ in {1..360}; do grep -q 'floatgate: ready' /run/floatgated.log && exit 0; sleep 0.5; done
cat /run/floatgated.log; exit 1`,
    200_000,
  )
}

/** The libraries of Node and of the addon that the machine's root lacks. */
async function copyLibraries(machine: EmulatedGateway, parts: Parts): Promise<void> {
  mkdirSync(`${machine.work}/lib`)
  const linked = await must(['ldd', process.execPath, `${project}/native/build/Release/${ADDON}`])
  for (const [, path] of linked.matchAll(/=> (\/\S+)/g)) {
    if (!existsSync(`${parts.rootfs}${path}`)) copyFileSync(path!, `${machine.work}/lib/${path!.split('/').at(-1)}`)
  }
}
