/** The firewall's rules as they are at this time of day, compiled for the workers. */

import { buildRuleset } from '../firewall/compile.ts'
import type { Firewall } from '../firewall/policy.ts'
import type { Ruleset } from '../firewall/ruleset.ts'
import { type Moment, RuleSchedule } from '../firewall/schedule.ts'
import type { Surroundings } from '../firewall/surroundings.ts'
import type { Millis } from '../machine.ts'
import type { ControlWorld } from './control-world.ts'

export class RulesNow {
  private readonly schedule = new RuleSchedule()
  private readonly world: Pick<ControlWorld, 'clock' | 'wall' | 'data'>

  constructor(world: RulesNow['world']) {
    this.world = world
  }

  /** Rules that are taken into use: those with a TTL live from now on. `until`: when others may be in force. */
  take(firewall: Firewall, around: Surroundings): { readonly ruleset: Ruleset; readonly until: Millis | undefined } {
    const inForce = this.schedule.at(firewall, this.moment())
    return { ruleset: this.build(inForce.firewall, around), until: inForce.until }
  }

  /** What `take` would answer, without taking them into use. */
  look(firewall: Firewall, around: Surroundings): Ruleset {
    return this.build(this.schedule.at(firewall, this.moment(), false).firewall, around)
  }

  private build(firewall: Firewall, around: Surroundings): Ruleset {
    return buildRuleset(firewall, { ...around, workers: this.world.data.workers })
  }

  private moment(): Moment {
    const wall = this.world.wall()
    const secondOfDay = wall.getHours() * 3600 + wall.getMinutes() * 60 + wall.getSeconds()
    return { now: this.world.clock.now(), day: wall.getDay(), secondOfDay }
  }
}
