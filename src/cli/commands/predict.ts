/** `pare predict`: a model that takes columns, applied to a table. */

import type { TableColumn } from '../../data/columns.js'
import type { Model, Tensor } from '../../ir/types.js'
import { CLASSES } from '../../linear/classes.js'
import { PareError } from '../../util/errors.js'
import { count } from '../../util/format.js'
import { defineCommand } from '../command.js'
import { ENGINE_OPTIONS, engineOptions } from '../inputs.js'

/** Rows a run. */
const ROWS = 65_536

export const predict = defineCommand({
  name: 'predict',
  summary: 'Apply a fitted model to a table',
  positionals: { names: ['model', 'table'], min: 2, max: 2 },
  options: {
    output: { kind: 'text', short: 'o', value: 'file', required: true, doc: 'the CSV file to write' },
    ...ENGINE_OPTIONS,
  },
  examples: ['pare predict price.onnx new.csv -o predictions.csv'],
  notes: [
    'The table holds the columns that the model was fitted on, by name; others are not read. One row is written for each.',
  ],
  async run([modelPath, tablePath], options, context) {
    const [
      { fileSource },
      { readColumns },
      { protectInput },
      { readModel },
      files,
      { openEngine },
      tensors,
      { encodeModel },
    ] = await Promise.all([
      import('../../data/files.js'),
      import('../../data/columns.js'),
      import('../models.js'),
      import('../../onnx/files.js'),
      import('../../util/files.js'),
      import('../../engine/node/open.js'),
      import('../../ir/tensor.js'),
      import('../../onnx/codec.js'),
    ])
    await protectInput(modelPath, options.output, false, { read: [tablePath] })
    await files.checkWritable(options.output)
    const model = await readModel(modelPath!)
    const classes = classesOf(model)
    const inputs = model.graph.inputs
    const categories = inputs.filter((name) => isText(model.graph.values.get(name)))
    const table = await readColumns(await fileSource(tablePath!), { only: inputs, categories, signal: context.signal })
    const utf8 = new TextEncoder()
    const tensorOf = (column: TableColumn, from: number, to: number): Tensor => {
      const shape = [to - from, 1]
      if (column.kind === 'number') return tensors.floatTensor('float64', shape, column.values.subarray(from, to))
      const texts = Array.from(column.codes.subarray(from, to), (code) => utf8.encode(column.levels[code] ?? ''))
      return tensors.stringTensor(shape, texts)
    }
    const engine = await openEngine(engineOptions(options, context.warn))
    try {
      const session = await engine.load(encodeModel(model).bytes)
      const lines: string[] = []
      for (let from = 0; from < table.rows; from += ROWS) {
        const to = Math.min(table.rows, from + ROWS)
        const feeds = Object.fromEntries(table.columns.map((c) => [c.name, tensorOf(checked(c, categories), from, to)]))
        const results = await session.run(feeds, { signal: context.signal })
        const columns = model.graph.outputs.flatMap((name) => cellColumns(name, results[name]!, classes, tensors))
        if (from === 0) lines.push(columns.map(({ title }) => csvCell(title)).join(','))
        for (let i = 0; i < to - from; i++) lines.push(columns.map(({ cell }) => csvCell(cell(i))).join(','))
      }
      await session.close()
      await files.writeFileAtomic(options.output, `${lines.join('\n')}\n`)
      return {
        text: `${count(table.rows)} rows, written to ${options.output}`,
        json: { output: options.output, rows: table.rows, columns: model.graph.outputs, engine: engine.name },
      }
    } finally {
      await engine.close()
    }
  },
})

interface CellColumn {
  readonly title: string
  cell(row: number): string
}

/** The columns of an output; those of probabilities are named by their classes. */
function cellColumns(
  name: string,
  values: Tensor,
  classes: readonly string[],
  { numbers }: { numbers(t: Tensor): ArrayLike<number> },
): readonly CellColumn[] {
  const width = values.shape.slice(1).reduce((n, d) => n * d, 1)
  const texts = values.strings?.()
  const plain = texts ? null : numbers(values)
  const utf8 = new TextDecoder()
  const cell = (at: number): string => (texts ? utf8.decode(texts[at]!) : String(plain![at]))
  return Array.from({ length: width }, (_, k) => ({
    title: width === 1 ? name : `${name}:${classes.length === width ? classes[k] : k}`,
    cell: (row) => cell(row * width + k),
  }))
}

/** Labels that the model keeps; none of a model that is not of classes. */
function classesOf(model: Model): readonly string[] {
  const text = model.metadata.get(CLASSES)
  return text === undefined ? [] : (JSON.parse(text) as readonly unknown[]).map(String)
}

const csvCell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

const isText = (value: { readonly kind: string; readonly dtype?: string } | undefined): boolean =>
  value?.dtype === 'string'

/** A column of numbers that now holds text, or the other way round. */
function checked(column: TableColumn, categories: readonly string[]): TableColumn {
  const wantsText = categories.includes(column.name)
  if (wantsText === (column.kind === 'category')) return column
  // A category whose levels are all missing reads as numbers.
  if (wantsText)
    return {
      kind: 'category',
      name: column.name,
      codes: new Int32Array((column as { values: Float64Array }).values.length).fill(-1),
      levels: [],
    }
  throw new PareError('TABLE_CELL', 'a column that the model takes as numbers holds text', {
    where: `column ${column.name}`,
    value: column.kind === 'category' ? column.levels[0] : undefined,
    remedy: 'Correct the cells.',
  })
}
