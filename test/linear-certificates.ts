/** Drawn options for the elastic net, and what proves its models optimal, computed row by row from X itself. */

import fc from 'fast-check'
import { expect } from 'vitest'
import { type DenseMatrix, stridesOf } from '../src/linear/design.js'
import type { LinearPath, PathOptions } from '../src/linear/linear-path.js'
import { dualityGap, type Penalized, violation } from '../src/linear/quadratic.js'
import { random } from '../src/util/random.js'
import type { RegressionSpec } from './regressions.js'

export interface Case extends RegressionSpec {
  readonly options: PathOptions & { readonly tolerance: number; readonly maxPasses: number }
}

const TOLERANCE = 1e-8

/** Options of all kinds for a drawn regression. */
export const cases: fc.Arbitrary<Case> = fc
  .record({
    rows: fc.integer({ min: 2, max: 40 }),
    columns: fc.integer({ min: 1, max: 60 }),
    seed: fc.nat(),
    l1Ratio: fc.constantFrom(0, 0.3, 1),
    hasIntercept: fc.boolean(),
    isStandardized: fc.boolean(),
    isWeighted: fc.boolean(),
    bounds: fc.constantFrom('none', 'none', 'lower', 'both'),
    factors: fc.constantFrom('none', 'some', 'free'),
  })
  .map(({ rows, columns, seed, isWeighted, bounds, factors, ...options }) => {
    const { uniform, integer } = random(seed + 1)
    const list = (length: number, f: () => number): Float64Array => Float64Array.from({ length }, f)
    return {
      rows,
      columns,
      seed,
      options: {
        ...options,
        nLambdas: 12,
        tolerance: TOLERANCE,
        maxPasses: 20_000,
        ...(isWeighted && { weights: list(rows, () => integer(4) / 2).fill(1, 0, 2) }),
        ...(bounds !== 'none' && { lowerBounds: list(columns, () => -integer(3) * uniform()) }),
        ...(bounds === 'both' && { upperBounds: list(columns, () => [0, 1, Number.POSITIVE_INFINITY][integer(3)]!) }),
        ...(factors !== 'none' && {
          penaltyFactors: list(
            columns,
            () => [1, 2, Number.POSITIVE_INFINITY, factors === 'free' ? 0 : 0.5][integer(4)]!,
          ),
        }),
      },
    }
  })

interface Rows {
  /** By column: standardized, times √(w / Σw). */
  readonly columns: readonly Float64Array[]
  readonly y: Float64Array
  readonly scales: readonly number[]
  readonly isOut: readonly boolean[]
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0)

/** What the fit is on, row by row, without moments. */
function standardRows(x: DenseMatrix, y: ArrayLike<number>, options: PathOptions): Rows {
  const { hasIntercept = true, isStandardized = true, weights, penaltyFactors } = options
  const [byRow, byColumn] = stridesOf(x)
  const w = Float64Array.from({ length: x.rows }, (_, i) => weights?.[i] ?? 1)
  const total = w.reduce((a, b) => a + b, 0)
  const root = w.map((v) => Math.sqrt(v / total))
  const centred = (v: Float64Array): Float64Array => {
    const mean = dot(v, w) / total
    return v.map((value) => value - mean)
  }
  const raw = Array.from({ length: x.columns }, (_, j) =>
    Float64Array.from({ length: x.rows }, (_, i) => x.data[i * byRow + j * byColumn]!),
  )
  const spread = raw.map((v) => Math.sqrt(centred(v).reduce((sum, c, i) => sum + (c * root[i]!) ** 2, 0)))
  const isConstant = spread.map((s, j) => s <= 1e-10 * (1 + Math.abs(raw[j]![0]!)))
  const scales = spread.map((s, j) => (isStandardized && !isConstant[j] ? s : 1))
  const place = (v: Float64Array): Float64Array => (hasIntercept ? centred(v) : v).map((c, i) => c * root[i]!)
  return {
    columns: raw.map((v, j) => place(v).map((c) => c / scales[j]!)),
    y: place(Float64Array.from(y)),
    scales,
    isOut: isConstant.map((c, j) => (c && hasIntercept) || penaltyFactors?.[j] === Number.POSITIVE_INFINITY),
  }
}

function penalizedAt(lambda: number, { scales, isOut }: Rows, options: PathOptions): Penalized {
  const { l1Ratio = 1, penaltyFactors, lowerBounds, upperBounds } = options
  const given = scales.map((_, j) => penaltyFactors?.[j] ?? 1)
  const finite = given.filter(Number.isFinite)
  const mean = finite.reduce((a, b) => a + b, 0) / finite.length || 1
  const of = (f: (j: number) => number): Float64Array => Float64Array.from(scales, (_, j) => (isOut[j] ? 0 : f(j)))
  return {
    l1: of((j) => (lambda * l1Ratio * given[j]!) / mean),
    l2: of((j) => (lambda * (1 - l1Ratio) * given[j]!) / mean),
    lower: of((j) => (lowerBounds?.[j] ?? Number.NEGATIVE_INFINITY) * scales[j]!),
    upper: of((j) => (upperBounds?.[j] ?? Number.POSITIVE_INFINITY) * scales[j]!),
  }
}

