/** `pare reduce`: rows in fewer dimensions, by principal components or as a map of neighbours. */

import { extname } from 'node:path'
import { PareError } from '../../util/errors.js'
import { defineCommand } from '../command.js'
import { DATABASE_OPTIONS, ENGINE_OPTIONS, SEED_OPTION } from '../inputs.js'
import { checkMethod, pcaComponents, REDUCE_OPTIONS, tsneComponents } from '../reduce-options.js'

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
    if (options.picture !== undefined) checkPicture(options.picture)
    const { reduceFile } = await import('../reduce-file.js')
    return reduceFile(path!, options, context)
  },
})

/** Throws `OUTPUT_FORMAT`. */
function checkPicture(path: string): void {
  if (['.svg', '.png'].includes(extname(path).toLowerCase())) return
  throw new PareError('OUTPUT_FORMAT', 'a picture is drawn as SVG or PNG', {
    where: '--picture',
    value: path,
    remedy: 'Give a name that ends with .svg or .png.',
  })
}
