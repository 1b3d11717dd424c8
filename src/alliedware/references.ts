/** At the end of a script: does everything that it refers to appear in it? Order does not matter, so only then. */

import type { BundleSpecification, Configuration, Fault } from './config.ts'
import { sameName } from './draft.ts'
import { inertMaker } from './inert.ts'
import { ipsecOrder } from './ipsec-order.ts'
import { identityOf } from './kept.ts'
import type { Kind } from './kind.ts'
import type { Command } from './parse.ts'
import { formatRange } from './value.ts'

/** Where each object was made or last changed. */
export class Origins {
  private readonly lines = new Map<string, number>()

  note(command: Command, line: number): void {
    const { kind } = command.entry
    if (kind) this.lines.set(`${kind} ${identityOf(command)}`, line)
  }

  line(kind: Kind, identity: string | number): number {
    return this.lines.get(`${kind} ${String(identity).toLowerCase()}`) ?? 1
  }
}

/** Faults of references. `knownKeys` are the ENCO keys that the key store has beside the script's. */
export function checkReferences(c: Configuration, origins: Origins, knownKeys: readonly number[]): Fault[] {
  const faults: Fault[] = []
  const wrong = (kind: Kind, of: string | number, text: string, severity: Fault['severity'] = 'error') =>
    faults.push({ line: origins.line(kind, of), severity, text: `${kind} "${of}": ${text}` })
  /** An object that nothing makes; one that only waits for a placeholder is worth a warning. */
  const absent = (kind: Kind, of: string | number, what: Kind, identity: string | number, called = identity) => {
    const waits = inertMaker(c, what, String(identity)) !== undefined
    if (waits) wrong(kind, of, `${what} "${called}" waits for placeholders to be filled`, 'warning')
    else wrong(kind, of, `${what} "${called}" does not exist`)
  }

  for (const { template, ipPool, authentication } of c.pppTemplates) {
    if (authentication === 'none' && c.l2tp.ranges.some(r => r.pppTemplate === template))
      wrong('PPP template', template, 'without AUTHENTICATION all who have the pre-shared key get in', 'warning')
    if (authentication === 'pap') wrong('PPP template', template, 'PAP is not spoken: CHAP is asked for', 'warning')
    if (ipPool !== undefined && !c.ip.pools.some(p => sameName(p.name, ipPool)))
      absent('PPP template', template, 'IP pool', ipPool)
  }
  for (const { pppTemplate, ...range } of c.l2tp.ranges) {
    if (!c.pppTemplates.some(t => t.template === pppTemplate))
      absent('L2TP range', formatRange(range), 'PPP template', pppTemplate)
  }
  checkFirewall(c, wrong, absent)
  checkIpsec(c, wrong, absent)
  for (const { name, key, authType, mode, group, peer } of c.isakmp.policies) {
    const never = (text: string) => wrong('ISAKMP policy', name, `${text}: it is never agreed to`, 'warning')
    if (mode === 'aggressive') never('MODE=AGGRESSIVE tells everybody a hash of the key')
    if (group === 0) never('GROUP=0 is MODP-512')
    if (typeof peer === 'string' && peer !== 'any') never('PEER must be an address or ANY')
    // Whether there are certificates, the gateway knows.
    if (authType !== 'preshared') continue
    if (key === undefined) wrong('ISAKMP policy', name, 'has no KEY: its negotiations will fail', 'warning')
    else if (!knownKeys.includes(key) && !c.encoKeys.some(k => k.id === key))
      wrong('ISAKMP policy', name, `ENCO key ${key} does not exist (yet): its negotiations fail without it`, 'warning')
  }
  return faults
}

/** What a command at the prompt has left open, as its warnings: what a script is told at its end, and was not so before. */
export function leftOpen(before: Configuration, after: Configuration, knownKeys: readonly number[]): string[] {
  const textsOf = (c: Configuration) => checkReferences(c, new Origins(), knownKeys).map(f => f.text)
  const known = new Set(textsOf(before))
  return textsOf(after).filter(text => !known.has(text))
}

type Wrong = (kind: Kind, of: string | number, text: string, severity?: Fault['severity']) => void
type Absent = (kind: Kind, of: string | number, what: Kind, identity: string | number, called?: string | number) => void

