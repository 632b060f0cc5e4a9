/** `pare fit`: a linear model of a table, its strength chosen. */

import { defineCommand } from '../command.js'
import { FIT_OPTIONS, fitChoices } from '../fit-options.js'
import { DATABASE_OPTIONS, SEED_OPTION } from '../inputs.js'

export const fit = defineCommand({
  name: 'fit',
  summary: 'Fit a linear model to a table, and choose its strength',
  positionals: { names: ['table'], min: 1, max: 1 },
  options: {
    ...FIT_OPTIONS,
    ...DATABASE_OPTIONS,
    ...SEED_OPTION,
    output: { kind: 'text', short: 'o', value: 'file', required: true, doc: 'the file to write' },
    report: { kind: 'text', value: 'file', doc: 'write path, choice and residuals as an HTML page' },
  },
  examples: [
    'pare fit houses.csv --target price -o price.onnx',
    'pare fit patients.csv --target diagnosis --model adaptive-lasso -o diagnosis.onnx',
    'pare fit houses.csv --target price --model elastic-net --l1-ratio 0.1,0.5,0.9 -o price.onnx --report price.html',
    'pare fit visits.csv --target visits --family poisson --offset log_years -o visits.onnx',
  ],
  notes: [
    'The model takes the columns of the table as they are, one input a column: scaling, categories and missing numbers are inside. pare predict applies it.',
  ],
  async run([path], options, context) {
    const [{ fileSource }, { openTable }, { protectInput, writtenBytes }, files, { fitCells }] = await Promise.all([
      import('../../data/files.js'),
      import('../../data/open-table.js'),
      import('../models.js'),
      import('../../util/files.js'),
      import('../fit-cells.js'),
    ])
    const { model, select, family, category: categories, output, report, table, query } = options
    const choices = fitChoices(options)
    await protectInput(undefined, output, false, { read: [path], report })
    for (const written of [output, report]) if (written !== undefined) await files.checkWritable(written)
    const source = await fileSource(path!)
    const cells = await openTable(source, { table, query })
    try {
      const found = await fitCells(cells, choices, { family, categories, size: source.size }, context)
      const [{ writeModel }, { renderFit }, { fitAnswer }, { modelWords }] = await Promise.all([
        import('../../onnx/files.js'),
        import('../../report/fit.js'),
        import('../fit-answer.js'),
        import('../fit-words.js'),
      ])
      await writeModel(found.model, output)
      const page = {
        table: path!,
        model: modelWords(model, found),
        select,
        fit: found,
        commandLine: context.commandLine,
      }
      if (report !== undefined) await files.writeFileAtomic(report, renderFit(page))
      const shown = { from: path!, model, select, output, report, bytes: await writtenBytes(output) }
      return fitAnswer(found, shown, context.terminal)
    } finally {
      cells.close()
    }
  },
})
