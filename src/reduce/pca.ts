/** Principal component analysis: orthogonal directions in which rows vary most, in the order of that variance. */

import type { Engine } from '../engine/engine.js'
import type { FloatType } from '../ir/builder.js'
import type { Model } from '../ir/types.js'
import { columnMoments } from '../linear/column-moments.js'
import { checkDesign, type DenseMatrix, type DesignMatrix, isSparse, type SparseMatrix } from '../linear/design.js'
import { checkUnread, gatherMoments } from '../linear/gather-moments.js'
import type { Moments } from '../linear/moments.js'
import { isConstant } from '../linear/standard.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { random } from '../util/random.js'
import { centredOperator, type Frame } from './centred-operator.js'
import { momentsOfBlocks } from './pca-blocks.js'
import { type ComponentCount, checkCount, countOf, needsAll } from './pca-count.js'
import { type PcaGraphOptions, pcaGraph, rowsOf, scoresOf } from './pca-model.js'
import { byRowGram, byScatter, bySketch, type Principal, type Wanted } from './pca-solvers.js'
import { rowGram } from './row-gram.js'
import { sparseColumnMoments, sparseRowGram, sparseScatter } from './sparse-products.js'

/** By the covariance of columns, by the products of rows with each other, or by random projections. */
export type PcaSolver = 'covariance' | 'gram' | 'randomized'

export interface PcaOptions extends Pick<RunOptions, 'signal' | 'seed' | 'onProgress'> {
  /** Takes the large products, also those of `transform`. Without one all is done in compiled loops, on one thread. */
  readonly engine?: Engine
  /**
   * A count; the part of the variance, between 0 and 1, that the fewest components shall exceed; `mle` (Minka 2000, by
   * Laplace's method) or `bic` (there, section 3.1). Default: min(n, p).
   */
  readonly nComponents?: ComponentCount
  /** Scores of variance 1. Default false. */
  readonly whiten?: boolean
  /**
   * Default: `covariance`, or `gram` for more columns than rows; `randomized` where both are more than 5000 and a tenth
   * of all components at most is asked for.
   */
  readonly solver?: PcaSolver
  /** Columns are brought to standard deviation 1 (with 1/n) first; constant ones stay as they are. Default false. */
  readonly isStandardized?: boolean
  /** Of products for the covariance, of which sums are in float64. Default: that of the data. */
  readonly precision?: FloatType
}

export interface Pca {
  readonly nComponents: number
  /** [k, p], rows orthonormal. The entry of largest magnitude in each is positive. */
  readonly components: Float64Array
  /** [k], with n − 1 in the denominator. */
  readonly explainedVariance: Float64Array
  /** [k]; 0 where no column varies. */
  readonly explainedVarianceRatio: Float64Array
  /** [k], of the centred (and standardized) rows. */
  readonly singularValues: Float64Array
  /** [p] */
  readonly mean: Float64Array
  /** What columns are divided by after centring: [p], ones where they are not standardized. */
  readonly scale: Float64Array
  /** Mean variance of the directions left out, min(n, p) − k of them (Tipping and Bishop 1999, eq. 8); 0 where none is. */
  readonly noiseVariance: number
  readonly solver: PcaSolver
  /** Scores, row-major [rows, k]. Throws `DESIGN_…`, `PCA_SHAPE`. */
  transform(x: DesignMatrix): Promise<DenseMatrix>
  /** Rows, row-major [rows, p], of scores [rows, k]. Throws `DESIGN_…`, `PCA_SHAPE`. */
  inverseTransform(scores: DenseMatrix): Promise<DenseMatrix>
  /** Input [N, p] to scores [N, k]: standardizing and whitening are in it. */
  toOnnx(options?: PcaGraphOptions): Model
}

/** Rows or columns, whichever are fewer, up to which all is computed. */
const DIRECT = 5000

/**
 * Components of the rows of `x`, which is not changed; sparse rows are never filled. The same data, options and engine
 * give the same bits. Throws `DESIGN_…`, `PCA_ROWS`, `PCA_COMPONENTS`, `PCA_SOLVER`, `RANDOM_SEED`.
 */
