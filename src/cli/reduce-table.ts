/** The rows of a table for `pare reduce`: its columns of numbers in blocks, and beside them what colours them. */

import { type CellTable, firstRows } from '../data/cells.js'
import { unknownColumn } from '../data/column-names.js'
import { columnOf, type NumberColumn, putRows, tableBlocks } from '../data/columns.js'
import { type CategoryKind, type ColumnKind, describeTable, type NumberKind } from '../data/describe.js'
import { openTable } from '../data/open-table.js'
import type { Source } from '../data/source.js'
import { firstUnfit, MOST, unfit } from '../linear/design.js'
import { type Feature, fillRows, numberFeature } from '../linear/encode.js'
import { PareError } from '../util/errors.js'
import { blockRows, TOGETHER } from './reduce-blocks.js'
import type { RowChoice, Rows, RowsWorld } from './reduce-rows.js'

/** Throws `TABLE_…`, `REDUCE_TEXT`, and what the readers throw; blocks throw `TABLE_CELL`, `TABLE_CHANGED` and `DESIGN_…`. */
export async function tableRows(source: Source, choice: RowChoice, world: RowsWorld): Promise<Rows> {
  const { limit, table, query } = choice
  const opened = await openTable(source, { table, query })
  try {
    return await rowsOf(limit === undefined ? opened : firstRows(opened, limit), choice, world)
  } catch (error) {
    opened.close()
    throw error
  }
}

async function rowsOf(cells: CellTable, choice: RowChoice, { signal, onProgress, warn }: RowsWorld): Promise<Rows> {
  const { color, without, missing } = choice
  const columns = choice.columns.flatMap((list) => list.split(',').map((name) => name.trim()))
  const unknown = [...columns, ...color, ...without].find((name) => !cells.names.includes(name))
  if (unknown !== undefined) throw unknownColumn(cells.name, unknown, cells.names)
  const isIn = (name: string): boolean =>
    (columns.length === 0 || columns.includes(name)) && !without.includes(name) && !color.includes(name)
  const isAll = columns.length === 0 && without.length === 0
  const only = cells.names.filter((name) => isIn(name) || color.includes(name))
  const described = await describeTable(cells, { signal, onProgress, onWarning: warn, ...(!isAll && { only }) })
  const { rows } = described
  const taking = described.columns.filter(({ name }) => isIn(name)).map((kind) => numbersOnly(kind, cells.name))
  if (taking.length === 0) throw nothingLeft(cells.name)
  const features: Feature[] = []
  for (const kind of taking) {
    if (kind.missing !== null && missing === 'mean') await checkMean(kind, cells)
    features.push(numberFeature(kind, cells.name, () => kind.mean, { missing }))
  }
  const shown = color.map((name) => described.columns.find((c) => c.name === name)!)
  const colours = shown.map((kind) => columnOf(kind, rows))
  const shape = { rows, columns: taking.length }

  async function* blocks(together = TOGETHER) {
    const width = taking.length
    let data = new Float64Array(blockRows(shape, together) * width)
    let [filled, seen] = [0, 0]
    const block = () => ({ rows: filled, columns: width, data: data.subarray(0, filled * width) })
    for await (const { before, table } of tableBlocks(cells, [...taking, ...shown], { signal })) {
      seen = before + table.rows
      if (seen > rows) throw hasChanged(cells.name, rows)
      for (const [k, colour] of colours.entries()) putRows(colour, table.columns[width + k]!, before)
      if ((filled + table.rows) * width > data.length) {
        if (filled > 0) yield block()
        filled = 0
        if (table.rows * width > data.length) data = new Float64Array(table.rows * width)
      }
      const own = data.subarray(filled * width, (filled + table.rows) * width)
      fillRows(own, width, table.columns.slice(0, width), features)
      const odd = firstUnfit(own)
      if (odd >= 0) throw unfit(placeOf(cells, before + Math.floor(odd / width), taking[odd % width]!), own[odd]!)
      filled += table.rows
      onProgress({ task: 'reading rows', done: seen, total: rows })
    }
    if (seen !== rows) throw hasChanged(cells.name, rows)
    if (filled > 0) yield block()
  }

  return {
    name: cells.name,
    kind: 'table',
    x: { ...shape, precision: 'float64', blocks },
    names: taking.map(({ name }) => name),
    colours,
    close: () => cells.close(),
  }
}

const placeOf = ({ name }: CellTable, row: number, column: ColumnKind): string =>
  `${name}, row ${row + 1}, column ${column.name}`

/** Infinity has no mean: throws `DESIGN_…` where it stands, as it leaves a column that seems to be empty. */
async function checkMean(kind: NumberKind, cells: CellTable): Promise<void> {
  if (Number.isFinite(kind.mean)) return
  for await (const { before, table } of tableBlocks(cells, [kind])) {
    const { values } = table.columns[0] as NumberColumn
    const odd = values.findIndex((v) => Math.abs(v) > MOST)
    if (odd >= 0) throw unfit(placeOf(cells, before + odd, kind), values[odd]!)
  }
}

/** Throws `REDUCE_TEXT`. */
function numbersOnly(kind: ColumnKind, table: string): NumberKind {
  if (kind.kind === 'category') throw isText(kind, table)
  return kind
}

/** Text has no distances: one column a level would weigh it by how many levels there are. */
const isText = ({ name, levels }: CategoryKind, table: string): PareError =>
  new PareError('REDUCE_TEXT', 'a column of text has no place among numbers', {
    where: `${table}, column ${name}`,
    value: levels[0],
    remedy: `Show it with --color ${name}, or leave it out with --without ${name}.`,
  })

const hasChanged = (where: string, rows: number): PareError =>
  new PareError('TABLE_CHANGED', 'the table has other rows than when it was read before', {
    where,
    value: `${rows} rows before`,
    remedy: 'Try again when nobody writes to it; a query must give the same rows each time.',
  })

const nothingLeft = (where: string): PareError =>
  new PareError('TABLE_COLUMN', 'no column of numbers is left to work on', {
    where,
    remedy: 'Name fewer with --color and --without, or others with --columns.',
  })
