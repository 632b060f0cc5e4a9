/** What `pare fit` is told of the model, and how it becomes what the library takes. */

import type { GaussianModel } from '../linear/gaussian-model.js'
import { PareError } from '../util/errors.js'
import type { OptionSpecs, OptionValues } from './command.js'

const MODELS = ['lasso', 'ridge', 'elastic-net', 'adaptive-lasso', 'mcp', 'scad', 'group-lasso'] as const
const FAMILIES = ['gaussian', 'binomial', 'multinomial', 'poisson'] as const
const SELECTIONS = ['cv', 'cv-1se', 'loo', 'aic', 'bic', 'ebic'] as const

/** What is predicted from what, how it is held down, and how the strength of that is chosen. */
export const FIT_OPTIONS = {
  target: { kind: 'text', value: 'column', required: true, doc: 'the column to predict' },
  model: { kind: 'choice', choices: MODELS, default: 'lasso', doc: 'what holds the coefficients down' },
  family: {
    kind: 'choice',
    choices: FAMILIES,
    doc: 'what is predicted: numbers, one of two classes, of several, counts (default by the column: numbers, or classes where it is text)',
  },
  select: {
    kind: 'choice',
    choices: SELECTIONS,
    default: 'cv',
    doc: 'how the strength is chosen: cross-validation, each row of a ridge left out, a criterion',
  },
  folds: { kind: 'number', value: 'n', min: 2, max: 1e6, whole: true, default: 10, doc: 'parts of cross-validation' },
  l1Ratio: {
    kind: 'text',
    value: 'shares',
    doc: 'share of the lasso beside a ridge; of several, as 0.1,0.5,0.9, the best is taken (default 0.5 for elastic-net, else 1)',
  },
  gamma: {
    kind: 'number',
    value: 'n',
    min: 0,
    max: 1e6,
    doc: 'shape of mcp (default 3) and scad (3.7), power of the weights of adaptive-lasso (1)',
  },
  nLambdas: { kind: 'number', value: 'n', min: 1, max: 1e5, whole: true, default: 100, doc: 'strengths to try' },
  lambdaMinRatio: {
    kind: 'number',
    value: 'share',
    min: 1e-12,
    max: 0.999,
    doc: 'the weakest of them, as a share of the strongest (default 1e-4 of the lasso, 1e-2 with fewer rows than columns)',
  },
  weights: { kind: 'text', value: 'column', doc: 'a column of weights of the rows' },
  offset: {
    kind: 'text',
    value: 'column',
    doc: 'a column that is added to what the link gives: the log of the exposure of counts',
  },
  penaltyFactor: {
    kind: 'texts',
    value: 'column=number',
    doc: 'how much stronger a column is held; 0 leaves it without a penalty',
  },
  positive: { kind: 'flag', doc: 'no coefficient below 0' },
  group: { kind: 'texts', value: 'columns', doc: 'columns, as a,b,c, that group-lasso takes or leaves together' },
  category: { kind: 'texts', value: 'column', doc: 'a column of numbers that are names' },
  without: { kind: 'texts', value: 'column', doc: 'a column that takes no part' },
  missing: { kind: 'choice', choices: ['error', 'mean'], default: 'error', doc: 'what stands for missing numbers' },
} as const satisfies OptionSpecs

type FitValues = OptionValues<typeof FIT_OPTIONS>

export type ModelName = FitValues['model']

/** Throws `OPTION_VALUE` and, for what says nothing of the model, `OPTION_UNUSED`. */
export function fitChoices(options: FitValues & { readonly seed: number }) {
  const { target, model, select, folds, seed, missing, nLambdas, lambdaMinRatio, gamma, weights, offset } = options
  const isGrouped = model === 'group-lasso'
  if (options.group.length > 0 && !isGrouped) throw unused('--group', model, 'group-lasso')
  if (options.positive && isGrouped) throw unused('--positive', model, 'a model of single columns')
  if (options.l1Ratio !== undefined && (model === 'lasso' || model === 'ridge'))
    throw unused('--l1-ratio', model, 'elastic-net')
  if (gamma !== undefined && !['mcp', 'scad', 'adaptive-lasso'].includes(model))
    throw unused('--gamma', model, 'mcp, scad or adaptive-lasso')
  return {
    target,
    select,
    folds,
    seed,
    missing,
    nLambdas,
    model: model === 'lasso' || model === 'ridge' ? 'elastic-net' : (model satisfies GaussianModel),
    l1Ratio: ratiosOf(model, options.l1Ratio),
    isPositive: options.positive,
    without: options.without,
    ...(gamma !== undefined && { gamma }),
    ...(lambdaMinRatio !== undefined && { lambdaMinRatio }),
    ...(weights !== undefined && { weights }),
    ...(offset !== undefined && { offset }),
    ...(options.penaltyFactor.length > 0 && {
      penaltyFactors: Object.fromEntries(options.penaltyFactor.map(factorOf)),
    }),
    ...(isGrouped && { columnGroups: options.group.map((text) => text.split(',').map((name) => name.trim())) }),
  } as const
}

function ratiosOf(model: ModelName, text: string | undefined): readonly number[] {
  if (text === undefined) return [{ 'elastic-net': 0.5, ridge: 0 }[model as string] ?? 1]
  const ratios = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
  if (ratios.every((v) => v >= 0 && v <= 1)) return ratios
  throw new PareError('OPTION_VALUE', 'shares are numbers from 0 to 1', {
    where: '--l1-ratio',
    value: text,
    remedy: 'Write for example --l1-ratio 0.5, or --l1-ratio 0.1,0.5,0.9.',
  })
}

/** `city=Oslo=0` is of the level Oslo: the number comes after the last sign. */
function factorOf(text: string): readonly [string, number] {
  const at = text.lastIndexOf('=')
  const [name, number] = [text.slice(0, at), text.slice(at + 1)]
  const factor = number.trim() === '' ? Number.NaN : Number(number)
  if (at > 0 && factor >= 0 && Number.isFinite(factor)) return [name, factor]
  throw new PareError('OPTION_VALUE', 'column=number is needed, with a number of at least 0', {
    where: '--penalty-factor',
    value: text,
    remedy: 'Write for example --penalty-factor age=0; a column that is to take no part is named by --without.',
  })
}

const unused = (where: string, model: ModelName, of: string): PareError =>
  new PareError('OPTION_UNUSED', `this says nothing of ${model}`, {
    where,
    remedy: `Leave it out, or choose --model ${of}.`,
  })
