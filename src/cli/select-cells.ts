/** The columns of a table for `pare select`, judged in as many threads as that is worth. */

import type { CellTable } from '../data/cells.js'
import type { Table } from '../data/columns.js'
import type { Description } from '../data/describe.js'
import { isMany } from '../reduce/select/share-out.js'
import type { SelectOptions } from '../reduce/select/table.js'
import { count, counted } from '../util/format.js'
import type { Context } from './command.js'

/** Multiplications from which on a lasso is worth the start of an engine. */
const MUCH_WORK = 2e9

export async function selectCells(
  cells: CellTable,
  choices: SelectOptions,
  categories: readonly string[],
  context: Context,
) {
  const { signal, onProgress, warn: onWarning } = context
  const [{ describeTable }, { wholeTable }, { selectColumns }] = await Promise.all([
    import('../data/describe.js'),
    import('../data/columns.js'),
    import('../reduce/select/table.js'),
  ])
  const described = await describeTable(cells, { categories, signal, onProgress, onWarning })
  const { rows, columns } = described
  const named = [choices.target, ...(choices.without ?? []), ...categories]
  if (choices.method !== 'variance')
    for (const column of columns) if (!named.includes(column.name)) warnOfNames(column, described, onWarning)
  const table = await wholeTable(cells, described, { signal })
  warnOfCodes(table, choices, onWarning)
  const threads = await threadsFor(choices.method, rows, columns.length, onWarning)
  try {
    return await selectColumns(table, { ...choices, signal, onProgress, ...(threads && { engine: threads.engine }) })
  } finally {
    await threads?.close()
  }
}

/** Numbers of so few kinds may be names of classes. */
const FEW_KINDS = 10

function warnOfCodes(
  { name, columns }: Table,
  { method, target, task }: SelectOptions,
  onWarning: Context['warn'],
): void {
  const column = columns.find((c) => c.name === target)
  if (task !== undefined || method === 'variance' || column?.kind !== 'number') return
  const kinds = new Set(column.values)
  if (kinds.size > FEW_KINDS || 2 * kinds.size > column.values.length || ![...kinds].every(Number.isInteger)) return
  onWarning(
    `${name}, column ${target}: ${counted(kinds.size, 'whole number')}, read as numbers; if they are names of classes, say --task classification`,
  )
}

/** Null where there is too little to do. */
async function threadsFor(method: SelectOptions['method'], rows: number, columns: number, onWarning: Context['warn']) {
  if (method === 'lasso' && rows * columns ** 2 > MUCH_WORK) {
    const { openEngine } = await import('../engine/node/open.js')
    const engine = await openEngine({ onWarning })
    return { engine, close: () => engine.close() }
  }
  if ((method !== 'mutual-information' && method !== 'mrmr') || !isMany(rows, columns)) return null
  const [{ taskThreads }, { physicalCores }] = await Promise.all([
    import('../engine/node/tasks.js'),
    import('../engine/node/cores.js'),
  ])
  // This thread is one of them.
  const others = physicalCores() - 1
  if (others === 0) return null
  const tasks = taskThreads(others)
  return { engine: { tasks }, close: () => tasks.close() }
}

/** Levels from which on it is odd that most rows have one of their own. */
const MANY_LEVELS = 20

/** Names of rows say all of each row that there is, and nothing of one that is new. */
function warnOfNames(
  column: Description['columns'][number],
  { name, rows }: Description,
  onWarning: Context['warn'],
): void {
  if (column.kind === 'number') return
  const levels = column.levels.length
  if (levels < MANY_LEVELS || 2 * levels <= rows) return
  onWarning(
    `${name}, column ${column.name}: ${count(levels)} different texts in ${counted(rows, 'row')}, which seem to say all of the target; if they are names of rows, --without ${column.name} leaves them out`,
  )
}
