/**
 * The ridge over a path of strengths, 1/2 Σ ωᵢ(yᵢ − β₀ − xᵢᵀβ)² + λ/2 Σ vⱼβⱼ² with weights ω of sum 1, and the error of
 * each row by the fit without it: all from one eigendecomposition (Golub, Heath and Wahba 1979). What is fitted is
 * corrected until the gradient vanishes: that of the rows themselves, or of their moments where these hide nothing of it.
 */

import type { Engine } from '../engine/engine.js'
import { multiplied, transposed } from '../linalg/products.js'
import type { ColumnMoments } from './column-moments.js'
import { meanOf, spreadAbout } from './columns.js'
import { checkDesign, type DenseMatrix, rowsWithWeight } from './design.js'
import { checkUnread, gatherMoments, isMany } from './gather-moments.js'
import { type LeaveOneOut, leaveOneOutOf } from './leave-one-out.js'
import type { Moments } from './moments.js'
import type { LinearPath, PathOptions } from './path.js'
import { basisOfGram, basisOfRows, NO_ENERGY, type RidgeBasis, type Roles } from './ridge-basis.js'
import { leftOutInSingle } from './ridge-left-out.js'
import { type LeftOut, ridgePass } from './ridge-pass.js'
import { type Rows, rowsOf } from './rows.js'
import { isConstant } from './standard.js'
import { checkTerms, lambdasOf, type Terms, termsOf } from './terms.js'

export interface RidgeOptions
  extends Omit<PathOptions, 'l1Ratio' | 'lowerBounds' | 'upperBounds' | 'tolerance' | 'maxPasses'> {}

/**
 * `dualGap` is the distance of the objective from its least value, exact where rounding hides none of the curvatures and
 * else a bound of it; `iterations` the readings of the rows, the same for all.
 */
export interface RidgePath extends LinearPath {
  /** Trace of the hat matrix without the intercept. */
  readonly effectiveDf: readonly number[]
  readonly leaveOneOut: LeaveOneOut
}

/** The gradient, relative to that of the empty model, at which a fit is exact. */
const EXACT = 1e-10

/** Rounding of moments that leaves room for that. */
const FINE = 1e-2 * EXACT

/** Readings of the rows, at most. */
const MOST = 6

/** Largest over smallest curvature up to which float32 gives the errors of rows left out to some seven digits. */
const WELL = 100

/** Of the mean square of y, what must be left of it for that. */
const LEFT = 1e-3

/** From here on so little of 1 − h is left that float32 does not do. */
const HIGH = 0.9

/** Throws `DESIGN_…` and `PATH_OPTION`. */
export async function ridgePath(x: DenseMatrix, y: ArrayLike<number>, options: RidgeOptions = {}): Promise<RidgePath> {
  checkTerms(options, x.columns)
  const moments = await momentsFor(x, y, options)
  const setting = settingOf(x, y, moments, options)
  const { rows, engine } = setting
  const n = rows.index.length
  const size = { count: n, deviation: Math.sqrt(setting.y.reduce((sum, v, i) => sum + rows.shares[i]! * v * v, 0)) }
  const start = await started(setting)
  const lambdas = lambdasOf(start.residual, setting.terms, size, options)
  const { basis } = start
  const count = lambdas.length
  const shrinkage = shrinkageOf(basis, lambdas)
  const isWell = engine !== undefined && n >= x.columns && curvatureRatio(basis, lambdas.at(-1)!) <= WELL
  const found = isWell ? await fittedByMoments(setting, start, lambdas, shrinkage) : null
  if (found !== null) return resultOf(setting, lambdas, basis, found)
  let along = repeated(start.along, count)
  let residual = repeated(start.residual, count)
  for (let round = 1; ; round++) {
    along = await stepped({ along, count }, residual, basis, shrinkage, engine)
    const beta = await betaOf(along, basis, { p: x.columns, count }, engine)
    const strengths = { beta, count, shrinkage }
    const { gradient, squares, leftOut } = await ridgePass(rows, setting.y, basis, strengths, setting)
    residual = optimality(gradient, beta, lambdas, setting.terms)
    const isExact = residual.every((r) => Math.abs(r) <= start.exact)
    if (isExact || round === MOST)
      return resultOf(setting, lambdas, basis, { beta, residual, squares, leftOut: leftOut!, shrinkage, rounds: round })
  }
}

