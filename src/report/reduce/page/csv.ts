/** Rows that were chosen, as a table to download. */

import { shortestFloat } from '../../../util/format.js'
import type { PointMap } from '../point-map.js'

/** Row numbers from 1, coordinates, which in a page are float32, and what is known of the rows. */
export function selectionCsv({ x, y, axes, columns }: PointMap, rows: readonly number[]): string {
  const head = ['row', ...axes, ...columns.map(({ name }) => name)]
  const cells = (i: number): readonly string[] => [
    String(i + 1),
    shortestFloat(x[i]!),
    shortestFloat(y[i]!),
    ...columns.map((column) => cellOf(column, i)),
  ]
  return [head, ...rows.map(cells)].map((row) => `${row.map(quoted).join(',')}\n`).join('')
}

/** What a column says of a row; empty where nothing. */
export function cellOf(column: PointMap['columns'][number], row: number): string {
  if (column.kind === 'category') return column.levels[column.codes[row]!] ?? ''
  const value = column.values[row]!
  return Number.isNaN(value) ? '' : String(value)
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
