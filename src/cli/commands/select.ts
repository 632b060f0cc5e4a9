/** `pare select`: the columns of a table that say most of one of them. */

import { extname } from 'node:path'
import type { CellTable } from '../../data/cells.js'
import { PareError } from '../../util/errors.js'
import type { Context } from '../command.js'
import { defineCommand } from '../command.js'
import { csvCell } from '../csv.js'
import { DATABASE_OPTIONS, SEED_OPTION } from '../inputs.js'
import { SELECT_OPTIONS, selectChoices } from '../select-options.js'

export const select = defineCommand({
  name: 'select',
  summary: 'Keep the columns of a table that say most of another one',
  positionals: { names: ['table'], min: 1, max: 1 },
  options: {
    ...SELECT_OPTIONS,
    ...DATABASE_OPTIONS,
    ...SEED_OPTION,
    output: { kind: 'text', short: 'o', value: 'file', doc: 'the CSV file to write' },
    report: { kind: 'text', value: 'file', doc: 'write the scores of all columns as an HTML page' },
  },
  examples: [
    'pare select houses.csv --target price',
    'pare select houses.csv --target price --method mrmr --keep 5 -o kept.csv',
    'pare select patients.csv --target diagnosis --method lasso -o kept.csv',
    'pare select houses.csv --target price --method spearman --max-correlation 0.9 --keep 0.99 -o kept.csv',
  ],
  notes: [
    'The file holds the columns that are kept, in the order of the table and as they are written there, then the target. Without -o the scores are shown alone.',
  ],
  async run([path], options, context) {
    const [{ fileSource }, { openTable }, { protectInput }, files, { selectCells }, { selectAnswer }] =
      await Promise.all([
        import('../../data/files.js'),
        import('../../data/open-table.js'),
        import('../models.js'),
        import('../../util/files.js'),
        import('../select-cells.js'),
        import('../select-answer.js'),
      ])
    const { output, report, table, query, category: categories } = options
    const choices = selectChoices(options)
    if (output !== undefined) checkEnding(output)
    await protectInput(undefined, output, false, { read: [path], report, outputIs: 'table' })
    for (const written of [output, report]) if (written !== undefined) await files.checkWritable(written)
    const cells = await openTable(await fileSource(path!), { table, query })
    try {
      const found = await selectCells(cells, choices, categories, context)
      const kept = found.kept.map((j) => found.names[j]!)
      const written = kept.length === 0 ? undefined : output
      if (kept.length === 0)
        context.warn(
          `${cells.name}: no column is worth keeping${output === undefined ? '' : ', and no table is written'}`,
        )
      if (written !== undefined)
        await files.writeFileAtomic(
          written,
          linesOf(cells, found.target === null ? kept : [...kept, found.target], context),
        )
      if (report !== undefined) {
        const { renderSelection } = await import('../../report/selection.js')
        const page = { table: path!, selection: found, commandLine: context.commandLine }
        await files.writeFileAtomic(report, renderSelection(page))
      }
      return selectAnswer(found, { from: path!, output: written, report }, context.terminal)
    } finally {
      cells.close()
    }
  },
})

/** Throws `OUTPUT_FORMAT`. */
function checkEnding(path: string): void {
  if (extname(path).toLowerCase() === '.csv') return
  throw new PareError('OUTPUT_FORMAT', 'the columns that are kept are written as CSV', {
    where: '-o',
    value: path,
    remedy: 'Give a name that ends with .csv.',
  })
}

/** As the table has them, column by column. */
async function* linesOf(cells: CellTable, names: readonly string[], { signal, onProgress }: Context) {
  yield `${names.map(csvCell).join(',')}\n`
  let rows = 0
  for await (const block of cells.blocks(names.map((name) => cells.names.indexOf(name)))) {
    signal.throwIfAborted()
    let text = ''
    for (let i = 0; i < block.rows; i++) text += `${block.columns.map((column) => csvCell(column.text(i))).join(',')}\n`
    rows += block.rows
    onProgress({ task: 'writing', done: rows })
    yield text
  }
}
