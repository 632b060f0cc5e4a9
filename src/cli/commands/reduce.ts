/** `pare reduce`: rows in fewer dimensions, by principal components or as a map of neighbours. */

import { extname } from 'node:path'
import type { PcaGraphOptions } from '../../reduce/pca-model.js'
import { PareError } from '../../util/errors.js'
import { defineCommand } from '../command.js'
import { DATABASE_OPTIONS, ENGINE_OPTIONS, engineOptions, SEED_OPTION } from '../inputs.js'
import type { Reduced } from '../reduce-methods.js'
import { checkMethod, pcaComponents, REDUCE_OPTIONS, tsneComponents } from '../reduce-options.js'
import type { Rows } from '../reduce-rows.js'

export const reduce = defineCommand({
  name: 'reduce',
  summary: 'Bring rows to fewer dimensions: principal components, maps',
  positionals: { names: ['rows'], min: 1, max: 1 },
  options: {
    ...REDUCE_OPTIONS,
    ...DATABASE_OPTIONS,
    ...ENGINE_OPTIONS,
    ...SEED_OPTION,
    output: {
      kind: 'text',
      short: 'o',
      value: 'file',
      required: true,
      doc: 'the table to write: csv, tsv, parquet, npy',
    },
    model: { kind: 'text', value: 'file', doc: 'pca: write the components as an ONNX model' },
    report: { kind: 'text', value: 'file', doc: 'write an HTML page: variances and loadings, or the map to move in' },
    picture: { kind: 'text', value: 'file', doc: 'draw the first two components: svg or png' },
  },
  examples: [
    'pare reduce houses.parquet --method pca --components 0.95 -o scores.parquet --model pca.onnx --report pca.html',
    'pare reduce iris.csv --method tsne --color species -o map.csv --report map.html',
    'pare reduce train-images.idx.gz --labels train-labels.idx.gz --method tsne -o map.csv --report map.html',
  ],
  notes: [
    'Rows are those of a table (CSV, Parquet, JSON, a database) or the samples of an npy or idx file. Columns of text take no part: show them with --color, or leave them out with --without.',
  ],
  async run([path], options, context) {
    checkMethod(options)
    if (options.method === 'pca') pcaComponents(options.components)
    else tsneComponents(options.components)
    const [
      { protectInput },
      files,
      { checkFormat, writeTable },
      { readRows },
      { checkNames },
      { reduced },
      { openEngine },
    ] = await Promise.all([
      import('../models.js'),
      import('../../util/files.js'),
      import('../../data/write-table.js'),
      import('../reduce-rows.js'),
      import('../reduce-names.js'),
      import('../reduce-methods.js'),
      import('../../engine/node/open.js'),
    ])
    const { output, model, report, picture, labels } = options
    await checkFormat(output)
    if (picture !== undefined) checkPicture(picture)
    await protectInput(undefined, output, false, {
      read: [path, labels],
      report,
      more: { model, picture },
      outputIs: 'table',
    })
    for (const written of [output, model, report, picture])
      if (written !== undefined) await files.checkWritable(written)
    const rows = await readRows(path!, options, context)
    checkNames(rows, options)
    const engine = await openEngine(engineOptions(options, context.warn))
    try {
      const { signal, onProgress, warn } = context
      const found = await reduced(rows, options, { signal, onProgress, warn, engine })
      const { reduceReport, reducePicture } = await import('../reduce-report.js')
      const { reduceAnswer } = await import('../reduce-answer.js')
      const shown = { rows, reduced: found, from: path!, choice: options, commandLine: context.commandLine }
      const columns = isNpy(output) ? found.scores : [...found.scores, ...rows.colours]
      await writeTable(output, { name: output, rows: rows.x.rows, columns })
      if (model !== undefined && found.found.method === 'pca') {
        const { writeModel } = await import('../../onnx/files.js')
        await writeModel(found.found.pca.toOnnx(graphNames(rows, found.scores)), model)
      }
      if (report !== undefined) await files.writeFileAtomic(report, reduceReport(shown))
      if (picture !== undefined) await files.writeFileAtomic(picture, reducePicture(shown, picture))
      return reduceAnswer(rows, found, { from: path!, output, model, report, picture }, context.terminal)
    } finally {
      await engine.close()
    }
  },
})

/** Of a table the model takes and gives columns by name, as `pare predict` does; of samples the whole rows. */
function graphNames({ kind, names }: Rows, scores: Reduced['scores']): PcaGraphOptions {
  if (kind === 'samples') return {}
  return { precision: 'float64', input: names, output: scores.map(({ name }) => name) }
}

/** An array has no names by which a number could be told from a score. */
const isNpy = (path: string): boolean => extname(path).toLowerCase() === '.npy'

/** Throws `OUTPUT_FORMAT`. */
function checkPicture(path: string): void {
  if (['.svg', '.png'].includes(extname(path).toLowerCase())) return
  throw new PareError('OUTPUT_FORMAT', 'a picture is drawn as SVG or PNG', {
    where: '--picture',
    value: path,
    remedy: 'Give a name that ends with .svg or .png.',
  })
}