/** An orthonormal basis of some columns, by Gram and Schmidt, twice over. */
function basisOf(columns: readonly Float64Array[]): readonly Float64Array[] {
  const basis: Float64Array[] = []
  for (const column of columns) {
    const left = without(without(column, basis), basis)
    const [before, after] = [Math.sqrt(dot(column, column)), Math.sqrt(dot(left, left))]
    if (after > 1e-9 * before) basis.push(left.map((v) => v / after))
  }
  return basis
}

function without(v: Float64Array, basis: readonly Float64Array[]): Float64Array {
  const left = v.slice()
  for (const b of basis) {
    const part = dot(left, b)
    for (let i = 0; i < left.length; i++) left[i]! -= part * b[i]!
  }
  return left
}

/** Gap and violation of each model, by way of the rows: r = y − Xβ, then Xᵀr. */
function certificates(x: DenseMatrix, y: ArrayLike<number>, options: PathOptions, found: LinearPath) {
  const rows = standardRows(x, y, options)
  const yy = dot(rows.y, rows.y)
  const { lower, upper } = penalizedAt(1, rows, options)
  const isOpen = (j: number): boolean => !Number.isFinite(lower[j]) && !Number.isFinite(upper[j])
  const isFree = rows.isOut.map((out, j) => !out && options.penaltyFactors?.[j] === 0 && isOpen(j))
  const basis = basisOf(rows.columns.filter((_, j) => isFree[j]))
  const left = { ...rows, isOut: rows.isOut.map((out, j) => out || isFree[j]!) }
  const columns = rows.columns.map((c) => without(without(c, basis), basis))
  const leftY = without(without(rows.y, basis), basis)
  const problem = { q: Float64Array.from(columns, (c) => dot(c, leftY)), yy: dot(leftY, leftY) }
  // Scaled back and forth a coefficient at its bound misses it by a rounding.
  const near = (b: number, bound: number): number => (Math.abs(b - bound) < 1e-12 * Math.abs(bound) ? bound : b)
  return found.models.map(({ lambda, coefficients }) => {
    const beta = coefficients.map((b, j) => near(near(b * rows.scales[j]!, lower[j]!), upper[j]!))
    const r = rows.y.slice()
    for (const [j, c] of rows.columns.entries()) for (let i = 0; i < r.length; i++) r[i]! -= beta[j]! * c[i]!
    const residual = Float64Array.from(rows.columns, (c) => dot(c, r))
    // What free columns would still explain is lost, and has no say in what is left to the others.
    const leftR = without(without(r, basis), basis)
    const loss = 0.5 * (dot(r, r) - dot(leftR, leftR))
    const held = {
      beta: beta.map((b, j) => (isFree[j] ? 0 : b)),
      // Whether a column that bounds alone hold still pulls is not for rounding to say.
      residual: Float64Array.from(columns, (c, j) => {
        const pull = dot(c, leftR)
        const isRounding = Math.abs(pull) < 1e-9 * Math.sqrt(yy * dot(c, c))
        return options.penaltyFactors?.[j] === 0 && isRounding ? 0 : pull
      }),
    }
    return {
      yy,
      isInside: beta.every((b, j) => b >= lower[j]! && b <= upper[j]!),
      gap: loss + dualityGap(problem, penalizedAt(lambda, left, options), held),
      violation: violation(penalizedAt(lambda, rows, options), { beta, residual }),
      /** The largest cosine of a free column with what is left of y. */
      freely: Math.max(0, ...basis.map((b) => Math.abs(dot(b, r)))) / Math.sqrt(yy),
    }
  })
}

/** A column that bounds alone hold: there is no gap, or one by chance. */
export const hasNoGap = ({ penaltyFactors, lowerBounds }: PathOptions): boolean =>
  lowerBounds !== undefined && Array.from(penaltyFactors ?? []).includes(0)

/** Of each model: inside its bounds, with a gap within the tolerance, or optimal where there is none. */
export function expectSolved(x: DenseMatrix, y: ArrayLike<number>, options: Case['options'], found: LinearPath): void {
  for (const [i, c] of certificates(x, y, options, found).entries()) {
    expect(c.isInside).toBe(true)
    // Sums of squares are known to some units of the last place.
    const rounding = 1e-12 * c.yy
    expect(c.freely).toBeLessThan(1e-7)
    if (hasNoGap(options)) {
      // Descent can be slow here, and says so.
      const isSlow = found.iterations[i] === options.maxPasses && found.violation[i]! > 0.5 * c.violation
      const isOptimal = c.violation ** 2 <= TOLERANCE * 0.5 * c.yy * 1.01 + rounding
      expect(isSlow || isOptimal || c.gap <= TOLERANCE * 0.5 * c.yy + rounding).toBe(true)
    } else {
      expect(c.gap).toBeLessThanOrEqual(TOLERANCE * 0.5 * c.yy + rounding)
      expect(found.dualGap[i]!).toBeLessThanOrEqual(TOLERANCE + 1e-12)
    }
  }
}
