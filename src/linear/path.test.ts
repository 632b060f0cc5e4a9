/** The path on data whose answers are published, and on drawn data by certificates that are computed from X itself. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { columnMajor, type RegressionSpec, regression } from '../../test/regressions.js'
import { random } from '../util/random.js'
import { informationCriteria } from './criteria.js'
import { crossValidate } from './cross-validate.js'
import { summaryOf } from './cv-summary.js'
import { type DenseMatrix, stridesOf } from './design.js'
import { type LinearPath, type PathOptions, path } from './path.js'
import { dualityGap, type Penalized, violation } from './quadratic.js'

/** scikit-learn's copy; see test/data/README.md. */
const DIABETES = ((): { readonly x: DenseMatrix; readonly y: readonly number[] } => {
  const lines = readFileSync(join(import.meta.dirname, '../../test/data/diabetes.csv'), 'utf8')
    .trim()
    .split('\n')
  const rows = lines.slice(1).map((line) => line.split(',').map(Number))
  const data = Float64Array.from(rows.flatMap((row) => row.slice(0, 10)))
  return { x: { rows: rows.length, columns: 10, data }, y: rows.map((row) => row[10]!) }
})()

function expectCoefficients(found: ArrayLike<number>, wanted: readonly number[], digits: number): void {
  for (const [j, v] of wanted.entries())
    expect(Math.abs(found[j]! - v)).toBeLessThanOrEqual(10 ** -digits * Math.abs(v))
}

test('Lasso(0.1) of the diabetes data', async () => {
  const { models, df } = await path(DIABETES.x, DIABETES.y, { lambdas: [0.1], isStandardized: false, tolerance: 1e-13 })
  const wanted = [
    0, -155.34311062, 517.2162412, 275.08722293, -52.55203581, 0, -210.13950904, 0, 483.91717457, 33.66219214,
  ]
  expectCoefficients(models[0]!.coefficients, wanted, 9)
  expect(models[0]!.intercept).toBeCloseTo(152.13348416, 7)
  expect(df).toEqual([7])
})

test('the elastic net of the diabetes data, λ = 0.01 and ρ = 0.3', async () => {
  const options = { lambdas: [0.01], l1Ratio: 0.3, isStandardized: false, tolerance: 1e-20 }
  const wanted = [
    32.227590274517304, -21.921319815262414, 173.84044270401037, 121.21386525481604, 25.1113668865174, 8.0377735029544,
    -99.2200775369562, 90.27186363494941, 154.7377298730434, 85.63896431254277,
  ]
  expectCoefficients((await path(DIABETES.x, DIABETES.y, options)).models[0]!.coefficients, wanted, 9)
})

test('Ridge(1) of the diabetes data, to ten digits', async () => {
  const options = { lambdas: [1 / 442], l1Ratio: 0, isStandardized: false }
  const { models, dualGap } = await path(DIABETES.x, DIABETES.y, options)
  const wanted = [
    29.46611189347689, -83.15427636187542, 306.35268015068607, 201.62773437326962, 5.909614367497143,
    -29.515495079689575, -152.04028006186408, 117.31173160030154, 262.94429001431297, 111.87895643952395,
  ]
  expectCoefficients(models[0]!.coefficients, wanted, 10)
  expect(models[0]!.intercept).toBeCloseTo(152.133484162896, 9)
  expect(dualGap[0]!).toBeLessThan(1e-20)
})

test('LassoCV of the diabetes data, five folds in the order of the rows', async () => {
  const sizes = [89, 89, 88, 88, 88]
  const found = await crossValidate(DIABETES.x, DIABETES.y, {
    foldIds: sizes.flatMap((n, k) => Array<number>(n).fill(k)),
    isStandardized: false,
    lambdaMinRatio: 1e-3,
    tolerance: 1e-12,
  })
  expect(found.path.lambdas[0]!).toBeCloseTo(2.1480435755, 9)
  const least = 91
  expect(found.least).toBe(least)
  expect(found.path.lambdas[least]!).toBeCloseTo(0.0037537672, 9)
  // There the mean is over folds, here over rows; the folds are the same.
  const { error, standardError, oneStandardError } = summaryOf(found.foldErrors, [1, 1, 1, 1, 1])
  expect(error[least]!).toBeCloseTo(2991.80738, 5)
  expect(standardError[least]!).toBeCloseTo(70.7815, 4)
  for (const at of [oneStandardError, found.oneStandardError])
    expect(found.path.lambdas[at]!).toBeCloseTo(0.1868258757, 9)
})

