/** Whether an addon is of these sources: one that was built from older ones would fail in the middle of the work. */

import { batchLayout } from '../packet/batch.ts'
import type { Native } from './native.ts'

/** The compiler sees to it that none is missing here. */
const FUNCTIONS: Record<keyof Native, true> = {
  layout: true,
  versions: true,
  attach: true,
  fetchRows: true,
  udpSocket: true,
  steerUdp: true,
  rawEspSocket: true,
  tunOpen: true,
  steerTun: true,
  steerTunSet: true,
  steerTunShare: true,
  steerTunDelete: true,
  steerTunSetPort: true,
  steerTunDeletePort: true,
  close: true,
  eventFd: true,
  signal: true,
  clearEvent: true,
  poller: true,
  wait: true,
  now: true,
  threadTime: true,
  watch: true,
  unwatch: true,
  coalesceUdp: true,
  receiveUdp: true,
  receiveOne: true,
  receiveRaw: true,
  receiveFill: true,
  sendEsp: true,
  sendTo: true,
  readTun: true,
  writeTun: true,
  readSuper: true,
  writeSuper: true,
  copySegments: true,
  sumSegments: true,
  engine: true,
  setPath: true,
  removePeer: true,
  installInbound: true,
  installOutbound: true,
  removeInbound: true,
  peersOf: true,
  removeOutbound: true,
  open: true,
  seal: true,
  expect: true,
  takeEvents: true,
  inboundUsage: true,
  outboundUsage: true,
  dhPublic: true,
  dhShared: true,
  digest: true,
  hmac: true,
  cbc: true,
  netfilterSocket: true,
  routeSocket: true,
  netlinkSend: true,
  netlinkReceive: true,
  addresses: true,
  deviceFeature: true,
  setDeviceFeature: true,
  peerCredentials: true,
  yieldThread: true,
}

/** Why an addon does not fit, or undefined where it does. */
export function misfit(addon: Partial<Native>): string | undefined {
  const missing = Object.keys(FUNCTIONS).filter(name => typeof addon[name as keyof Native] !== 'function')
  if (missing.length > 0) return `it has no ${missing.join(', ')}`
  const theirs = addon.layout!()
  const other = Object.entries(batchLayout).filter(([key, value]) => theirs[key] !== value)
  return other.length > 0 ? `its batches differ in ${other.map(([key]) => key).join(', ')}` : undefined
}