/** With one reading of the rows, in float32, for what they err left out; null where that is too coarse. */
async function fittedByMoments(
  setting: Setting,
  { basis, along: first, residual: from, exact, problem }: Start,
  lambdas: Float64Array,
  shrinkage: Float64Array,
): Promise<Found | null> {
  const { rows, engine, terms, moments } = setting
  if (engine === undefined || problem === null || moments!.rounding > FINE) return null
  const { gram, correlations, yy } = problem
  const count = lambdas.length
  const p = correlations.length
  let along = repeated(first, count)
  let residual = repeated(from, count)
  for (let round = 1; ; round++) {
    along = await stepped({ along, count }, residual, basis, shrinkage, engine)
    const beta = await betaOf(along, basis, { p, count }, engine)
    const gradient = await multiplied(gram, beta, { m: p, k: p, n: count }, engine)
    for (let at = 0; at < gradient.length; at++) gradient[at] = correlations[Math.floor(at / count)]! - gradient[at]!
    residual = optimality(gradient, beta, lambdas, terms)
    if (!residual.every((r) => Math.abs(r) <= exact)) {
      if (round === MOST) return null
      continue
    }
    const squares = new Float64Array(count).fill(yy)
    for (let at = 0; at < beta.length; at++)
      squares[at % count]! -= beta[at]! * (correlations[Math.floor(at / count)]! + gradient[at]!)
    if (!squares.every((v) => v >= LEFT * yy)) return null
    const leftOut = await leftOutInSingle(rows, setting.y, basis, { along, shrinkage, count }, { ...setting, engine })
    return leftOut.largest <= HIGH ? { beta, residual, squares, leftOut, shrinkage, rounds: 1 } : null
  }
}

/** Null with fewer rows than columns: then the rows themselves are decomposed. Throws `DESIGN_…`. */
async function momentsFor(
  x: DenseMatrix,
  y: ArrayLike<number>,
  { weights, engine, signal }: RidgeOptions,
): Promise<Moments | null> {
  const count = weights === undefined ? x.rows : rowsWithWeight(x.rows, { weights }).length
  if (count < x.columns) {
    checkDesign(x, y, weights)
    return null
  }
  checkUnread(x, y, { engine, weights })
  return gatherMoments(x, y, { engine, ...(weights && { weights }), ...(signal && { signal }) })
}

interface Setting {
  readonly rows: Rows
  readonly moments: Moments | null
  /** Of the rows that count, about its mean where there is an intercept. */
  readonly y: Float64Array
  readonly mean: number
  readonly terms: Terms
  readonly hasIntercept: boolean
  readonly engine: Engine | undefined
  readonly signal: AbortSignal | undefined
  /** Whether the intercept alone explains y. */
  readonly isExplained: boolean
}

function settingOf(x: DenseMatrix, y: ArrayLike<number>, moments: Moments | null, options: RidgeOptions): Setting {
  const { hasIntercept = true, isStandardized = true, weights, signal, engine } = options
  const rows = rowsOf(
    x,
    { ...(weights && { weights }), hasIntercept, isStandardized },
    moments === null ? undefined : columnsOf(moments),
  )
  const used = Float64Array.from(rows.index, (i) => y[i]!)
  const mean = hasIntercept ? meanOf(used, 0, rows.shares) : 0
  const centred = used.map((v) => v - mean)
  // By the intercept alone.
  const isExplained = hasIntercept && isConstant(spreadAbout(mean, used, 0, rows.shares), mean)
  return {
    rows,
    moments,
    y: isExplained ? centred.fill(0) : centred,
    mean,
    terms: termsOf(rows, { ...options, l1Ratio: 0 }),
    hasIntercept,
    engine: isMany(rows.index.length, x.columns) ? engine : undefined,
    signal,
    isExplained,
  }
}

/** Of all columns but y. */
function columnsOf({ means, scatter, weight }: Moments): ColumnMoments {
  const p = means.length - 1
  const variances = Float64Array.from({ length: p }, (_, j) => Math.max(0, scatter[j * (p + 2)]! / weight))
  return { means: means.slice(0, p), variances }
}

/** The empty model, in which only the columns without a penalty have coefficients. */
interface Start extends Basis {
  /** Its coefficients in the directions of the basis. */
  readonly along: Float64Array
  /** Xᵀe / n of it; near enough for a first step. */
  readonly residual: Float64Array
  /** What of it counts as nothing. */
  readonly exact: number
}

