/** Columns by their mutual information with a target. */

import type { TableColumn } from '../../data/columns.js'
import type { Engine } from '../../engine/engine.js'
import type { RunOptions } from '../../util/env.js'
import { PareError } from '../../util/errors.js'
import {
  columnsOf,
  type FeatureOptions,
  type Features,
  namesOf,
  type Ranking,
  ranked,
  rowsOf,
  type Target,
  type TargetOptions,
  targetOf,
} from './columns.js'
import type { EstimatorOptions } from './estimators.js'
import { informationOf } from './pairs.js'
import { prepared } from './prepare.js'
import { isMany, type ShareOptions } from './share-out.js'
import type { Variable } from './variables.js'

export interface InformationOptions
  extends EstimatorOptions,
    FeatureOptions,
    TargetOptions,
    Omit<RunOptions, 'onWarning'> {
  /** Its threads take columns too, where these are long. */
  readonly engine?: Pick<Engine, 'tasks'> | undefined
}

/**
 * Estimates of I(xⱼ; y) in nats, by what the two are. Numbers and numbers: Kraskov, Stögbauer and Grassberger 2004,
 * estimator 1. Numbers and classes: Ross 2014. Classes and classes: the plug-in estimate, which is too large by about
 * (Kxy − Kx − Ky + 1) / 2n; see `correction`. What would be below 0 is 0, and so are all of a column, or a target, that
 * is the same in all rows.
 *
 * Where values of a column of numbers are equal, noise of 1e-10 standard deviations parts them, drawn by `seed`; columns
 * without such are left as they are. Throws `DESIGN_…`, `SELECT_OPTION`, `SELECT_TARGET`.
 */
export async function mutualInformation(x: Features, y: Target, options: InformationOptions = {}): Promise<Ranking> {
  const { columns, variables, target, share } = await problemOf(x, y, options)
  const found = await informationOf(
    variables.map((variable) => [variable, target]),
    options,
    share,
  )
  return ranked(namesOf(columns), Float64Array.from(found))
}

export interface InformationProblem {
  readonly columns: readonly TableColumn[]
  /** The same, made ready. */
  readonly variables: readonly Variable[]
  readonly target: Variable
  /** For work on pairs of them. */
  readonly share: ShareOptions
}

export async function problemOf(x: Features, y: Target, options: InformationOptions): Promise<InformationProblem> {
  const { engine, signal, onProgress, seed = 0 } = options
  checkOptions(options)
  const columns = columnsOf(x, options)
  const rows = rowsOf(columns[0])
  const target = targetOf(y, rows, options)
  const isShared = isMany(rows, columns.length) && (engine?.tasks?.threads ?? 0) > 0
  const share = { ...(signal && { signal }), ...(onProgress && { onProgress }), ...(isShared && { engine }) }
  // The target first: its noise owes nothing to how many columns there are.
  const [own, ...variables] = await prepared([target, ...columns], { seed, isShared }, share)
  return { columns, variables, target: own!, share }
}

function checkOptions({ nNeighbors = 3 }: EstimatorOptions): void {
  if (Number.isSafeInteger(nNeighbors) && nNeighbors >= 1) return
  throw new PareError('SELECT_OPTION', 'nNeighbors is a whole number of at least 1', {
    value: nNeighbors,
    remedy: 'Leave it out for 3.',
  })
}
