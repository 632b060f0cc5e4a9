/**
 * The elastic net path of generalized linear models: Σ ωᵢ f(yᵢ, offsetᵢ + β₀ + xᵢᵀβ) + λ Σ vⱼ(ρ|βⱼ| + (1 − ρ)/2 βⱼ²) with
 * Σ ωᵢ = 1, each λ begun where the last one ended (Friedman, Hastie and Tibshirani 2010, §3).
 */

import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { nextTurn, rareTurns } from '../util/turns.js'
import { checkTraits, loopsOf } from './datafits/datafit.js'
import { checkNull, type Family, type FamilyOptions, type Response, responseOf } from './datafits/index.js'
import { checkDesign, checkShape, type DenseMatrix, stridesOf } from './design.js'
import { momentsOf } from './moments.js'
import { completed, type Objective, saturatedLoss, stateAt, violationAt } from './objective.js'
import { pathOf } from './path.js'
import { precisionFor, TOLERANCE } from './precision.js'
import type { Penalized } from './quadratic.js'
import { type Coefficients, type Rows, type TiledRows, tiledRows } from './rows.js'
import { openSoftmax, type SoftmaxEngine } from './softmax-engine.js'
import { type NewtonOptions, type NewtonResult, proxNewton } from './solvers/prox-newton.js'
import { descendSmoothly, isSmooth } from './solvers/smooth.js'
import { checkTerms, lambdasOf, type TermOptions, type Terms, termsOf } from './terms.js'

export interface GlmOptions extends TermOptions, FamilyOptions, Pick<RunOptions, 'signal'> {
  /** wᵢ of the rows; only their ratios count, and 0 leaves a row out. */
  readonly weights?: ArrayLike<number>
  /** Added to the linear predictor of a row: log exposure for counts. K numbers a row for `multinomial`. */
  readonly offset?: ArrayLike<number>
  /** Largest duality gap, as a part of half the deviance of the empty model. Default 1e-7. */
  readonly tolerance?: number
  /**
   * `gram` works from moments, which are all that a quadratic loss asks for: `gaussian` alone, and faster there with many
   * strengths. Default `prox-newton`.
   */
  readonly solver?: 'prox-newton' | 'gram'
  /** Newton steps for one λ, at most; ten times as many where they are of L-BFGS. Default 200. */
  readonly maxIterations?: number
  /** Passes of coordinate descent for one step, at most. Default 10,000. */
  readonly maxPasses?: number
  /** For products of many rows. */
  readonly engine?: Engine | undefined
}

export interface GlmModel {
  readonly lambda: number
  /** One vector, or K of them for classes; on the scale of the data. */
  readonly coefficients: readonly Float64Array[]
  readonly intercepts: Float64Array
}

export interface GlmPath {
  readonly family: Family
  /** Labels in the order of the models' vectors (of two, the second is what the one vector is for); null without classes. */
  readonly classes: readonly (number | string)[] | null
  /** From the largest down. */
  readonly lambdas: Float64Array
  readonly models: readonly GlmModel[]
  /** Coefficients that are not zero, of all vectors. */
  readonly df: readonly number[]
  /** 1 − deviance / null deviance, of the rows that it was fitted on. */
  readonly devianceRatio: readonly number[]
  /** Mean deviance of the empty model. */
  readonly nullDeviance: number
  /** Of each λ, as a part of half the null deviance; NaN where there is none (columns without a penalty). */
  readonly dualGap: readonly number[]
  /** The largest violation of the optimality conditions, on the scale of the fit. */
  readonly violation: readonly number[]
  /** Newton steps, or those of L-BFGS: a ridge of many classes and columns. */
  readonly iterations: readonly number[]
  /** What did not end as it should: separated classes, steps that were used up. */
  readonly warnings: readonly string[]
}

/** Throws `DESIGN_…`, `PATH_OPTION`, `RESPONSE`, `FAMILY`, `DATAFIT_SOLVER`. */
export async function glmPath(x: DenseMatrix, y: ArrayLike<number | string>, options: GlmOptions): Promise<GlmPath> {
  return glmPathOf(x, checkedResponse(x, y, options), options)
}

export function checkedResponse(x: DenseMatrix, y: ArrayLike<number | string>, options: GlmOptions): Response {
  checkShape(x, y.length)
  const response = responseOf(y, options)
  checkDesign(x, response.y, options.weights)
  checkTerms(options, x.columns)
  const { offset } = options
  const wanted = x.rows * response.datafit.outputs
  if (offset === undefined) return response
  if (offset.length === wanted && Array.from(offset).every(Number.isFinite)) return response
  throw new PareError('PATH_OPTION', `offset must be ${wanted} finite numbers, one for each predictor of a row`, {
    where: 'offset',
    value: offset.length === wanted ? Array.from(offset).find((v) => !Number.isFinite(v)) : offset.length,
    remedy: 'Change or leave out this option.',
  })
}

/** Of the size of a loss, what rounding may leave where nothing is. */
const ROUNDING = 1e-14

/** Some of the rows, and how errors name them. */
export interface GlmPart {
  readonly rows?: ArrayLike<number>
  readonly where?: string
}