function checkFirewall(c: Configuration, _wrong: Wrong, absent: Absent): void {
  for (const policy of c.firewall.policies) {
    const member = (kind: Kind, of: string, name: string) => {
      if (!policy.interfaces.some(i => i.name === name))
        absent(kind, of, 'firewall interface', `${policy.name} ${name}`, name)
    }
    for (const { name } of policy.interfaces) {
      const template = /^dyn-(.*)$/.exec(name)?.[1]
      if (template !== undefined && !policy.dynamics.some(d => d.name === template))
        absent(
          'firewall interface',
          `${policy.name} ${name}`,
          'firewall template',
          `${policy.name} ${template}`,
          template,
        )
    }
    for (const rule of policy.rules) {
      const of = `${policy.name} ${rule.number}`
      member('firewall rule', of, rule.interface)
      if (rule.list !== undefined && !policy.lists.some(l => l.name === rule.list))
        absent('firewall rule', of, 'firewall list', `${policy.name} ${rule.list}`, rule.list)
      if (rule.group !== undefined && !policy.dynamics.some(d => d.name === rule.group))
        absent('firewall rule', of, 'firewall template', `${policy.name} ${rule.group}`, rule.group)
    }
    for (const { number, interface: name } of policy.limitRules) {
      if (name !== undefined) member('firewall limit rule', `${policy.name} ${number}`, name)
    }
    for (const nat of policy.nats) {
      const of = `${policy.name} ${nat.interface} ${nat.globalInterface} ${nat.ip?.first ?? ''}`
      member('firewall NAT', of, nat.interface)
      member('firewall NAT', of, nat.globalInterface)
    }
  }
}

function checkIpsec(c: Configuration, wrong: Wrong, absent: Absent): void {
  const { saSpecifications, bundles, policies } = c.ipsec
  for (const s of saSpecifications) {
    const gcm = s.encryption?.startsWith('aesgcm') === true
    if (s.protocol === 'esp' && (s.encryption === undefined || (s.hash === undefined && !gcm)))
      wrong('SA specification', s.id, 'ESP needs ENCALG and HASHALG')
    if (gcm && s.hash !== undefined && s.hash !== 'null')
      wrong('SA specification', s.id, 'AESGCM is its own HASHALG: leave it out')
    if (s.protocol === 'esp' && s.encryption === 'null' && s.hash === 'null')
      wrong('SA specification', s.id, 'ENCALG and HASHALG cannot both be NULL')
  }
  for (const bundle of bundles) {
    for (const id of new Set(bundle.alternatives.flat())) {
      if (!saSpecifications.some(s => s.id === id)) absent('bundle specification', bundle.id, 'SA specification', id)
    }
    for (const together of bundle.alternatives) {
      const protocols = together.map(id => saSpecifications.find(s => s.id === id)?.protocol ?? id)
      if (new Set(protocols).size < protocols.length)
        wrong('bundle specification', bundle.id, 'AND joins different protocols only')
    }
  }
  for (const bundle of bundles) {
    const used = policies.some(p => p.action === 'ipsec' && p.bundle === bundle.id)
    if (used) warnOfUseless(c, bundle, wrong)
  }
  for (const fault of ipsecOrder(policies)) wrong('IPsec policy', fault.policy, fault.text, 'warning')
  for (const { name, action, keyManagement, bundle, isakmpPolicy } of policies) {
    if (bundle !== undefined && !bundles.some(b => b.id === bundle))
      absent('IPsec policy', name, 'bundle specification', bundle)
    if (isakmpPolicy !== undefined && !c.isakmp.policies.some(p => sameName(p.name, isakmpPolicy)))
      absent('IPsec policy', name, 'ISAKMP policy', isakmpPolicy)
    if (action !== 'ipsec') continue
    if (bundle === undefined) wrong('IPsec policy', name, 'ACTION=IPSEC needs a BUNDLESPECIFICATION')
    if (keyManagement === undefined) wrong('IPsec policy', name, 'ACTION=IPSEC needs KEYMANAGEMENT')
  }
}

/** Alternatives of a bundle that no client can get: only ESP in transport mode is spoken, by itself. */
function warnOfUseless(c: Configuration, bundle: BundleSpecification, wrong: Wrong): void {
  const never = (text: string) => wrong('bundle specification', bundle.id, `${text}: it is never agreed to`, 'warning')
  for (const together of bundle.alternatives) {
    const specifications = together.flatMap(id => c.ipsec.saSpecifications.filter(s => s.id === id))
    if (together.length > 1) never(`${together.join(' AND ')} is more than ESP alone`)
    for (const s of specifications) {
      if (s.protocol !== 'esp') never(`SA specification ${s.id} is not ESP`)
      else if (s.mode !== 'transport') never(`SA specification ${s.id} is not for transport mode, which L2TP needs`)
      else if (s.keyManagement !== 'isakmp') never(`SA specification ${s.id} has manual keys`)
    }
  }
}
