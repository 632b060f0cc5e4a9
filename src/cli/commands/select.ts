/** `pare select`: the columns of a table that say most of one of them. */

import type { CellTable } from '../../data/cells.js'
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
    await protectInput(undefined, output, false, { read: [path], report })
    for (const written of [output, report]) if (written !== undefined) await files.checkWritable(written)
    const cells = await openTable(await fileSource(path!), { table, query })
    try {
      const found = await selectCells(cells, choices, categories, context)
      const kept = found.kept.map((j) => found.names[j]!)
      if (output !== undefined)
        await files.writeFileAtomic(
          output,
          linesOf(cells, found.target === null ? kept : [...kept, found.target], context),
        )
      if (report !== undefined) {
        const { renderSelection } = await import('../../report/selection.js')
        const page = { table: path!, selection: found, commandLine: context.commandLine }
        await files.writeFileAtomic(report, renderSelection(page))
      }
      return selectAnswer(found, { from: path!, output, report }, context.terminal)
    } finally {
      cells.close()
    }
  },
})

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
