/** What the columns of a table are, by one pass over it that keeps no rows. */

import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { type CellBlock, type CellColumn, type CellTable, isMissing, textAmongNumbers } from './cells.js'
import { checkDistinct, unknownColumn } from './column-names.js'

interface Known {
  readonly name: string
  /** The first row without a cell here, from 1; null where none is. */
  readonly missing: number | null
}

export interface NumberKind extends Known {
  readonly kind: 'number'
  /** Of the cells that are there; NaN where none is. */
  readonly mean: number
}

export interface CategoryKind extends Known {
  readonly kind: 'category'
  /** In the order of the alphabet. */
  readonly levels: readonly string[]
}

export type ColumnKind = NumberKind | CategoryKind

export interface Description {
  readonly name: string
  readonly rows: number
  readonly columns: readonly ColumnKind[]
}

export interface DescribeOptions extends Omit<RunOptions, 'seed'> {
  /** Columns that are categories even where they hold numbers: codes, years. */
  readonly categories?: readonly string[]
  /** Columns to read. Default: all. */
  readonly only?: readonly string[]
  /** Told of each block in turn, so that what needs nothing but numbers is done in the same pass. */
  readonly onNumbers?: (block: NumberBlock) => void
}

export interface NumberBlock {
  readonly names: readonly string[]
  /** By column; null where a cell is missing or text, or the column is a category. */
  readonly columns: readonly (Float64Array | null)[]
}

/**
 * A column is of numbers where most of its cells are; text among them is an error then, which names the row. Throws
 * `TABLE_CELL`, `TABLE_COLUMN`, `TABLE_LEVELS`, and what the reader throws.
 */
export async function describeTable(cells: CellTable, options: DescribeOptions = {}): Promise<Description> {
  const wanted = wantedColumns(cells, options)
  const growing = wanted.map(({ name }) => growingKind(`${cells.name}, column ${name}`, isForced(name, options)))
  const names = wanted.map(({ name }) => name)
  let rows = 0
  for await (const block of cells.blocks(wanted.map(({ at }) => at))) {
    options.signal?.throwIfAborted()
    const columns = block.columns.map((column, k) => growing[k]!.add(column, block, rows))
    options.onNumbers?.({ names, columns })
    rows += block.rows
    options.onProgress?.({ task: 'reading', detail: 'counting rows and levels', done: rows })
  }
  const kinds = wanted.map(({ name }, k) => growing[k]!.end(name, cells.name))
  // Numbers in a column of text are levels too, which is only known now.
  const mixed = wanted.flatMap(({ name }, k) => (kinds[k] === 'mixed' ? [name] : []))
  const again = mixed.length === 0 ? [] : (await describeTable(cells, forMixed(options, mixed))).columns
  const columns = kinds.map((kind, k) => (kind === 'mixed' ? again.find((c) => c.name === wanted[k]!.name)! : kind))
  for (const column of columns) if (!isForced(column.name, options)) warnOfNumbers(column, cells.name, options)
  return { name: cells.name, rows, columns }
}

/** Digits in groups, or with a comma for the point. */
const FORMATTED = /^[-+]?\d[\d.,' ]*$/

/** Each of them would be a column of the fit, and no error says why. */
function warnOfNumbers(column: ColumnKind, table: string, { onWarning }: DescribeOptions): void {
  if (column.kind === 'number' || !column.levels.every((level) => FORMATTED.test(level))) return
  const example = column.levels.find((level) => /[,' ]/.test(level))
  if (example === undefined) return
  onWarning?.(
    `${table}, column ${column.name}: what looks like numbers, such as ${example}, is read as text; write 1234.5 for 1,234.5 or 1234,5`,
  )
}

const forMixed = ({ onNumbers: _, ...options }: DescribeOptions, mixed: readonly string[]): DescribeOptions => ({
  ...options,
  only: mixed,
  categories: mixed,
})

const isForced = (name: string, { categories }: DescribeOptions): boolean => categories?.includes(name) ?? false

/** More are names of rows, not kinds of them: each would be a column of the fit. */
const MOST_LEVELS = 65_536

function growingKind(where: string, isCategory: boolean) {
  const levels = new Set<string>()
  let [numbers, texts, mean] = [0, 0, 0]
  let missing: number | null = null
  let firstText: { readonly row: number; readonly text: string } | null = null
  const see = (text: string, row: number): void => {
    if (isMissing(text)) {
      missing ??= row
      return
    }
    texts++
    firstText ??= { row, text }
    // Of a column of numbers the text is an error, whichever it is.
    if (texts >= numbers) levels.add(text)
    if (levels.size <= MOST_LEVELS) return
    throw new PareError('TABLE_LEVELS', `a column of text holds more than ${MOST_LEVELS} different ones`, {
      where,
      value: text,
      remedy: 'Leave the column out, or bring what it holds together into fewer.',
    })
  }
  return {
    /** The numbers, where there is nothing else. */
    add(column: CellColumn, { rows }: CellBlock, before: number): Float64Array | null {
      const values = isCategory ? null : column.numbers()
      const already = numbers
      for (let i = 0; i < rows; i++) {
        const v = values === null ? Number.NaN : values[i]!
        if (Number.isNaN(v)) see(column.text(i), before + i + 1)
        else mean += (v - mean) / ++numbers
      }
      return numbers - already === rows ? values : null
    },
    /** Throws `TABLE_CELL`. */
    end(name: string, table: string): ColumnKind | 'mixed' {
      if (numbers > texts && firstText !== null)
        throw textAmongNumbers(`${table}, row ${firstText.row}, column ${name}`, firstText.text)
      if (firstText === null && !isCategory)
        return { kind: 'number', name, missing, mean: numbers === 0 ? Number.NaN : mean }
      return numbers > 0 ? 'mixed' : { kind: 'category', name, missing, levels: [...levels].sort() }
    },
  }
}

/** A first column without a name is the row index that pandas and R write. */
function wantedColumns(
  { name: where, names }: CellTable,
  { only, categories = [], onWarning }: DescribeOptions,
): readonly { readonly name: string; readonly at: number }[] {
  const unknown = [...(only ?? []), ...categories].find((name) => !names.includes(name))
  if (unknown !== undefined) throw unknownColumn(where, unknown, names)
  checkDistinct(where, only === undefined ? names : names.filter((name) => only.includes(name)))
  const all = names.map((name, at) => ({ name, at }))
  if (only !== undefined) return all.filter(({ name }) => only.includes(name))
  const nameless = names.lastIndexOf('')
  if (nameless > 0) {
    throw new PareError('TABLE_COLUMN', 'a column has no name', {
      where: `${where}, column ${nameless + 1}`,
      remedy: 'Name it in the first row, or remove the column.',
    })
  }
  if (nameless < 0) return all
  onWarning?.(
    `${where}: the first column has no name and is left out; name it if it is more than the number of the row`,
  )
  return all.slice(1)
}
