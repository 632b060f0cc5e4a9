/** The path on data whose answers are published, and on drawn data by certificates that are computed from X itself. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cases, expectSolved } from '../../test/linear-certificates.js'
import { columnMajor, regression } from '../../test/regressions.js'
import { informationCriteria } from './criteria.js'
import { crossValidate } from './cross-validate.js'
import { summaryOf } from './cv-summary.js'
import type { DenseMatrix } from './design.js'
import { type LinearPath, path } from './path.js'

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

test('drawn problems are solved: gaps and optimality by way of the rows', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ options, ...spec }) => {
      const { x, y } = regression(spec)
      expectSolved(x, y, options, await path(x, y, options))
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

test('free columns far from 0 of two rows are one direction, not one more of rounding', async () => {
  const data = Float64Array.of(100007.4, 100003.93, 100003.79, 100006.42, 100006.43, 100002.21)
  const x = { rows: 2, columns: 3, data }
  const y = [1, 3]
  const { models } = await path(x, y, { penaltyFactors: [0, 0, 1], lambdas: [0.1] })
  const { coefficients, intercept } = models[0]!
  for (const i of [0, 1]) {
    const fitted = intercept + data.subarray(3 * i, 3 * i + 3).reduce((sum, v, j) => sum + v * coefficients[j]!, 0)
    expect(fitted).toBeCloseTo(y[i]!, 8)
  }
})
