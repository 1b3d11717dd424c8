/** Devices that were deleted and made anew under their names: the kernel gives each another number, and forgets what it was asked. */

import { readFileSync } from 'node:fs'

export class ReplacedDevices {
  private readonly numbers = new Map<string, string>()
  private readonly directory: string

  constructor(directory = '/sys/class/net') {
    this.directory = directory
  }

  /** Those that are others than when they were last asked after. */
  among(devices: readonly string[]): string[] {
    return devices.filter(device => {
      const [before, now] = [this.numbers.get(device), this.numberOf(device)]
      if (now !== undefined) this.numbers.set(device, now)
      return before !== undefined && now !== undefined && before !== now
    })
  }

  /** Absent while there is no such device. */
  private numberOf(device: string): string | undefined {
    try {
      return readFileSync(`${this.directory}/${device}/ifindex`, 'utf8').trim()
    } catch {
      return undefined
    }
  }
}