async function started(setting: Setting): Promise<Start> {
  const { rows, terms, engine } = setting
  const { basis, problem } = await basisOf(setting)
  const gradientAt = async (beta: Float64Array): Promise<Float64Array> =>
    (await ridgePass(rows, setting.y, basis, { beta, count: 1, shrinkage: null }, setting)).gradient
  const first = problem?.correlations ?? (await gradientAt(new Float64Array(rows.x.columns)))
  const exact = EXACT * first.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
  const none = new Float64Array(basis.energies.length)
  if (terms.free.length === 0) return { basis, problem, along: none, residual: first, exact }
  const shrinkage = shrinkageOf(basis, [Number.POSITIVE_INFINITY])
  const along = await stepped({ along: none, count: 1 }, first, basis, shrinkage, engine)
  return {
    basis,
    problem,
    along,
    residual: await gradientAt(await betaOf(along, basis, { p: rows.x.columns, count: 1 }, engine)),
    exact,
  }
}

interface Basis {
  readonly basis: RidgeBasis
  /** What moments say; null where the rows were decomposed. */
  readonly problem: { readonly gram: Float64Array; readonly correlations: Float64Array; readonly yy: number } | null
}

async function basisOf(setting: Setting): Promise<Basis> {
  const { moments, rows, terms, hasIntercept, isExplained, engine, signal } = setting
  const { factors, free } = terms
  const roles: Roles = { held: [...factors.keys()].filter((j) => factors[j]! > 0), factors, free }
  const options = { engine, ...(signal && { signal }) }
  const p = rows.x.columns
  if (moments === null) return { basis: await basisOfRows(rows, roles, options), problem: null }
  const { scatter, weight, means } = moments
  const second = (j: number, k: number): number =>
    scatter[j * (p + 1) + k]! / weight + (hasIntercept ? 0 : means[j]! * means[k]!)
  const gram = new Float64Array(p * p)
  for (let j = 0; j < p; j++)
    for (let k = 0; k < p; k++) gram[j * p + k] = second(j, k) * rows.factors[j]! * rows.factors[k]!
  const correlations = Float64Array.from({ length: p }, (_, j) => (isExplained ? 0 : second(j, p) * rows.factors[j]!))
  const yy = isExplained ? 0 : second(p, p)
  return { basis: await basisOfGram(gram, p, roles, options), problem: { gram, correlations, yy } }
}

/** Curvatures of this size rounding alone may have left. Those of directions without a penalty have a unit of their own. */
const noCurvature = ({ energies, penalties }: RidgeBasis): number =>
  NO_ENERGY * energies.reduce((most, v, k) => (penalties[k] === 1 ? Math.max(most, v) : most), 0)

/** 1 / (bᵀGb + λ bᵀDb), 0 where this is nothing: [r, lambdas]. */
function shrinkageOf(basis: RidgeBasis, lambdas: ArrayLike<number>): Float64Array {
  const { energies, penalties } = basis
  const count = lambdas.length
  const nothing = noCurvature(basis)
  const shrinkage = new Float64Array(energies.length * count)
  for (let k = 0; k < energies.length; k++) {
    for (let l = 0; l < count; l++) {
      const curvature = energies[k]! + (penalties[k] === 0 ? 0 : lambdas[l]!)
      shrinkage[k * count + l] = penalties[k] === 0 || curvature > nothing ? 1 / curvature : 0
    }
  }
  return shrinkage
}

function curvatureRatio({ energies, penalties }: RidgeBasis, lambda: number): number {
  const held = energies.filter((_, k) => penalties[k] === 1).map((v) => v + lambda)
  return held.length === 0 ? 1 : Math.max(...held) / Math.min(...held)
}

/**
 * c + diag(shrinkage) Bᵀr, of β = Bc: from where the residual of the optimality conditions is r to where it vanishes.
 */
async function stepped(
  { along, count }: { readonly along: Float64Array; readonly count: number },
  residual: Float64Array,
  basis: RidgeBasis,
  shrinkage: Float64Array,
  engine: Engine | undefined,
): Promise<Float64Array> {
  const step = await alongOf(residual, basis, count, engine)
  return along.map((c, at) => c + shrinkage[at]! * step[at]!)
}

/** Bc: [p, count] */
const betaOf = (along: Float64Array, basis: RidgeBasis, shape: BetaShape, engine?: Engine): Promise<Float64Array> =>
  multiplied(basis.directions, along, { m: shape.p, k: basis.energies.length, n: shape.count }, engine)

