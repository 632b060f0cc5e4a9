/** Aligned tables for terminals. */

import { fitWidth, safeLine, styled, type Terminal, textWidth } from './terminal.js'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** The least columns that this one may be cut to where the terminal is narrow. Absent: never cut. */
  readonly shrinkTo?: number
}

const GAP = '  '

/** Columns of text that a table takes where nothing is cut. */
export const naturalWidth = (columns: readonly Column[], rows: readonly (readonly string[])[]): number =>
  naturalWidths(columns, cleaned(columns, rows)).reduce((sum, w) => sum + w, GAP.length * (columns.length - 1))

const cleaned = (columns: readonly Column[], rows: readonly (readonly string[])[]) =>
  rows.map((row) => columns.map((_, i) => safeLine(row[i] ?? '')))

const naturalWidths = (columns: readonly Column[], cells: readonly (readonly string[])[]): readonly number[] =>
  columns.map(({ title }, i) => Math.max(textWidth(title), ...cells.map((row) => textWidth(row[i]!))))

/** Rows of cells under a header, no wider than the terminal as far as columns may be cut. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], terminal: Terminal): string {
  const cells = cleaned(columns, rows)
  const widths = shrink(columns, naturalWidths(columns, cells), terminal.columns - GAP.length * (columns.length - 1))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => pad(fitWidth(cell, widths[i]!), widths[i]!, columns[i]!.align ?? 'left'))
      .join(GAP)
      .trimEnd()
  const header = styled(terminal, 'dim', line(columns.map(({ title }) => title)))
  return [header, ...cells.map(line)].join('\n')
}

/** Takes from the widest column that may shrink until all fit, or none can give more. */
function shrink(columns: readonly Column[], natural: readonly number[], room: number): readonly number[] {
  const widths = [...natural]
  for (;;) {
    const excess = widths.reduce((sum, w) => sum + w, 0) - room
    if (excess <= 0) return widths
    const givers = widths.flatMap((w, i) => (w > (columns[i]!.shrinkTo ?? Number.POSITIVE_INFINITY) ? [i] : []))
    if (givers.length === 0) return widths
    const widest = givers.reduce((a, b) => (widths[b]! > widths[a]! ? b : a))
    widths[widest]!--
  }
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const fill = ' '.repeat(Math.max(0, width - textWidth(text)))
  return align === 'right' ? fill + text : text + fill
}

/** `name  value` lines with the values aligned. */
export function facts(pairs: readonly (readonly [string, string])[], terminal: Terminal): string {
  const width = Math.max(...pairs.map(([name]) => textWidth(name)))
  return pairs
    .map(([name, value]) => `${styled(terminal, 'dim', pad(name, width, 'left'))}  ${safeLine(value)}`)
    .join('\n')
}