export async function pca(x: DesignMatrix, options: PcaOptions = {}): Promise<Pca> {
  const { rows, columns } = x
  const { nComponents, engine } = options
  const solver = options.solver ?? defaultSolver(x, nComponents)
  if (solver === 'covariance' && !isSparse(x)) checkUnread(x, null, { engine })
  else checkDesign(x, null)
  checkOptions(options, solver, { rows, columns })
  if (solver === 'covariance') {
    const moments = isSparse(x)
      ? sparseMoments(x)
      : await gatherMoments(x, null, {
          engine,
          precision: options.precision ?? (x.data instanceof Float32Array ? 'float32' : 'float64'),
          ...(options.signal && { signal: options.signal }),
        })
    return ofMoments(moments, options)
  }
  const { means, variances } = isSparse(x) ? sparseColumnMoments(x) : columnMoments(x, allRows(rows))
  const frame = frameOf(means, variances, options)
  const total = rows * variances.reduce((sum, v, j) => sum + v / frame.scales[j]! ** 2, 0)
  const facts: Facts = { ...frame, rows, divisor: rows - 1, total }
  const z = centredOperator(x, frame, engine)
  try {
    if (solver === 'randomized')
      return modelFrom(await bySketch(z, nComponents as number, options), facts, solver, options)
    const gram = isSparse(x) ? sparseRowGram(x, frame) : await rowGram(x, frame, options)
    return modelFrom(await byRowGram(gram, z, wantedOf(facts, options), options), facts, solver, options)
  } finally {
    await z.close()
  }
}

/**
 * Components of rows that come in blocks, in one pass: for more rows than memory holds. Throws as `pca`, with the place
 * among all rows, and what the blocks throw; the solver is `covariance`.
 */
export async function pcaOfBlocks(
  blocks: AsyncIterable<DenseMatrix> | Iterable<DenseMatrix>,
  options: Omit<PcaOptions, 'solver'> = {},
): Promise<Pca> {
  return pcaOfMoments(await momentsOfBlocks(blocks, options), options)
}

/**
 * Components of rows that nobody holds, from the moments of their columns: one pass over a file of any size gives them.
 * Of weights only the ratios count. Throws as `pca`; the solver is `covariance`.
 */
export async function pcaOfMoments(
  moments: Moments,
  options: Omit<PcaOptions, 'solver' | 'precision'> = {},
): Promise<Pca> {
  checkOptions(options, 'covariance', { rows: moments.count, columns: moments.means.length })
  return ofMoments(moments, options)
}

async function ofMoments({ count, weight, means, scatter }: Moments, options: PcaOptions): Promise<Pca> {
  const p = means.length
  const frame = frameOf(
    means,
    means.map((_, j) => scatter[j * p + j]! / weight),
    options,
  )
  const { scales } = frame
  const own = options.isStandardized
    ? scatter.map((v, at) => v / (scales[Math.floor(at / p)]! * scales[at % p]!))
    : scatter
  let total = 0
  for (let j = 0; j < p; j++) total += own[j * p + j]!
  const facts: Facts = { ...frame, rows: count, divisor: weight * (1 - 1 / count), total }
  const all = Math.min(count, p)
  return modelFrom(await byScatter(own, p, all, wantedOf(facts, options), options), facts, 'covariance', options)
}

/** The diagonal is that of two passes: of a column far from zero the products leave little but rounding. */
function sparseMoments(x: SparseMatrix): Moments {
  const { means, variances } = sparseColumnMoments(x)
  const scatter = sparseScatter(x, means)
  const p = x.columns
  for (let j = 0; j < p; j++) {
    scatter[j * (p + 1)] = x.rows * variances[j]!
    if (!isConstant(Math.sqrt(variances[j]!), means[j]!)) continue
    for (let k = 0; k < p; k++) scatter[j * p + k] = scatter[k * p + j] = 0
  }
  return { count: x.rows, weight: x.rows, means, scatter, rounding: 0 }
}

function defaultSolver({ rows, columns }: DesignMatrix, count: ComponentCount | undefined): PcaSolver {
  const few = Math.min(rows, columns)
  if (few > DIRECT && !needsAll(count) && typeof count === 'number' && count <= few / 10) return 'randomized'
  return columns <= rows ? 'covariance' : 'gram'
}

