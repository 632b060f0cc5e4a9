/**
 * Stability selection: which columns the path takes in again and again when it sees but half of the rows (Meinshausen and
 * Bühlmann 2010), with halves in complementary pairs, which bounds the errors under weaker assumptions (Shah and Samworth
 * 2013). A half is a set of moments, and its complement is what is left of all.
 */

import { type KernelPool, kernelPool } from '../kernels/gram-kernel.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { counted } from '../util/format.js'
import { random } from '../util/random.js'
import { nextTurn } from '../util/turns.js'
import { checkDesign, type DenseMatrix, rowsWithWeight } from './design.js'
import { gatherMoments } from './gather-moments.js'
import { type Moments, momentsOf, withoutMoments } from './moments.js'
import { type PathOptions, pathOf } from './path.js'
import { isConstant } from './standard.js'
import { checkTerms, wrongOption } from './terms.js'

export interface StabilityOptions extends PathOptions, Pick<RunOptions, 'seed' | 'onProgress'> {
  /** B: pairs of halves, so twice as many paths. Default 50. */
  readonly draws?: number
  /** τ: the probability from which on a column is selected; above 0.5. Default 0.75. */
  readonly threshold?: number
  /**
   * q: a path ends before it has taken in more columns than this. Default: as many as keep `bound` at or below 1, but at
   * least 1.
   */
  readonly most?: number
}

export interface Stability {
  /** Unless given, 100 from twice the least one that keeps all at zero for all rows, down to 1/100 of that. */
  readonly lambdas: Float64Array
  /** By λ, then by column: the share of paths that have taken the column in down to there. */
  readonly probabilities: readonly Float64Array[]
  /** Columns that reach the threshold, the likeliest first. */
  readonly selected: readonly number[]
  readonly threshold: number
  readonly most: number
  /**
   * Of the columns that a path takes in with a probability of at most q/p, so many are selected at most, as a mean over
   * data: q² / (2τ − 1)p (Shah and Samworth 2013, theorem 1; Meinshausen and Bühlmann 2010, theorem 1, for noise columns
   * where these are exchangeable).
   */
  readonly bound: number
  /** The same where the probabilities of these columns are unimodal (theorem 2); null where τ is too low for it. */
  readonly unimodalBound: number | null
}

/**
 * Columns without a penalty are in every path, with a probability of 1 (0 without spread); they count neither for q nor for p and are not selected. The same seed gives
 * the same answer. Throws `DESIGN_…`, `PATH_OPTION`, `FOLDS` where there are fewer than 4 rows.
 */
export async function stabilitySelection(
  x: DenseMatrix,
  y: ArrayLike<number>,
  options: StabilityOptions = {},
): Promise<Stability> {
  const { draws = 50, threshold = 0.75, seed = 0, weights, onProgress } = options
  checkDesign(x, y, weights)
  checkTerms(options, x.columns)
  const candidates = [...Array(x.columns).keys()].filter((j) => isCandidate(options.penaltyFactors?.[j] ?? 1))
  const p = candidates.length
  checkStability(options, p)
  const most = options.most ?? Math.max(1, Math.floor(Math.sqrt((2 * threshold - 1) * p)))
  const rows = rowsWithWeight(x.rows, { weights })
  if (rows.length < 4) throw tooFew(rows.length)
  const all = await gatherMoments(x, y, options)
  const lambdas = options.lambdas ? Float64Array.from(options.lambdas).sort((a, b) => b - a) : lambdasFor(all, options)
  const counts = Array.from(lambdas, () => new Float64Array(x.columns))
  const { shuffle } = random(seed)
  const kernels = kernelPool()
  for (let draw = 0; draw < draws; draw++) {
    await nextTurn(options.signal)
    for (const half of await halvesOf(x, y, all, shuffle(rows.slice()), options)) {
      const firsts = firstEntries(half, { ...options, lambdas }, candidates, most, kernels)
      for (const [j, at] of firsts) for (let i = at; i < lambdas.length; i++) counts[i]![j]!++
    }
    onProgress?.({ task: 'stability selection', done: draw + 1, total: draws })
  }
  const spread = (j: number): number => Math.sqrt(all.scatter[j * (x.columns + 1) + j]! / all.weight)
  const isFree = (j: number): boolean => options.penaltyFactors?.[j] === 0 && !isConstant(spread(j), all.means[j]!)
  const share = (count: number, j: number): number => (isFree(j) ? 1 : count / (2 * draws))
  const probabilities = counts.map((list) => list.map(share))
  const last = probabilities.at(-1)!
  const selected = candidates.filter((j) => last[j]! >= threshold).sort((a, b) => last[b]! - last[a]!)
  return { lambdas, probabilities, selected, threshold, most, ...boundsOf(threshold, most, p, draws) }
}