test('LassoLarsIC of the diabetes data, standardized', async () => {
  const lambdas = [
    45.160030020462884, 42.300343077890474, 21.542051665168575, 15.034077495941343, 6.1896308753548235,
    4.223038464357017, 3.280320549770638, 0.9504071158263107, 0.2605398356933545, 0.24202271957111818,
    0.1037998484809816, 0.06233133813551262, 0,
  ]
  const { x, y } = DIABETES
  // At a knot the next coefficient is on the point of moving.
  const found = await path(x, y, { lambdas, tolerance: 1e-20 })
  const mean = y.reduce((sum, v) => sum + v, 0) / y.length
  const variance = y.reduce((sum, v) => sum + (v - mean) ** 2, 0) / y.length
  const { noise, aic, bic } = informationCriteria(found, { count: y.length, variance })
  expect(noise).toBeCloseTo(2932.6816372, 6)
  const best = aic.indexOf(Math.min(...aic))
  expect(found.lambdas[best]!).toBe(0.9504071158263107)
  expect(found.df[best]).toBe(7)
  expect(aic[best]!).toBeCloseTo(4790.0023671, 5)
  expect(bic.indexOf(Math.min(...bic))).toBe(best)
  expect(bic[best]!).toBeCloseTo(4818.6415363, 5)
})

interface Case extends RegressionSpec {
  readonly options: PathOptions & { readonly tolerance: number; readonly maxPasses: number }
}

const TOLERANCE = 1e-8

/** Options of all kinds for a drawn regression. */
const cases: fc.Arbitrary<Case> = fc
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
const hasNoGap = ({ penaltyFactors, lowerBounds }: PathOptions): boolean =>
  lowerBounds !== undefined && Array.from(penaltyFactors ?? []).includes(0)

test('drawn problems are solved: gaps and optimality by way of the rows', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ options, ...spec }) => {
      const { x, y } = regression(spec)
      const found = await path(x, y, options)
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
    }),
    { numRuns: 100 },
  )
})

test('the order and the precision of X change nothing', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ options, ...spec }) => {
      const { x, y } = regression(spec)
      const data = Float32Array.from(x.data)
      const found = await path({ ...x, data }, y, options)
      expect(await path({ ...x, data: Float64Array.from(data) }, y, options)).toEqual(found)
      expect(await path(columnMajor({ ...x, data }), y, options)).toEqual(found)
    }),
    { numRuns: 30 },
  )
})

test('a weight is a row that stands there so many times', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (seed) => {
      const { x, y } = regression({ rows: 15, columns: 6, seed })
      const weights = Array.from({ length: 15 }, (_, i) => i % 3)
      const many = weights.flatMap((w, i) => Array<number>(w).fill(i))
      const data = Float64Array.from(many.flatMap((i) => [...x.data.subarray(i * 6, i * 6 + 6)]))
      const o = { lambdas: [0.5, 0.1, 0.01], l1Ratio: 0.5, tolerance: 1e-13 }
      const [a, b] = [
        await path(x, y, { ...o, weights }),
        await path(
          { rows: many.length, columns: 6, data },
          many.map((i) => y[i]!),
          o,
        ),
      ]
      for (let k = 0; k < 3; k++) {
        for (let i = 0; i < 15; i++) {
          const at = (p: LinearPath): number =>
            p.models[k]!.coefficients.reduce((sum, c, j) => sum + c * x.data[i * 6 + j]!, p.models[k]!.intercept)
          expect(at(a)).toBeCloseTo(at(b), 4)
        }
      }
    }),
    { numRuns: 30 },
  )
})

