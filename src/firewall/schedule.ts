/** Which rules are in force at a moment: DAYS, AFTER and BEFORE by the local clock, TTL by how long a rule has been there. */

import type { Millis } from '../machine.ts'
import type { Firewall, FirewallRule } from './policy.ts'

/** A moment, as both clocks tell it. */
export interface Moment {
  readonly now: Millis
  /** Local time: 0 is Sunday. */
  readonly day: number
  readonly secondOfDay: number
}

export interface InForce {
  /** The firewall with those rules alone that are in force. */
  readonly firewall: Firewall
  /** When this may be different, or undefined where no rule depends on time. */
  readonly until: Millis | undefined
}

const DAY_MINUTES = 24 * 60
const MINUTE: Millis = 60_000

/** Remembers when rules with a TTL were first seen; everything else follows from the moment. */
export class RuleSchedule {
  private deadlines = new Map<string, { readonly rule: FirewallRule; readonly at: Millis }>()

  /** The same rule under the same number keeps its time; one that was changed begins anew, unless we only look. */
  at(firewall: Firewall, moment: Moment, begin = true): InForce {
    const deadlines: typeof this.deadlines = new Map()
    let until: Millis | undefined
    const sooner = (at: Millis) => {
      if (until === undefined || at < until) until = at
    }
    const policies = firewall.policies.map(policy => ({
      ...policy,
      rules: policy.rules.filter(rule => {
        if (rule.ttlSeconds !== undefined) {
          const key = `${policy.name.toLowerCase()} ${rule.number}`
          const known = this.deadlines.get(key)
          const at = known && same(known.rule, rule) ? known.at : moment.now + rule.ttlSeconds * 1000
          deadlines.set(key, { rule, at })
          if (at <= moment.now) return false
          sooner(at)
        }
        if (isTimed(rule)) sooner(moment.now + untilChange(rule, moment))
        return isActive(rule, moment.day, Math.floor(moment.secondOfDay / 60))
      }),
    }))
    if (begin) this.deadlines = deadlines
    return { firewall: { ...firewall, policies }, until }
  }
}

function same(a: FirewallRule, b: FirewallRule): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}

function isTimed(rule: FirewallRule): boolean {
  return rule.days !== undefined || rule.afterMinute !== undefined || rule.beforeMinute !== undefined
}

/** Behind midnight a time that began the day before still belongs to that day. */
function isActive(rule: FirewallRule, day: number, minute: number): boolean {
  const after = rule.afterMinute ?? 0
  const before = rule.beforeMinute ?? DAY_MINUTES
  const overMidnight = before <= after
  const inside = overMidnight ? minute >= after || minute < before : minute >= after && minute < before
  if (!inside) return false
  const began = overMidnight && minute < before ? (day + 6) % 7 : day
  return rule.days === undefined || rule.days.some(d => d === began)
}

/** To the next of its times, or to midnight, whichever comes first. */
function untilChange(rule: FirewallRule, moment: Moment): Millis {
  const minute = Math.floor(moment.secondOfDay / 60)
  const times = [rule.afterMinute, rule.beforeMinute, DAY_MINUTES].filter(
    m => m !== undefined && m > minute,
  ) as number[]
  const left = (Math.min(...times) - minute) * MINUTE
  return left - (moment.secondOfDay % 60) * 1000
}