const allRows = (rows: number) => ({
  index: Uint32Array.from({ length: rows }, (_, i) => i),
  isAll: true,
  shares: new Float64Array(rows).fill(1 / rows),
})

function frameOf(means: Float64Array, variances: Float64Array, { isStandardized = false }: PcaOptions): Frame {
  const deviations = variances.map(Math.sqrt)
  return { means, scales: deviations.map((s, j) => (isStandardized && !isConstant(s, means[j]!) ? s : 1)) }
}

/** Of the rows, centred and scaled. */
interface Facts extends Frame {
  readonly rows: number
  /** Of energies, for variances. */
  readonly divisor: number
  /** Energy of all directions. */
  readonly total: number
}

function wantedOf({ rows, means, divisor }: Facts, { nComponents }: PcaOptions): Wanted {
  const facts = { rows, columns: means.length }
  const all = Math.min(rows, means.length)
  if (!needsAll(nComponents)) return (nComponents as number | undefined) ?? all
  return (energies) =>
    countOf(
      nComponents,
      energies.map((v) => v / divisor),
      facts,
    )
}

function modelFrom(
  { energies: all, components: given }: Principal,
  { means, scales, rows, divisor, total }: Facts,
  solver: PcaSolver,
  { whiten = false, engine }: PcaOptions,
): Pca {
  const p = means.length
  const k = given.length / p
  const energies = all.slice(0, k)
  const components = withSigns(given, p)
  const explainedVariance = energies.map((v) => v / divisor)
  const nothing = 2 ** -52 * Math.max(rows, p) * energies[0]!
  const factors = explainedVariance.map((v, i) => (!whiten ? 1 : energies[i]! > nothing ? 1 / Math.sqrt(v) : 0))
  const left = Math.min(rows, p) - k
  const sum = (values: Float64Array): number => values.reduce((s, v) => s + v, 0)
  // Where all are known their sum loses no digits to those that are kept.
  const rest = all.length === k + left ? sum(all.subarray(k)) : Math.max(0, total - sum(energies))
  const projection = { means, scales, components, factors }
  return {
    nComponents: k,
    components,
    explainedVariance,
    explainedVarianceRatio: energies.map((v) => (total > 0 ? v / total : 0)),
    singularValues: energies.map(Math.sqrt),
    mean: means,
    scale: scales,
    noiseVariance: left > 0 ? rest / divisor / left : 0,
    solver,
    transform: (x) => scoresOf(x, projection, engine),
    inverseTransform: (scores) => rowsOf(scores, projection, engine),
    toOnnx: (options = {}) => pcaGraph(projection, options),
  }
}

/** The entry of largest magnitude is positive, the first one of several. */
function withSigns(components: Float64Array, p: number): Float64Array {
  const out = components.slice()
  for (let from = 0; from < out.length; from += p) {
    const row = out.subarray(from, from + p)
    let most = 0
    for (const v of row) if (Math.abs(v) > Math.abs(most)) most = v
    if (most < 0) for (let j = 0; j < p; j++) row[j] = -row[j]!
  }
  return out
}

function checkOptions(
  { nComponents, seed = 0 }: PcaOptions,
  solver: PcaSolver,
  facts: { readonly rows: number; readonly columns: number },
): void {
  random(seed)
  if (facts.rows < 2)
    throw new PareError('PCA_ROWS', 'a single row has no variance', {
      value: facts.rows,
      remedy: 'Give two rows at least.',
    })
  checkCount(nComponents, facts)
  if (!['covariance', 'gram', 'randomized'].includes(solver))
    throw new PareError('PCA_SOLVER', 'there is no such solver', {
      where: 'solver',
      value: solver,
      remedy: "Give 'covariance', 'gram' or 'randomized', or leave it out.",
    })
  if (solver === 'randomized' && (nComponents === undefined || needsAll(nComponents)))
    throw new PareError('PCA_SOLVER', 'random projections find a given number of components', {
      where: 'nComponents',
      value: nComponents,
      remedy: 'Give a count, or another solver.',
    })
}