test('twins share what one alone would have, and constant columns get 0', async () => {
  const y = [1, 3, 2, 5]
  const data = Float64Array.from([1, 1, 4, 2, 2, 4, 3, 3, 4, 5, 5, 4])
  const two = await path({ rows: 4, columns: 3, data }, y, { lambdas: [0.1], tolerance: 1e-12 })
  const one = await path({ rows: 4, columns: 1, data: Float64Array.from([1, 2, 3, 5]) }, y, {
    lambdas: [0.1],
    tolerance: 1e-12,
  })
  const [a, b, c] = two.models[0]!.coefficients
  expect(a! + b!).toBeCloseTo(one.models[0]!.coefficients[0]!, 6)
  expect(c).toBe(0)
  expect(two.dualGap[0]!).toBeLessThan(1e-12)
})

test.each([
  ['X is zero', { rows: 3, columns: 2, data: new Float64Array(6) }, [1, 2, 4]],
  ['y is zero', { rows: 3, columns: 2, data: Float64Array.from([1, 2, 3, 5, 4, 1]) }, [0, 0, 0]],
  ['y is constant', { rows: 3, columns: 2, data: Float64Array.from([1, 2, 3, 5, 4, 1]) }, [7, 7, 7]],
  ['one row', { rows: 1, columns: 2, data: Float64Array.from([1, 2]) }, [7]],
] as const)('nothing to explain: %s', async (_, x, y) => {
  const mean = y.reduce((sum: number, v) => sum + v, 0) / y.length
  for (const l1Ratio of [0, 0.3, 1]) {
    const { models, dualGap } = await path(x, y, { l1Ratio, nLambdas: 3 })
    for (const { coefficients, intercept } of models) {
      expect([...coefficients].map(Math.abs)).toEqual([0, 0])
      expect(intercept).toBeCloseTo(mean, 12)
    }
    expect(dualGap.every((g) => g < 1e-12)).toBe(true)
  }
})

test('one row without an intercept is met by the strongest column first', async () => {
  const x = { rows: 1, columns: 2, data: Float64Array.from([1, 2]) }
  const lambdas = [8, 1, 1e-6]
  const { models } = await path(x, [4], { hasIntercept: false, isStandardized: false, lambdas, tolerance: 1e-12 })
  expect([...models[0]!.coefficients]).toEqual([0, 0])
  expect(models[1]!.coefficients[0]).toBe(0)
  expect(models[2]!.coefficients[1]!).toBeCloseTo(2, 5)
})

test('λmax is the least λ that keeps all at zero', async () => {
  const { df, lambdas } = await path(DIABETES.x, DIABETES.y, { isStandardized: false })
  expect(df[0]).toBe(0)
  expect((await path(DIABETES.x, DIABETES.y, { isStandardized: false, lambdas: [lambdas[0]! * 0.999] })).df).toEqual([
    1,
  ])
})

test('λ = 0 is least squares, also where columns depend on each other', async () => {
  const { x, y } = DIABETES
  const twice = Float64Array.from({ length: 442 * 20 }, (_, at) => x.data[Math.floor(at / 20) * 10 + (at % 10)]!)
  const one = await path(x, y, { lambdas: [0] })
  const two = await path({ rows: 442, columns: 20, data: twice }, y, { lambdas: [0] })
  expect(one.devianceRatio[0]!).toBeCloseTo(0.5177484222203498, 12)
  expect(two.devianceRatio[0]!).toBeCloseTo(one.devianceRatio[0]!, 12)
  expect(two.violation[0]!).toBeLessThan(1e-10)
})

test.each([
  [{ l1Ratio: 1.1 }, 'l1Ratio'],
  [{ nLambdas: 0 }, 'nLambdas'],
  [{ lambdaMinRatio: 1 }, 'lambdaMinRatio'],
  [{ tolerance: 0 }, 'tolerance'],
  [{ maxPasses: 0 }, 'maxPasses'],
  [{ lambdas: [] }, 'lambdas'],
  [{ lambdas: [-1] }, 'lambdas'],
  [{ penaltyFactors: [1] }, 'penaltyFactors'],
  [{ lowerBounds: Array(10).fill(1) }, 'lowerBounds'],
  [{ upperBounds: Array(10).fill(-1) }, 'upperBounds'],
])('%j is refused', async (options, where) => {
  await expect(path(DIABETES.x, DIABETES.y, options)).rejects.toThrowError(
    expect.objectContaining({ code: 'PATH_OPTION', detail: expect.objectContaining({ where }) }),
  )
})