export async function glmPathOf(
  x: DenseMatrix,
  response: Response,
  options: GlmOptions,
  part: GlmPart = {},
): Promise<GlmPath> {
  const { hasIntercept = true, isStandardized = true, weights, engine, signal, tolerance = TOLERANCE } = options
  throwIfAborted(signal)
  if (options.solver === 'gram') return momentPath(x, response, options, part.rows)
  checkTraits('prox-newton', ['curvature'], response.datafit)
  const rows = tiledRows(x, {
    hasIntercept,
    isStandardized,
    ...(weights && { weights }),
    ...(part.rows && { rows: part.rows }),
  })
  const objective = objectiveOf(rows, response, options)
  const terms = repeated(termsOf(rows, options), response.datafit.outputs)
  const isOnEngine = engine !== undefined && isSmooth(objective, terms.at(1))
  const opening = isOnEngine ? openSoftmax(engine, objective, precisionFor({ tolerance })) : Promise.resolve(null)
  // What fails meanwhile is told once it is asked for.
  opening.catch(() => {})
  const begin = async (): Promise<NewtonResult> => {
    // The engine takes X in meanwhile.
    if (isOnEngine) await nextTurn()
    return emptyModel(objective, response, terms, { ...limitsOf(options), where: part.where ?? 'y' })
  }
  try {
    const empty = await begin()
    const softmax = await opening
    throwIfAborted(signal)
    return await pathFrom(empty, objective, response, terms, softmax, options)
  } finally {
    // Where it could not be opened, that has been told by now, or something else has.
    await (await opening.catch(() => null))?.close()
  }
}

const limitsOf = ({ maxIterations = 200, maxPasses = 10_000, signal, engine }: GlmOptions) => ({
  maxIterations,
  maxPasses,
  signal,
  engine,
})

async function pathFrom(
  empty: NewtonResult,
  objective: Objective,
  { classes }: Response,
  terms: VectorTerms,
  softmax: SoftmaxEngine | null,
  options: GlmOptions,
): Promise<GlmPath> {
  const saturated = saturatedLoss(objective)
  const size = Math.abs(empty.state.loss) + Math.abs(saturated)
  const isExplained = empty.state.loss - saturated <= ROUNDING * size
  // By the intercept alone: what is left is rounding, and no column should explain it.
  const [half, scale] = isExplained ? [0, size] : [empty.state.loss - saturated, empty.state.loss - saturated]
  const pull = empty.state.gradient.map((g) => (isExplained ? 0 : -g))
  // Classes and counts have units of their own.
  const lambdas = lambdasOf(pull, terms, { count: objective.rows.index.length, deviation: 1 }, options)
  const steps = { tolerance: options.tolerance ?? TOLERANCE, scale, ...limitsOf(options) }
  const results: NewtonResult[] = []
  const found: Found[] = []
  let last: Pick<NewtonResult, 'state' | 'models' | 'known'> = { ...empty, models: [] }
  const turn = rareTurns()
  for (const lambda of lambdas) {
    await turn()
    const penalized = terms.at(lambda)
    const result = isSmooth(objective, penalized)
      ? await descendSmoothly(objective, penalized, last.state, softmax, steps)
      : await proxNewton(objective, penalized, last.state, last, steps)
    last = result
    results.push(result)
    found.push(foundAt(objective, penalized, result, { lambda, half, saturated }))
  }
  return {
    family: options.family,
    classes,
    lambdas,
    models: found.map((f) => f.model),
    df: found.map((f) => f.df),
    devianceRatio: found.map((f) => f.devianceRatio),
    nullDeviance: 2 * half,
    dualGap: found.map((f) => f.dualGap),
    violation: found.map((f) => f.violation),
    iterations: results.map((r) => r.iterations),
    warnings: warningsOf(lambdas, [empty, ...results]),
  }
}

interface Found extends Record<'df' | 'devianceRatio' | 'dualGap' | 'violation', number> {
  readonly model: GlmModel
}

/** `half`: of the null deviance. */
function foundAt(
  objective: Objective,
  penalized: Penalized,
  { state, dualGap }: NewtonResult,
  { lambda, half, saturated }: { readonly lambda: number; readonly half: number; readonly saturated: number },
): Found {
  return {
    model: modelOf(objective.rows, lambda, state),
    df: state.beta.reduce((n, b) => n + Number(b !== 0), 0),
    devianceRatio: half > 0 ? 1 - (state.loss - saturated) / half : 0,
    dualGap: half > 0 ? dualGap / half : 0,
    violation: violationAt(objective, penalized, state),
  }
}

/** By `path`, offsets taken off y. */
function momentPath(
  x: DenseMatrix,
  { datafit, y }: Response,
  options: GlmOptions,
  rows: ArrayLike<number> | undefined,
): GlmPath {
  checkTraits('gram', ['quadratic'], datafit)
  const { weights, offset, hasIntercept = true } = options
  const target = y.map((v, i) => v - (offset?.[i] ?? 0))
  const moments = momentsOf(x, target, { ...(weights && { weights }), ...(rows && { rows }) })
  const found = pathOf(moments, options)
  const [p, m] = [x.columns, x.columns + 1]
  const variance = moments.scatter[p * m + p]! / moments.weight + (hasIntercept ? 0 : moments.means[p]! ** 2)
  const models = found.models.map(({ lambda, coefficients, intercept }) => {
    return { lambda, coefficients: [coefficients], intercepts: Float64Array.of(intercept) }
  })
  return { ...found, family: 'gaussian', classes: null, models, nullDeviance: variance, warnings: [] }
}

