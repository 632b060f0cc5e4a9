/** Tables column by column, whole or in pieces: numbers, or categories with their levels. */

import { type CellColumn, type CellTable, isMissing, textAmongNumbers } from './cells.js'
import type { ColumnKind, Description } from './describe.js'

export interface NumberColumn {
  readonly kind: 'number'
  readonly name: string
  /** NaN where a cell is missing. */
  readonly values: Float64Array
}

export interface CategoryColumn {
  readonly kind: 'category'
  readonly name: string
  /** Index of the level; −1 where a cell is missing, or none of the levels. */
  readonly codes: Int32Array
  readonly levels: readonly string[]
}

export type TableColumn = NumberColumn | CategoryColumn

export interface Table {
  readonly name: string
  readonly rows: number
  readonly columns: readonly TableColumn[]
}

export interface BlockOptions {
  readonly signal?: AbortSignal
}

/** All of it in memory. */
export async function wholeTable(cells: CellTable, described: Description, options: BlockOptions = {}): Promise<Table> {
  const { name, rows, columns } = described
  const whole = columns.map((kind) => columnOf(kind, rows))
  for await (const { before, table } of tableBlocks(cells, columns, options))
    for (const [k, part] of table.columns.entries()) putRows(whole[k]!, part, before)
  return { name, rows, columns: whole }
}

/** Room for so many rows. */
export const columnOf = (kind: ColumnKind, rows: number): TableColumn =>
  kind.kind === 'number'
    ? { kind: 'number', name: kind.name, values: new Float64Array(rows) }
    : { kind: 'category', name: kind.name, codes: new Int32Array(rows), levels: kind.levels }

/** Rows of a block to their place in the whole column, which is of the same kind. */
export function putRows(whole: TableColumn, part: TableColumn, before: number): void {
  if (whole.kind === 'number') whole.values.set((part as NumberColumn).values, before)
  else whole.codes.set((part as CategoryColumn).codes, before)
}

export interface TableBlock {
  /** Rows before it. */
  readonly before: number
  readonly table: Table
}

/** What a column is to be read as. */
export type WantedColumn =
  | Pick<ColumnKind & { kind: 'number' }, 'kind' | 'name'>
  | {
      readonly kind: 'category'
      readonly name: string
      /** Default: what a block holds, in the order in which it comes. */
      readonly levels?: readonly string[]
    }

/** Throws `TABLE_CELL` where a column of numbers holds text, and what the reader throws. */
export async function* tableBlocks(
  cells: CellTable,
  wanted: readonly WantedColumn[],
  { signal }: BlockOptions = {},
): AsyncGenerator<TableBlock> {
  const readers = wanted.map((column) =>
    column.kind === 'number' ? numberReader(cells.name, column.name) : categoryReader(column),
  )
  let before = 0
  for await (const block of cells.blocks(wanted.map(({ name }) => cells.names.indexOf(name)))) {
    signal?.throwIfAborted()
    const columns = block.columns.map((column, k) => readers[k]!(column, block.rows, before))
    yield { before, table: { name: cells.name, rows: block.rows, columns } }
    before += block.rows
  }
}

type Reader = (column: CellColumn, rows: number, before: number) => TableColumn

const numberReader =
  (table: string, name: string): Reader =>
  (column, rows, before) => {
    const values = column.numbers()
    for (let i = 0; i < rows; i++) {
      if (!Number.isNaN(values[i])) continue
      const text = column.text(i)
      if (!isMissing(text)) throw textAmongNumbers(`${table}, row ${before + i + 1}, column ${name}`, text)
    }
    return { kind: 'number', name, values }
  }

function categoryReader({ name, levels }: WantedColumn & { kind: 'category' }): Reader {
  const known = levels && new Map(levels.map((level, code) => [level, code]))
  return (column, rows) => {
    const codeOf = known ?? new Map<string, number>()
    const codes = new Int32Array(rows)
    for (let i = 0; i < rows; i++) {
      const text = column.text(i)
      if (!known && !isMissing(text) && !codeOf.has(text)) codeOf.set(text, codeOf.size)
      codes[i] = isMissing(text) ? -1 : (codeOf.get(text) ?? -1)
    }
    return { kind: 'category', name, codes, levels: levels ?? [...codeOf.keys()] }
  }
}
