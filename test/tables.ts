/** Tables of test/data. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Header and cells of a CSV file without quotes. */
export function readCells(name: string): {
  readonly names: readonly string[]
  readonly cells: readonly (readonly string[])[]
} {
  const [header, ...lines] = readFileSync(join(import.meta.dirname, 'data', name), 'utf8')
    .trim()
    .split('\n')
  return { names: header!.split(','), cells: lines.map((line) => line.split(',')) }
}
