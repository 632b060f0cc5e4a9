/** A whole table in memory, column by column: numbers, or categories with their levels. Node only. */

import { PareError } from '../util/errors.js'
import { checkDistinct, unknownColumn } from './column-names.js'
import { csvRecords, firstRecord } from './csv.js'
import { contentHead } from './inflate.js'
import { isParquet, openParquet } from './parquet.js'
import type { Source } from './source.js'
import { parseNumber } from './table.js'

export interface NumberColumn {
  readonly kind: 'number'
  readonly name: string
  /** NaN where a cell is missing. */
  readonly values: Float64Array
}

export interface CategoryColumn {
  readonly kind: 'category'
  readonly name: string
  /** Index of the level; −1 where a cell is missing. */
  readonly codes: Int32Array
  /** In the order of the alphabet. */
  readonly levels: readonly string[]
}

export type TableColumn = NumberColumn | CategoryColumn

export interface Table {
  readonly name: string
  readonly rows: number
  readonly columns: readonly TableColumn[]
}

export interface ColumnOptions {
  /** Columns that are categories even where they hold numbers: codes, years. */
  readonly categories?: readonly string[]
  /** Columns to read. Default: all. */
  readonly only?: readonly string[]
  readonly delimiter?: string
  readonly signal?: AbortSignal
  readonly onWarning?: (message: string) => void
}

/** Cells that stand for nothing, beside empty ones. */
const MISSING = new Set(['na', 'n/a', 'nan', 'null', 'none', '-', '.'])

/**
 * A column is of numbers where most of its cells are; text among them is an error then, which names the row. Throws
 * `TABLE_CELL`, `TABLE_COLUMN`, `CSV_…`, `PARQUET_READ`.
 */
export async function readColumns(source: Source, options: ColumnOptions = {}): Promise<Table> {
  const { names, records } = await recordsOf(source, options)
  const wanted = wantedColumns(names, source.name, options)
  const growing = wanted.map(({ name }) => growingColumn(name, options.categories?.includes(name) ?? false))
  let rows = 0
  for await (const record of records) {
    options.signal?.throwIfAborted()
    for (const [k, { at }] of wanted.entries()) growing[k]!.push(record[at])
    rows++
  }
  return { name: source.name, rows, columns: growing.map((column) => column.done(source.name)) }
}

interface Records {
  readonly names: readonly string[]
  readonly records: AsyncIterable<readonly unknown[]>
}

async function recordsOf(source: Source, { delimiter }: ColumnOptions): Promise<Records> {
  if (isParquet(await contentHead(source))) {
    const { columns, read } = await openParquet(source)
    return { names: columns, records: read() }
  }
  const { columns: names, hasHeader } = await firstRecord(source, delimiter === undefined ? {} : { delimiter })
  return { names, records: hasHeader ? withoutFirst(csvRecords(source, delimiter)) : csvRecords(source, delimiter) }
}

async function* withoutFirst<T>(records: AsyncIterable<T>): AsyncIterable<T> {
  let isFirst = true
  for await (const record of records) {
    if (!isFirst) yield record
    isFirst = false
  }
}

/** A first column without a name is the row index that pandas and R write. */
function wantedColumns(
  names: readonly string[],
  where: string,
  { only, categories = [], onWarning }: ColumnOptions,
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

function growingColumn(name: string, isCategory: boolean) {
  const values: number[] = []
  const codes: number[] = []
  const levels = new Map<string, number>()
  let numbers = 0
  let firstText: { readonly row: number; readonly text: string } | null = null
  const levelOf = (text: string): number => {
    const code = levels.get(text) ?? levels.size
    levels.set(text, code)
    return code
  }
  return {
    push(cell: unknown): void {
      const text = textOf(cell)
      const isMissing = text === '' || MISSING.has(text.toLowerCase())
      const number = isMissing || isCategory ? undefined : typeof cell === 'number' ? cell : parseNumber(text)
      values.push(number ?? Number.NaN)
      codes.push(isMissing || number !== undefined ? -1 : levelOf(text))
      if (number !== undefined) numbers++
      else if (!isMissing) firstText ??= { row: values.length, text }
    },
    /** Throws `TABLE_CELL`. */
    done(where: string): TableColumn {
      if (firstText === null) return { kind: 'number', name, values: Float64Array.from(values) }
      const texts = codes.reduce((n, code) => n + Number(code >= 0), 0)
      if (numbers > texts) throw textAmongNumbers(`${where}, row ${firstText.row}, column ${name}`, firstText.text)
      for (const [i, v] of values.entries()) if (!Number.isNaN(v)) codes[i] = levelOf(String(v))
      const sorted = [...levels.keys()].sort()
      const place = new Map(sorted.map((level, i) => [levels.get(level)!, i]))
      return { kind: 'category', name, codes: Int32Array.from(codes, (c) => place.get(c) ?? -1), levels: sorted }
    },
  }
}

const textOf = (cell: unknown): string => (cell === null || cell === undefined ? '' : String(cell).trim())

const textAmongNumbers = (where: string, value: string): PareError =>
  new PareError('TABLE_CELL', 'a cell of a column of numbers is text', {
    where,
    value,
    remedy: 'Correct the cell, leave it empty where it is missing, or say that the column is a category.',
  })
