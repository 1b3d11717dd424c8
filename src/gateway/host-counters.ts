/**
 * What the kernel counted in our nftables table, by the comments of its rules; the counts outlive the table, which is made
 * anew with every change of the configuration.
 */

export interface HostCount {
  readonly packets: number
  readonly bytes: number
}

export class HostCounters {
  /** Counts of earlier tables. */
  private kept = new Map<string, HostCount>()
  /** Counts of the table there is, when it was last read. */
  private latest = new Map<string, HostCount>()

  /** Takes in what `nft -j list table` printed about the table there is. Text that is no such listing changes nothing. */
  read(json: string): void {
    const counts = parseCounters(json)
    if (counts !== undefined) this.latest = counts
  }

  /** The table is about to go: its counts stay. */
  replaced(): void {
    for (const [comment, count] of this.latest) add(this.kept, comment, count)
    this.latest = new Map()
  }

  of(comment: string): HostCount {
    const before = this.kept.get(comment)
    const last = this.latest.get(comment)
    return {
      packets: (before?.packets ?? 0) + (last?.packets ?? 0),
      bytes: (before?.bytes ?? 0) + (last?.bytes ?? 0),
    }
  }

  /** Every comment that `fits` counts from zero again. */
  reset(fits: (comment: string) => boolean): void {
    for (const comment of new Set([...this.kept.keys(), ...this.latest.keys()])) {
      if (!fits(comment)) continue
      const last = this.latest.get(comment)
      this.kept.set(comment, last ? { packets: -last.packets, bytes: -last.bytes } : { packets: 0, bytes: 0 })
    }
  }
}

function add(to: Map<string, HostCount>, comment: string, more: HostCount): void {
  const before = to.get(comment)
  to.set(comment, { packets: (before?.packets ?? 0) + more.packets, bytes: (before?.bytes ?? 0) + more.bytes })
}

/** The counters of rules with a comment, those of equal comments summed; undefined where the text is not nft's JSON. */
export function parseCounters(json: string): Map<string, HostCount> | undefined {
  let listing: { nftables?: { rule?: { comment?: string; expr?: { counter?: HostCount | null }[] } }[] }
  try {
    listing = JSON.parse(json)
  } catch {
    return undefined
  }
  if (!Array.isArray(listing.nftables)) return undefined
  const counts = new Map<string, HostCount>()
  for (const { rule } of listing.nftables) {
    const counter = rule?.expr?.find(e => e.counter)?.counter
    if (rule?.comment !== undefined && counter) add(counts, rule.comment, counter)
  }
  return counts
}
