/** The fit of a table for `pare fit`: in memory, or as a stream where that would take too much of it. */

import type { CellTable } from '../data/cells.js'
import type { Table } from '../data/columns.js'
import type { ColumnKind, Description } from '../data/describe.js'
import type { Engine } from '../engine/engine.js'
import type { Family } from '../linear/datafits/index.js'
import type { LinearFit } from '../linear/fit.js'
import type { GlmFit, GlmFitOptions } from '../linear/fit-glm.js'
import { bytes, count, counted } from '../util/format.js'
import type { Context } from './command.js'

/** Cells of a table from which on a Gaussian fit reads it as a stream: 64 MiB of numbers. */
const MANY_CELLS = 2 ** 23

/** Multiplications from which on it is worth the start of an engine. */
const MUCH_WORK = 2e9

/** A file of this size holds about as many. */
const MANY_BYTES = 2 ** 26

interface Read {
  readonly family: Family | undefined
  readonly categories: readonly string[]
  /** Of the file, in bytes. */
  readonly size: number
}

export async function fitCells(
  cells: CellTable,
  choices: Omit<GlmFitOptions, 'family' | 'foldIds' | 'groups' | 'strata' | 'isOrdered' | 'measure' | 'solver'>,
  { family: given, categories, size }: Read,
  { signal, onProgress, warn: onWarning }: Pick<Context, 'signal' | 'onProgress' | 'warn'>,
): Promise<LinearFit | GlmFit> {
  const [{ describeTable }, { wholeTable }, { familyOf, fitGlm }, { fitStream }, { earlyRows }, { fitTable }] =
    await Promise.all([
      import('../data/describe.js'),
      import('../data/columns.js'),
      import('../linear/fit-glm.js'),
      import('../linear/fit-stream.js'),
      import('../linear/gather-rows.js'),
      import('../linear/fit.js'),
    ])
  // Of a large file the rows are worth gathering before it is known what they are.
  const early = size > MANY_BYTES && choices.select !== 'loo' ? earlyRows(choices) : null
  const reading = { categories, signal, onProgress, onWarning }
  const described = await describeTable(cells, { ...reading, ...(early && { onNumbers: early.onNumbers }) })
  const { rows, columns } = described
  const named = [choices.target, ...(choices.without ?? []), ...categories]
  for (const column of columns) if (!named.includes(column.name)) warnOfNames(column, described, onWarning)
  const isLarge = rows * columns.length > MANY_CELLS
  const family = given ?? familyOf(described, choices.target)
  const options = { ...choices, signal, onProgress, onWarning }
  if (family === 'gaussian' && isLarge && choices.select !== 'loo')
    return fitStream(cells, described, early === null ? options : { ...options, early })
  if (isLarge) {
    const what = choices.select === 'loo' ? 'leaving each row out' : `a model that is ${family}`
    onWarning(heldInMemory(rows, columns.length, what))
  }
  const table = await wholeTable(cells, described, { signal })
  const engine = workOf(table) > MUCH_WORK ? await opened(onWarning) : undefined
  try {
    const on = { ...options, engine }
    return await (family === 'gaussian' ? fitTable(table, on) : fitGlm(table, { ...on, family }))
  } finally {
    await engine?.close()
  }
}

/** Levels from which on it is odd that most rows have one of their own. */
const MANY_LEVELS = 20

/** Names of rows explain each row and none that is new. */
function warnOfNames(column: ColumnKind, { name, rows }: Description, onWarning: Context['warn']): void {
  if (column.kind === 'number') return
  const levels = column.levels.length
  if (levels < MANY_LEVELS || 2 * levels <= rows) return
  onWarning(
    `${name}, column ${column.name}: ${count(levels)} different texts in ${counted(rows, 'row')}, each of which becomes a column of the fit; if they are names of rows, --without ${column.name} leaves them out`,
  )
}

async function opened(onWarning: Context['warn']): Promise<Engine> {
  const { openEngine } = await import('../engine/node/open.js')
  return openEngine({ onWarning })
}

/** Multiplications of XᵀX. */
function workOf({ rows, columns }: Table): number {
  const width = columns.reduce((sum, c) => sum + (c.kind === 'category' ? c.levels.length : 1), 0)
  return rows * width * width
}

const heldInMemory = (rows: number, columns: number, what: string): string =>
  `${count(rows)} rows of ${counted(columns, 'column')} are held in memory, about ${bytes(2 * 8 * rows * columns)}: ${what} asks for each of them again; gaussian models chosen by other means are fitted from a stream`
