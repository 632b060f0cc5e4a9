/** `pare select`: the columns of a table that say most of one of them. */

import type { CellTable } from '../../data/cells.js'
import type { Keep } from '../../reduce/select/keep.js'
import { METHODS } from '../../reduce/select/methods.js'
import type { SelectOptions } from '../../reduce/select/table.js'
import { PareError } from '../../util/errors.js'
import type { Context } from '../command.js'
import { defineCommand } from '../command.js'
import { csvCell } from '../csv.js'
import { DATABASE_OPTIONS, SEED_OPTION, unused } from '../inputs.js'

export const select = defineCommand({
  name: 'select',
  summary: 'Keep the columns of a table that say most of another one',
  positionals: { names: ['table'], min: 1, max: 1 },
  options: {
    target: { kind: 'text', value: 'column', doc: 'the column to predict (needed but for variance)' },
    method: { kind: 'choice', choices: METHODS, default: 'mutual-information', doc: 'what columns are judged by' },
    keep: {
      kind: 'text',
      value: 'n',
      doc: 'how many: 20, or 0.5 for a half, or bic for the lasso of least BIC (default bic for lasso, all that vary for variance, else 0.5)',
    },
    task: {
      kind: 'choice',
      choices: ['classification', 'regression'],
      doc: 'whether the target is classes (default: where it is text)',
    },
    neighbors: {
      kind: 'number',
      value: 'n',
      min: 1,
      max: 1e6,
      whole: true,
      doc: 'neighbours by which mutual-information and mrmr estimate (default 3)',
    },
    scheme: {
      kind: 'choice',
      choices: ['mid', 'miq'],
      doc: 'of mrmr: relevance minus redundancy, or divided by it (default mid)',
    },
    maxCorrelation: {
      kind: 'number',
      value: 'r',
      min: 0,
      max: 1,
      doc: 'of correlation and spearman: keep no column that correlates more than this with a better one',
    },
    threshold: { kind: 'number', value: 'v', min: 0, max: 1e300, doc: 'of variance: keep what is above (default 0)' },
    category: { kind: 'texts', value: 'column', doc: 'a column of numbers that are names' },
    without: { kind: 'texts', value: 'column', doc: 'a column that takes no part' },
    missing: { kind: 'choice', choices: ['error', 'mean'], default: 'error', doc: 'what stands for missing numbers' },
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
    const choices = choicesOf(options)
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

interface Given {
  readonly target: string | undefined
  readonly method: SelectOptions['method']
  readonly keep: string | undefined
  readonly task: SelectOptions['task']
  readonly neighbors: number | undefined
  readonly scheme: SelectOptions['scheme']
  readonly maxCorrelation: number | undefined
  readonly threshold: number | undefined
  readonly without: readonly string[]
  readonly missing: 'error' | 'mean'
  readonly seed: number
}

/** Which method each of these speaks of. */
const OF_METHODS: Readonly<Record<string, readonly SelectOptions['method'][]>> = {
  neighbors: ['mutual-information', 'mrmr'],
  scheme: ['mrmr'],
  maxCorrelation: ['correlation', 'spearman'],
  threshold: ['variance'],
}

/** Throws `OPTION_VALUE`, `OPTION_UNUSED`. */
function choicesOf(options: Given): SelectOptions {
  const { target, method, keep, task, neighbors, scheme, maxCorrelation, threshold, without, missing, seed } = options
  for (const [name, methods] of Object.entries(OF_METHODS)) {
    if (options[name as keyof Given] === undefined || methods.includes(method)) continue
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
    throw unused(flag, `this says nothing of ${method}`, `Leave it out, or choose --method ${methods.join(' or ')}.`)
  }
  return {
    method,
    without,
    missing,
    seed,
    ...(target !== undefined && { target }),
    ...(keep !== undefined && { keep: keepOf(keep) }),
    ...(task && { task }),
    ...(neighbors !== undefined && { nNeighbors: neighbors }),
    ...(scheme && { scheme }),
    ...(maxCorrelation !== undefined && { maxCorrelation }),
    ...(threshold !== undefined && { threshold }),
  }
}

function keepOf(text: string): Keep {
  if (text === 'bic') return text
  const number = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN
  if (number > 0 && (number < 1 || Number.isSafeInteger(number))) return number
  throw new PareError('OPTION_VALUE', 'a number of columns, a share below 1, or bic is needed', {
    where: '--keep',
    value: text,
    remedy: 'Write for example --keep 20, --keep 0.5 or --keep bic.',
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