function objectiveOf(
  rows: TiledRows,
  { datafit, y }: Response,
  { offset, hasIntercept = true }: GlmOptions,
): Objective {
  const { outputs } = datafit
  const at =
    offset &&
    Float64Array.from({ length: rows.index.length * outputs }, (_, i) => {
      const row = Math.floor(i / outputs)
      return offset[rows.index[row]! * outputs + (i - row * outputs)]!
    })
  const own = Float64Array.from(rows.index, (i) => y[i]!)
  return { rows, datafit, loops: loopsOf(datafit), y: own, offset: at ?? null, hasIntercept }
}

type VectorTerms = Pick<Terms, 'l1Ratio' | 'factors' | 'at'>

/** The same penalties for each of K vectors. */
function repeated(terms: VectorTerms, outputs: number): VectorTerms {
  if (outputs === 1) return terms
  const repeat = (v: Float64Array): Float64Array =>
    Float64Array.from({ length: outputs * v.length }, (_, i) => v[i % v.length]!)
  return {
    l1Ratio: terms.l1Ratio,
    factors: repeat(terms.factors),
    at(lambda) {
      const { l1, l2, lower, upper } = terms.at(lambda)
      return { l1: repeat(l1), l2: repeat(l2), lower: repeat(lower), upper: repeat(upper) }
    },
  }
}

/** The best intercepts, and the best of what no penalty holds, all else at zero. */
async function emptyModel(
  objective: Objective,
  response: Response,
  terms: VectorTerms,
  { where, ...limits }: Omit<NewtonOptions, 'tolerance' | 'scale'> & { readonly where: string },
): Promise<NewtonResult> {
  const { datafit, y, rows, hasIntercept } = objective
  const zero = new Float64Array(datafit.outputs * rows.x.columns)
  const point: Coefficients = { beta: zero, intercepts: new Float64Array(datafit.outputs) }
  if (hasIntercept) {
    point.intercepts.set(datafit.nullIntercepts(y, rows.shares))
    checkNull(response, point.intercepts, where)
  }
  const start = stateAt(objective, point)
  const free = terms.at(0)
  const held: Penalized = {
    ...free,
    lower: free.lower.map((v, j) => (terms.factors[j]! > 0 ? 0 : v)),
    upper: free.upper.map((v, j) => (terms.factors[j]! > 0 ? 0 : v)),
  }
  const scale = Math.max(start.loss - saturatedLoss(objective), Number.MIN_VALUE)
  const found = await proxNewton(
    objective,
    held,
    start,
    { models: [], known: null },
    { tolerance: 1e-14, scale, ...limits },
  )
  return { ...found, state: completed(objective, found.state) }
}

/** On the scale of the data. */
function modelOf({ scales, shifts, x }: Rows, lambda: number, { beta, intercepts }: Coefficients): GlmModel {
  const p = x.columns
  const coefficients = Array.from(intercepts, (_, k) => beta.slice(k * p, (k + 1) * p).map((b, j) => b / scales[j]!))
  return {
    lambda,
    coefficients,
    intercepts: intercepts.map((b, k) => coefficients[k]!.reduce((sum, c, j) => sum - c * shifts[j]!, b)),
  }
}

function warningsOf(lambdas: Float64Array, [empty, ...results]: readonly NewtonResult[]): readonly string[] {
  const at = (ended: NewtonResult['ended']): string =>
    [...results.entries()]
      .filter(([, r]) => r.ended === ended)
      .map(([i]) => lambdas[i]!.toPrecision(4))
      .join(', ')
  const warnings: string[] = []
  const separated = empty!.ended === 'separated' ? 'all' : at('separated')
  if (separated !== '') {
    warnings.push(
      `the columns without a penalty part the classes perfectly: their coefficients have no finite best value and were stopped on the way (λ = ${separated})`,
    )
  }
  const exhausted = at('exhausted')
  if (exhausted !== '') warnings.push(`the steps were used up before the tolerance was met (λ = ${exhausted})`)
  const stalled = at('stalled')
  if (stalled !== '') warnings.push(`rounding ended the search before the tolerance was met (λ = ${stalled})`)
  return warnings
}

/** The linear predictors of a row, without an offset. */
export function predictorsOf(x: DenseMatrix, row: number, { coefficients, intercepts }: GlmModel): Float64Array {
  const [byRow, byColumn] = stridesOf(x)
  return intercepts.map((b, k) => {
    const c = coefficients[k]!
    let sum = b
    for (let j = 0; j < c.length; j++) if (c[j] !== 0) sum += c[j]! * x.data[row * byRow + j * byColumn]!
    return sum
  })
}
