/** What a firewall rule's fields may say: services, ports, days and times, and how each is written back. */

import type { Day, PortRange } from '../../firewall/policy.ts'
import { type Keyword, keyword, resolve } from '../keyword.ts'
import { either, keywordNumber, oneOf, type ValueType } from '../value.ts'

const services: Readonly<Record<string, number>> = {
  ftp: 21,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  dns: 53,
  domain: 53,
  tftp: 69,
  http: 80,
  www: 80,
  pop3: 110,
  ntp: 123,
  imap: 143,
  snmp: 161,
  https: 443,
  isakmp: 500,
  l2tp: 1701,
  pptp: 1723,
}

export const ports: ValueType<PortRange | 'all'> = {
  expected: 'ALL, a port, a range of ports or the name of a service',
  parse: value => {
    const word = value.toLowerCase()
    if (word === 'all') return 'all'
    const service = Object.hasOwn(services, word) ? services[word] : undefined
    if (service !== undefined) return { first: service, last: service }
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word)
    if (!match) return undefined
    const first = Number(match[1])
    const last = Number(match[2] ?? match[1])
    return first <= last && last <= 65535 ? { first, last } : undefined
  },
}

export const protocol = either(
  oneOf('ALL'),
  keywordNumber(255, { EGp: 8, ESp: 50, GRe: 47, ICmp: 1, OSpf: 89, SA: 50, TCp: 6, UDp: 17 }),
)

const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const
const dayWords: readonly (Keyword & { readonly days: readonly Day[] })[] = [
  ...dayNames.map((name, day) => ({ ...keyword(name.toUpperCase()), days: [day as Day] })),
  { ...keyword('WEEKDay'), days: [1, 2, 3, 4, 5] },
  { ...keyword('WEEKEnd'), days: [0, 6] },
  { ...keyword('ALL'), days: [0, 1, 2, 3, 4, 5, 6] },
]

/** Days in order, from Sunday; every day is `all`. */
export const days: ValueType<readonly Day[] | 'all'> = {
  expected: 'a list of MON, TUE, WED, THU, FRI, SAT, SUN, WEEKDAY, WEEKEND, ALL',
  parse: text => {
    const found = text.split(',').map(word => resolve(word.trim(), dayWords)?.days)
    if (found.includes(undefined)) return undefined
    const set = [...new Set(found.flatMap(d => d ?? []))].sort()
    return set.length === 7 ? 'all' : set
  },
}

export function formatDays(list: readonly Day[] | undefined): string | undefined {
  return list?.map(d => dayNames[d]).join(',')
}

/** `hh:mm` in minutes; a time of day ends with 23:59. */
function clock(hours: number): ValueType<number> {
  return {
    expected: `hours and minutes, from 00:00 to ${hours - 1}:59`,
    parse: text => {
      const match = /^(\d{1,2}):(\d{2})$/.exec(text)
      if (!match) return undefined
      const [hour, minute] = [Number(match[1]), Number(match[2])]
      return hour < hours && minute < 60 ? hour * 60 + minute : undefined
    },
  }
}

export const timeOfDay = clock(24)
export const timeToLive = clock(100)

export function formatTime(minutes: number | undefined): string | undefined {
  if (minutes === undefined) return undefined
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
}
