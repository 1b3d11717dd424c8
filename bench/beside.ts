/** Figures of two gateways under one load, side by side: each is printed when it is there, and all are noted at the end. */

import { note, skipped } from './rows.ts'

export type Kind = 'floatgate' | 'softether'

interface Figure {
  readonly unit: string
  readonly better: 'more' | 'less'
  readonly values: Partial<Record<Kind, { readonly value: number; readonly remark: string | undefined }>>
}

export class Beside {
  private readonly load: string
  private readonly figures = new Map<string, Figure>()
  private readonly failures: { readonly kind: Kind; readonly why: string }[] = []

  /** `load` says what all figures have in common. */
  constructor(load: string) {
    this.load = load
  }

  tell(kind: Kind, what: string, value: number, unit: string, better: Figure['better'], remark?: string): void {
    const name = `${this.load}, ${what}`
    if (!Number.isFinite(value)) return this.failed(kind, `${what}: nothing arrived`)
    const figure = this.figures.get(name) ?? { unit, better, values: {} }
    figure.values[kind] = { value, remark }
    this.figures.set(name, figure)
    const ratio = times(figure)
    const compared = ratio === undefined ? '' : `  ${ratio.toFixed(2)} x SoftEther`
    const said = remark === undefined ? '' : `  (${remark})`
    process.stdout.write(
      `${kind.padEnd(10)} ${name.padEnd(46)} ${value.toFixed(3).padStart(12)} ${unit}${compared}${said}\n`,
    )
  }

  /** What could not be measured is told with the figures, and makes the benchmark fail. */
  failed(kind: Kind, why: string): void {
    process.exitCode = 1
    this.failures.push({ kind, why })
    process.stdout.write(`${kind}, ${this.load}: ${why}\n`)
  }

  note(): void {
    for (const [name, figure] of this.figures) {
      const ratio = times(figure)
      for (const kind of ['floatgate', 'softether'] as const) {
        const of = figure.values[kind]
        if (of === undefined) continue
        note({
          what: `${name}: ${kind}`,
          value: of.value,
          unit: figure.unit,
          ...(kind === 'floatgate' && ratio !== undefined ? { ratio, against: 'SoftEther' } : {}),
          ...(of.remark === undefined ? {} : { remark: of.remark }),
        })
      }
    }
    for (const { kind, why } of this.failures) skipped(`${this.load}: ${kind}`, why)
  }
}

/** How many times better ours is; undefined where there is not both, or one is nothing. */
function times({ better, values: { floatgate, softether } }: Figure): number | undefined {
  if (floatgate === undefined || softether === undefined) return undefined
  const ratio = better === 'more' ? floatgate.value / softether.value : softether.value / floatgate.value
  return Number.isFinite(ratio) ? ratio : undefined
}
