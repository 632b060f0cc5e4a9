/** What `pare select` is told of the method, and how it becomes what the library takes. */

import type { Keep } from '../reduce/select/keep.js'
import { METHODS } from '../reduce/select/methods.js'
import type { SelectOptions } from '../reduce/select/table.js'
import { PareError } from '../util/errors.js'
import { kebab } from './args.js'
import type { OptionSpecs, OptionValues } from './command.js'
import { unused } from './inputs.js'

export const SELECT_OPTIONS = {
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
} as const satisfies OptionSpecs

type SelectValues = OptionValues<typeof SELECT_OPTIONS>

/** Which method each of these speaks of. */
const OF_METHODS: Readonly<Record<string, readonly SelectOptions['method'][]>> = {
  neighbors: ['mutual-information', 'mrmr'],
  scheme: ['mrmr'],
  maxCorrelation: ['correlation', 'spearman'],
  threshold: ['variance'],
  task: METHODS.filter((method) => method !== 'variance'),
}

/** Throws `OPTION_VALUE`, `OPTION_UNUSED`. */
export function selectChoices(options: SelectValues & { readonly seed: number }): SelectOptions {
  const { target, method, keep, task, neighbors, scheme, maxCorrelation, threshold, without, missing, seed } = options
  for (const [name, methods] of Object.entries(OF_METHODS)) {
    if (options[name as keyof SelectValues] === undefined || methods.includes(method)) continue
    throw unused(
      `--${kebab(name)}`,
      `this says nothing of ${method}`,
      `Leave it out, or choose --method ${methods.join(' or ')}.`,
    )
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
