/** How many cores there are to compute on. */

import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/**
 * Physical cores, as far as this process may use them. Two threads of one core share its arithmetic units, so more
 * threads than cores gain nothing. Linux tells; elsewhere this is `os.availableParallelism()`.
 */
export function physicalCores(): number {
  const cores = process.platform === 'linux' ? coresIn(cpuinfo()) : null
  return Math.max(1, Math.min(cores ?? Number.POSITIVE_INFINITY, availableParallelism()))
}

export function cpuinfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8')
  } catch {
    return ''
  }
}

/** Distinct (package, core) pairs in the text of `/proc/cpuinfo`; null where it does not list them (ARM). */
export function coresIn(text: string): number | null {
  const pairs = new Set<string>()
  for (const block of text.split(/\n\s*\n/)) {
    const core = /^core id\s*:\s*(\d+)/m.exec(block)?.[1]
    if (core !== undefined) pairs.add(`${/^physical id\s*:\s*(\d+)/m.exec(block)?.[1] ?? 0}/${core}`)
  }
  return pairs.size === 0 ? null : pairs.size
}
