/** What the firewall commands share: the names of policies, and changing one of them. */

import type { AddressRange, FirewallPolicy } from '../../firewall/policy.ts'
import { type Draft, sameName } from '../draft.ts'
import type { Report } from '../grammar.ts'
import type { Entries } from '../list-file.ts'
import { identifier, naming, type ValueType } from '../value.ts'

export const policyName = naming('firewall policy', identifier(15))
/** Template names are kept in lower case, as the interface name `dyn-NAME` made from them is. */
export const templateName: ValueType<string> = {
  expected: policyName.expected,
  parse: value => policyName.parse(value)?.toLowerCase(),
}

export const inPolicy = (policy: string, key: string | number | undefined) => `${policy} ${key ?? ''}`

export const sameAddresses = (a: AddressRange | undefined, b: AddressRange | undefined) =>
  a?.first === b?.first && a?.last === b?.last

/** Replaces the policy by what `change` makes of it; it changes nothing where it answers undefined. */
export function change(
  draft: Draft,
  wanted: string,
  report: Report,
  change: (policy: FirewallPolicy) => FirewallPolicy | undefined,
): void {
  const index = draft.firewall.policies.findIndex(p => sameName(p.name, wanted))
  if (index < 0) return report.missing('firewall policy', wanted)
  const policy = change(draft.firewall.policies[index]!)
  if (policy) draft.firewall.policies[index] = policy
}

/** A file's name without its device, as flash has it. */
export function flashName(typed: string): string {
  return typed.replace(/^[a-z]+:/i, '').toLowerCase()
}

/** What is in a file of flash; undefined, and a complaint, where that is not to be had. */
export function entriesOf<T>(
  typed: string,
  read: (text: string) => Entries<T>,
  report: Report,
): readonly T[] | undefined {
  const name = flashName(typed)
  let text: string | undefined
  try {
    text = report.file(name)
  } catch (e) {
    report.error((e as Error).message)
    return undefined
  }
  const found = text === undefined ? { fault: 'it does not exist' } : read(text)
  if ('entries' in found) return found.entries
  report.error(`file "${name}": ${found.fault}`)
  return undefined
}

/** The same list without what fits; undefined, and a complaint, where nothing does. */
export function without<T>(list: readonly T[], fits: (item: T) => boolean, complain: () => void): T[] | undefined {
  const left = list.filter(item => !fits(item))
  if (left.length < list.length) return left
  complain()
  return undefined
}
