/** `pare predict`: a model that takes columns, applied to a table. */

import type { TableColumn } from '../../data/columns.js'
import type { Model, Tensor } from '../../ir/types.js'
import { CLASSES } from '../../linear/classes.js'
import { count } from '../../util/format.js'
import { defineCommand } from '../command.js'
import { csvCell } from '../csv.js'
import { DATABASE_OPTIONS, ENGINE_OPTIONS, engineOptions } from '../inputs.js'

export const predict = defineCommand({
  name: 'predict',
  summary: 'Apply a fitted model to a table',
  positionals: { names: ['model', 'table'], min: 2, max: 2 },
  options: {
    output: { kind: 'text', short: 'o', value: 'file', required: true, doc: 'the CSV file to write' },
    ...DATABASE_OPTIONS,
    ...ENGINE_OPTIONS,
  },
  examples: ['pare predict price.onnx new.csv -o predictions.csv'],
  notes: [
    'The table holds the columns that the model was fitted on, by name; others are not read. One row is written for each.',
  ],
  async run([modelPath, tablePath], options, context) {
    const [
      { fileSource },
      { openTable },
      { tableBlocks },
      { checkColumns },
      { protectInput },
      { readModel },
      files,
      { openEngine },
      tensors,
      { encodeModel },
    ] = await Promise.all([
      import('../../data/files.js'),
      import('../../data/open-table.js'),
      import('../../data/columns.js'),
      import('../../data/column-names.js'),
      import('../models.js'),
      import('../../onnx/files.js'),
      import('../../util/files.js'),
      import('../../engine/node/open.js'),
      import('../../ir/tensor.js'),
      import('../../onnx/codec.js'),
    ])
    const { output, table: tableName, query } = options
    const { signal, onProgress } = context
    await protectInput(modelPath, output, false, { read: [tablePath] })
    await files.checkWritable(output)
    const model = await readModel(modelPath!)
    const classes = classesOf(model)
    const { inputs, outputs, values } = model.graph
    const wanted = inputs.map((name) => ({ kind: isText(values.get(name)) ? 'category' : 'number', name }) as const)
    const utf8 = new TextEncoder()
    const tensorOf = (column: TableColumn, rows: number): Tensor => {
      if (column.kind === 'number') return tensors.floatTensor('float64', [rows, 1], column.values)
      const levels = column.levels.map((level) => utf8.encode(level))
      const none = utf8.encode('')
      return tensors.stringTensor(
        [rows, 1],
        Array.from(column.codes, (code) => levels[code] ?? none),
      )
    }
    const cells = await openTable(await fileSource(tablePath!), { table: tableName, query })
    checkColumns(cells, inputs)
    const engine = await openEngine(engineOptions(options, context.warn)).catch((error: unknown) => {
      cells.close()
      throw error
    })
    try {
      const session = await engine.load(encodeModel(model).bytes)
      let rows = 0
      const lines = async function* () {
        for await (const { table } of tableBlocks(cells, wanted, { signal })) {
          const feeds = Object.fromEntries(table.columns.map((c) => [c.name, tensorOf(c, table.rows)]))
          const results = await session.run(feeds, { signal })
          const columns = outputs.flatMap((name) => cellColumns(name, results[name]!, classes, tensors))
          const head = rows === 0 ? [columns.map(({ title }) => csvCell(title)).join(',')] : []
          const body = Array.from({ length: table.rows }, (_, i) => columns.map((c) => csvCell(c.cell(i))).join(','))
          yield `${[...head, ...body].join('\n')}\n`
          rows += table.rows
          onProgress({ task: 'predicting', done: rows })
        }
      }
      await files.writeFileAtomic(output, lines())
      await session.close()
      return {
        text: `${count(rows)} rows, written to ${output}`,
        json: { output, rows, columns: outputs, engine: engine.name },
      }
    } finally {
      cells.close()
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

const isText = (value: { readonly kind: string; readonly dtype?: string } | undefined): boolean =>
  value?.dtype === 'string'
