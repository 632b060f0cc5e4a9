/** What `pare reduce` is told, and what of it means something to the method. */

import { PareError } from '../util/errors.js'
import { kebab } from './args.js'
import type { OptionSpecs, OptionValues } from './command.js'
import { unused } from './inputs.js'

const METHODS = ['pca', 'tsne'] as const

export const REDUCE_OPTIONS = {
  method: {
    kind: 'choice',
    choices: METHODS,
    required: true,
    doc: 'principal components, or a map of neighbours',
  },
  components: {
    kind: 'text',
    value: 'n',
    doc: 'how many: a count; of pca also a part of the variance (0.95), mle or bic (default all of pca, 2 of tsne)',
  },
  whiten: { kind: 'flag', doc: 'pca: scores of variance 1' },
  perplexity: {
    kind: 'number',
    value: 'n',
    min: 1,
    max: 1e6,
    doc: 'tsne: neighbours that count for each row (default 30)',
  },
  iterations: {
    kind: 'number',
    value: 'n',
    min: 0,
    max: 1e6,
    whole: true,
    doc: 'tsne: after 250 with exaggeration (default 500)',
  },
  learningRate: {
    kind: 'number',
    value: 'n',
    min: 1e-9,
    max: 1e9,
    doc: 'tsne: length of its steps (default the number of rows, a twelfth of it in the first 250 iterations)',
  },
  init: {
    kind: 'choice',
    choices: ['pca', 'random'],
    doc: 'tsne: where points begin (default pca)',
  },
  initialComponents: {
    kind: 'number',
    value: 'n',
    min: 0,
    max: 1e6,
    whole: true,
    doc: 'tsne: principal components that more columns are brought to first, 0 for none (default 50)',
  },
  standardize: { kind: 'flag', doc: 'bring columns to standard deviation 1 first' },
  columns: { kind: 'texts', value: 'names', doc: 'columns that take part, as a,b,c (default all of numbers)' },
  without: { kind: 'texts', value: 'column', doc: 'a column that takes no part' },
  color: {
    kind: 'texts',
    value: 'column',
    doc: 'a column that takes no part, but is written and shown; the first one colours the points',
  },
  labels: { kind: 'text', value: 'file', doc: 'labels of the rows in a file of their own, to colour by' },
  missing: { kind: 'choice', choices: ['error', 'mean'], default: 'error', doc: 'what stands for missing numbers' },
  limit: { kind: 'number', value: 'n', min: 1, max: 1e9, whole: true, doc: 'read at most so many rows' },
} as const satisfies OptionSpecs

export type ReduceValues = OptionValues<typeof REDUCE_OPTIONS>

const OF_PCA = ['whiten', 'model'] as const
const OF_TSNE = ['perplexity', 'iterations', 'learningRate', 'init', 'initialComponents'] as const

/** Throws `OPTION_UNUSED` for what says nothing of the method. */
export function checkMethod(options: ReduceValues & { readonly model: string | undefined }): void {
  const isPca = options.method === 'pca'
  for (const name of isPca ? OF_TSNE : OF_PCA) {
    const value = options[name]
    if (value === undefined || value === false) continue
    throw unused(
      `--${kebab(name)}`,
      `this says nothing of ${isPca ? 'principal components' : 't-SNE'}`,
      `Leave it out, or choose --method ${isPca ? 'tsne' : 'pca'}.`,
    )
  }
}

/** A count, a part of the variance, or the name of a criterion; undefined where nothing was given. Throws `OPTION_VALUE`. */
export function pcaComponents(text: string | undefined): number | 'mle' | 'bic' | undefined {
  if (text === undefined || text === 'mle' || text === 'bic') return text
  const isPercent = text.endsWith('%')
  const value = Number(isPercent ? text.slice(0, -1) : text) / (isPercent ? 100 : 1)
  const isCount = !isPercent && Number.isInteger(value) && value >= 1
  if (text.trim() !== '' && (isCount || (value > 0 && value < 1))) return value
  throw noComponents(text, 'a count, a part of the variance between 0 and 1, mle or bic is needed', '2 or 0.95')
}

/** Throws `OPTION_VALUE`. */
export function tsneComponents(text: string | undefined): 2 | 3 {
  if (text === undefined || text === '2') return 2
  if (text === '3') return 3
  throw noComponents(text, 'a map of t-SNE has 2 or 3 dimensions', '2')
}

const noComponents = (value: string, what: string, example: string): PareError =>
  new PareError('OPTION_VALUE', what, {
    where: '--components',
    value,
    remedy: `Write for example --components ${example}.`,
  })