const isCandidate = (factor: number): boolean => factor > 0 && factor < Number.POSITIVE_INFINITY

/** Twice the least one, since halves correlate more by chance than all rows do. */
function lambdasFor(all: Moments, { lambdas: _, nLambdas = 100, lambdaMinRatio = 0.01, ...options }: StabilityOptions) {
  const [least] = pathOf(all, { ...options, nLambdas: 1 }).lambdas
  const step = nLambdas === 1 ? 0 : Math.log(lambdaMinRatio) / (nLambdas - 1)
  return Float64Array.from({ length: nLambdas }, (_, i) => 2 * least! * Math.exp(step * i))
}

/** Of rows in a drawn order; one is left over where their number is odd. */
async function halvesOf(
  x: DenseMatrix,
  y: ArrayLike<number>,
  all: Moments,
  order: Uint32Array,
  options: StabilityOptions,
): Promise<readonly [Moments, Moments]> {
  const size = Math.floor(order.length / 2)
  const first = await gatherMoments(x, y, { ...options, rows: order.subarray(0, size) })
  const rest = withoutMoments(all, first)
  if (order.length % 2 === 0) return [first, rest]
  const { weights } = options
  return [first, withoutMoments(rest, momentsOf(x, y, { rows: order.subarray(-1), ...(weights && { weights }) }))]
}

/** Where along the path each of the first columns comes in, until there would be more than `most`. */
function firstEntries(
  half: Moments,
  options: PathOptions,
  candidates: readonly number[],
  most: number,
  kernels: KernelPool,
): ReadonlyMap<number, number> {
  const found = new Map<number, number>()
  let at = 0
  const isEnough = (beta: Float64Array): boolean => {
    const fresh = candidates.filter((j) => beta[j] !== 0 && !found.has(j))
    if (found.size + fresh.length > most) return true
    for (const j of fresh) found.set(j, at)
    at++
    return false
  }
  pathOf(half, options, { isEnough, kernels })
  return found
}

/** With θ = q/p: at most C θ q, C = 1 / (2τ − 1), or that of Shah and Samworth 2013, theorem 2. */
function boundsOf(
  threshold: number,
  most: number,
  p: number,
  draws: number,
): Pick<Stability, 'bound' | 'unimodalBound'> {
  const theta = most / p
  const bound = (theta * most) / (2 * threshold - 1)
  const least = 0.5 + Math.min(theta ** 2, 1 / (2 * draws) + 0.75 * theta ** 2)
  if (threshold <= least) return { bound, unimodalBound: null }
  const factor =
    threshold <= 0.75
      ? 1 / (2 * (2 * threshold - 1 - 1 / (2 * draws)))
      : (4 * (1 - threshold + 1 / (2 * draws))) / (1 + 1 / draws)
  return { bound, unimodalBound: factor > 0 ? factor * theta * most : null }
}

function checkStability({ draws = 50, threshold = 0.75, most = 1, l1Ratio = 1 }: StabilityOptions, p: number): void {
  if (!(Number.isSafeInteger(draws) && draws > 0)) throw wrongOption('draws', draws, 'a whole number above 0')
  if (!(threshold > 0.5 && threshold <= 1)) throw wrongOption('threshold', threshold, 'above 0.5 and at most 1')
  if (p === 0) throw wrongOption('penaltyFactors', 'none', 'above 0 and finite for at least one column')
  if (!(Number.isSafeInteger(most) && most > 0 && most <= p))
    throw wrongOption('most', most, `a whole number from 1 to the ${counted(p, 'column')} with a penalty`)
  if (l1Ratio === 0) throw wrongOption('l1Ratio', l1Ratio, 'above 0: a ridge takes all columns in at once')
}

const tooFew = (rows: number): PareError =>
  new PareError('FOLDS', 'the rows cannot be halved', {
    value: counted(rows, 'row'),
    remedy: 'Give at least 4 rows with a weight above 0.',
  })