interface BetaShape {
  readonly p: number
  readonly count: number
}

/** Bᵀr: [directions, count] */
function alongOf(
  residual: Float64Array,
  { directions, energies }: RidgeBasis,
  count: number,
  engine: Engine | undefined,
): Promise<Float64Array> {
  const [p, r] = [residual.length / count, energies.length]
  return multiplied(transposed(directions, p, r), residual, { m: r, k: p, n: count }, engine)
}

const repeated = (values: Float64Array, count: number): Float64Array =>
  Float64Array.from({ length: values.length * count }, (_, at) => values[Math.floor(at / count)]!)

/** Xᵀe / n − λDβ, 0 for columns that are left out. */
function optimality(gradient: Float64Array, beta: Float64Array, lambdas: Float64Array, terms: Terms): Float64Array {
  const count = lambdas.length
  const isFree = new Set(terms.free)
  return gradient.map((g, at) => {
    const j = Math.floor(at / count)
    const factor = terms.factors[j]!
    return factor === 0 && !isFree.has(j) ? 0 : g - lambdas[at % count]! * factor * beta[at]!
  })
}

interface Found {
  readonly beta: Float64Array
  readonly residual: Float64Array
  readonly squares: Float64Array
  readonly leftOut: LeftOut
  readonly shrinkage: Float64Array
  readonly rounds: number
}

async function resultOf(setting: Setting, lambdas: Float64Array, basis: RidgeBasis, found: Found): Promise<RidgePath> {
  const { rows, hasIntercept, y, mean } = setting
  const { beta, residual, squares, leftOut, shrinkage, rounds } = found
  const count = lambdas.length
  const column = (values: Float64Array, l: number): Float64Array =>
    Float64Array.from({ length: values.length / count }, (_, j) => values[j * count + l]!)
  const yy = y.reduce((sum, v, i) => sum + rows.shares[i]! * v * v, 0)
  const betas = Array.from(lambdas, (_, l) => column(beta, l))
  const distances = await distancesOf(residual, basis, lambdas, setting.engine)
  const effectiveDf = Array.from(lambdas, (_, l) =>
    basis.energies.reduce((sum, s, k) => sum + s * shrinkage[k * count + l]!, 0),
  )
  return {
    lambdas,
    models: betas.map((b, l) => {
      const coefficients = b.map((v, j) => v / rows.scales[j]!)
      const intercept = coefficients.reduce((sum, v, j) => sum - v * rows.shifts[j]!, mean)
      return { lambda: lambdas[l]!, coefficients, intercept }
    }),
    df: betas.map((b) => b.reduce((n, v) => n + Number(v !== 0), 0)),
    devianceRatio: Array.from(squares, (s) => (yy === 0 ? 0 : 1 - s / yy)),
    dualGap: Array.from(distances, (v) => (yy === 0 ? 0 : v / (0.5 * yy))),
    violation: betas.map((_, l) => column(residual, l).reduce((most, v) => Math.max(most, Math.abs(v)), 0)),
    iterations: betas.map(() => rounds),
    effectiveDf,
    leaveOneOut: leaveOneOutOf(leftOut, {
      count: rows.index.length,
      squares,
      traces: effectiveDf.map((df) => df + Number(hasIntercept)),
    }),
  }
}

/**
 * ½ rᵀ(G + λD)⁻¹r: of a quadratic whose gradient is r from its least value, by strength; at most that where rounding hides
 * an energy, which then counts as none. Without a penalty such a direction says nothing.
 */
async function distancesOf(
  residual: Float64Array,
  basis: RidgeBasis,
  lambdas: Float64Array,
  engine: Engine | undefined,
): Promise<Float64Array> {
  const { energies, penalties } = basis
  const count = lambdas.length
  const along = await alongOf(residual, basis, count, engine)
  const nothing = noCurvature(basis)
  const distances = new Float64Array(count)
  for (let at = 0; at < along.length; at++) {
    const [k, l] = [Math.floor(at / count), at % count]
    const energy = penalties[k] === 0 || energies[k]! > nothing ? energies[k]! : 0
    const curvature = energy + (penalties[k] === 0 ? 0 : lambdas[l]!)
    if (curvature > 0) distances[l]! += (0.5 * along[at]! ** 2) / curvature
  }
  return distances
}
