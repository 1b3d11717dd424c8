/** RESET: hangs up sessions and peers, and sets counters to zero. */

import type { Command } from '../alliedware/parse.ts'
import { ipsecComment } from '../firewall/nft-ipsec.ts'
import type { AdminAnswer, Caller } from './caller.ts'
import type { CommandWorld } from './command-world.ts'
import type { Control } from './control.ts'
import { hangUp } from './live-changes.ts'
import { Severity } from './log.ts'

const done: AdminAnswer = { exit: 0, text: 'Operation successful.' }
const refusal = (text: string): AdminAnswer => ({ exit: 1, text: `Error: ${text}` })

export async function reset(w: CommandWorld, command: Command, caller: Caller): Promise<AdminAnswer> {
  const answer =
    ended(w.control, command, `reset by ${caller.user ?? `uid ${caller.uid}`}`) ?? (await zeroed(w, command))
  if (answer?.exit === 0) {
    const what = [...command.object, ...(command.value === undefined ? [] : [command.value])].join(' ')
    w.log.add({ severity: Severity.Notice, module: 'CH', text: `Reset: ${what}`, fields: { ...caller } })
  }
  return answer ?? refusal(`RESET ${command.object.join(' ').toUpperCase()} is not to be had here yet`)
}

/** DISABLE PPP=n of a session that is up; undefined where it is about a line that is none of ours. */
export function disablePpp(c: Control, command: Command, caller: Caller): AdminAnswer | undefined {
  const whole = [command.verb, ...command.object].join(' ')
  if (whole !== 'disable ppp' || command.value === undefined) return undefined
  return endSessions(c, s => s.name === `ppp${command.value}`, `disabled by ${caller.user ?? `uid ${caller.uid}`}`) > 0
    ? done
    : undefined
}

/** Ends what the command names; undefined where it is about counters. */
function ended(c: Control, command: Command, reason: string): AdminAnswer | undefined {
  const { value, args } = command
  if (args['counter'] !== undefined) return undefined
  const hit = (count: number, what: string) => (count > 0 || value === undefined ? done : refusal(`no ${what}${value}`))
  switch (command.object.join(' ')) {
    case 'session':
      return hit(
        endSessions(c, (_, id) => id === Number(value), reason),
        'session ',
      )
    case 'user':
      if (value === undefined) return undefined
      return hit(
        endSessions(c, s => s.user.toLowerCase() === value.toLowerCase(), reason),
        'session of user ',
      )
    case 'ppp':
      return hit(
        endSessions(c, s => value === undefined || s.name === `ppp${value}`, reason),
        'session ppp',
      )
    case 'l2tp tunnel': {
      const tunnels = c.l2tp.snapshot().tunnels.filter(t => t.localTunnelId === Number(value) && t.state !== 'closed')
      const calls = new Set(tunnels.flatMap(t => t.sessions.map(s => s.session)))
      endSessions(c, (_, id) => calls.has(id), reason)
      // With its last call a tunnel has ended by now; one that had none has not.
      for (const { peer, localTunnelId } of tunnels) c.closeTunnel(peer, localTunnelId, reason)
      return hit(tunnels.length, 'tunnel ')
    }
    case 'isakmp':
      return hit(
        endPeers(c, () => true, reason),
        '',
      )
    case 'isakmp policy':
      if (value !== undefined && !c.configuration.isakmp.policies.some(p => same(p.name, value)))
        return refusal(`ISAKMP policy "${value}" does not exist`)
      endPeers(c, p => value === undefined || same(p.policy, value), reason)
      return done
    case 'isakmp sa': {
      const peer = c.ike.snapshot().sas.find(s => s.id === Number(value))?.peer
      return hit(
        endPeers(c, p => p.peer === peer, reason),
        'ISAKMP SA ',
      )
    }
    case 'ipsec policy':
      if (value !== undefined && !c.configuration.ipsec.policies.some(p => same(p.name, value)))
        return refusal(`IPsec policy "${value}" does not exist`)
      endPeers(c, p => p.ipsecPolicy !== '' && (value === undefined || same(p.ipsecPolicy, value)), reason)
      return done
    default:
      return undefined
  }
}

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()

function endSessions(
  c: Control,
  fits: (s: { readonly name: string; readonly user: string }, id: number) => boolean,
  reason: string,
): number {
  const hit = [...c.sessions.all].filter(([id, s]) =>
    fits({ name: s.name, user: s.admission?.kind === 'accepted' ? s.admission.user : '' }, id),
  )
  for (const [id] of hit) c.closeSession(id, reason)
  return hit.length
}

function endPeers(
  c: Control,
  fits: (p: { readonly peer: number; readonly policy: string; readonly ipsecPolicy: string }) => boolean,
  reason: string,
): number {
  const hit = [...c.peers.all.values()].filter(fits)
  for (const { peer } of hit) hangUp(c, peer, reason)
  return hit.length
}

/** Sets what the command names to zero; undefined where it is about something else. */
async function zeroed(w: CommandWorld, command: Command): Promise<AdminAnswer | undefined> {
  const c = w.control
  const { value } = command
  switch (command.object.join(' ')) {
    case 'user':
      if (value !== undefined && !c.admissions.counts.delete(value.toLowerCase()) && !c.residents.knows(value))
        return refusal(`user "${value}" does not exist`)
      if (value === undefined) c.admissions.counts.clear()
      return done
    case 'isakmp counter':
      c.ike.clearCounters()
      return done
    // They count the same packets.
    case 'enco counters':
    case 'ipsec counter': {
      c.peers.clearTraffic()
      const comments = new Set(
        c.configuration.ipsec.policies.flatMap(p => [ipsecComment(p.name, 'in'), ipsecComment(p.name, 'out')]),
      )
      const host = await w.hostCounters?.()
      host?.reset(comment => comments.has(comment))
      return done
    }
    case 'l2tp counter':
      c.l2tp.clearCounters()
      return done
    case 'ppp':
      if (value !== undefined) return refusal('COUNTER is for all of PPP: leave the number out')
      c.sessions.clearCounters()
      return done
    case 'counter':
      c.ike.clearCounters()
      c.l2tp.clearCounters()
      c.sessions.clearCounters()
      c.world.stats.clearTotals()
      return done
    default:
      return undefined
  }
}
