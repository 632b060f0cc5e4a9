/** `pare fit`: a linear model of a table, its strength chosen. */

import { defineCommand } from '../command.js'
import { FIT_OPTIONS, fitChoices } from '../fit-options.js'
import { SEED_OPTION } from '../inputs.js'

export const fit = defineCommand({
  name: 'fit',
  summary: 'Fit a linear model to a table, and choose its strength',
  positionals: { names: ['table'], min: 1, max: 1 },
  options: {
    ...FIT_OPTIONS,
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
    const [
      { fileSource },
      { readColumns },
      { fitTable },
      { familyOf, fitGlm },
      { protectInput, writtenBytes },
      { writeModel },
      { checkWritable, writeFileAtomic },
      { renderFit },
      { fitAnswer },
      { modelWords },
    ] = await Promise.all([
      import('../../data/files.js'),
      import('../../data/columns.js'),
      import('../../linear/fit.js'),
      import('../../linear/fit-glm.js'),
      import('../models.js'),
      import('../../onnx/files.js'),
      import('../../util/files.js'),
      import('../../report/fit.js'),
      import('../fit-answer.js'),
      import('../fit-words.js'),
    ])
    const { model, select, category, output, report } = options
    const { signal, onProgress, warn: onWarning, commandLine, terminal } = context
    const choices = { ...fitChoices(options), signal, onProgress, onWarning }
    await protectInput(undefined, output, false, { read: [path], report })
    for (const written of [output, report]) if (written !== undefined) await checkWritable(written)
    const data = await readColumns(await fileSource(path!), { categories: category, signal, onWarning })
    const family = options.family ?? familyOf(data, choices.target)
    const found = family === 'gaussian' ? await fitTable(data, choices) : await fitGlm(data, { ...choices, family })
    await writeModel(found.model, output)
    if (report !== undefined) {
      const page = { table: path!, model: modelWords(model, found), select, fit: found, commandLine }
      await writeFileAtomic(report, renderFit(page))
    }
    const shown = { from: path!, model, select, output, report, bytes: await writtenBytes(output) }
    return fitAnswer(found, shown, terminal)
  },
})
