/** The path on rows: optimal by certificates from X itself, the same as by moments, and the same of sparse columns. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cases, expectSolved, hasNoGap } from '../../test/linear-certificates.js'
import { columnMajor, regression } from '../../test/regressions.js'
import { sparse } from '../../test/sparse.js'
import { random } from '../util/random.js'
import { standardizer } from './columns.js'
import { crossValidate } from './cross-validate.js'
import type { DenseMatrix, DesignMatrix } from './design.js'
import type { LinearPath, PathOptions } from './linear-path.js'
import { momentsOf } from './moments.js'
import { path, pathOf } from './path.js'
import { isForRows, rowPath } from './row-path.js'

const byRows = (x: DesignMatrix, y: ArrayLike<number>, options: PathOptions): LinearPath =>
  rowPath(standardizer(x), y, options)

const byMoments = (x: DenseMatrix, y: ArrayLike<number>, options: PathOptions): LinearPath =>
  pathOf(momentsOf(x, y, options.weights ? { weights: options.weights } : {}), options)

/** With zeros in place of some numbers, and a column that has none of them. */
function withZeros(x: DenseMatrix, seed: number): DenseMatrix {
  const { uniform } = random(seed)
  return { ...x, data: x.data.map((v, at) => (at % x.columns > 0 && uniform() < 0.7 ? 0 : v)) }
}

test('drawn problems are solved: gaps and optimality by way of the rows', () => {
  fc.assert(
    fc.property(cases, ({ options, ...spec }) => {
      const { x, y } = regression(spec)
      expectSolved(x, y, options, byRows(x, y, options))
    }),
    { numRuns: 50 },
  )
})

test('drawn problems with sparse columns', () => {
  fc.assert(
    fc.property(cases, ({ options, ...spec }) => {
      const { x, y } = regression(spec)
      const holey = withZeros(x, spec.seed)
      expectSolved(holey, y, options, byRows(sparse(holey), y, options))
    }),
    { numRuns: 50 },
  )
})

test('rows and moments, dense and sparse columns: the same fits', () => {
  fc.assert(
    fc.property(cases, ({ options, ...spec }) => {
      fc.pre(!hasNoGap(options))
      const { x, y } = regression(spec)
      const holey = withZeros(x, spec.seed)
      const o = { ...options, tolerance: 1e-13 }
      const wanted = byMoments(holey, y, o)
      for (const found of [byRows(holey, y, o), byRows(sparse(holey), y, o)]) {
        for (const [i, lambda] of wanted.lambdas.entries()) {
          expect(Math.abs(found.lambdas[i]! - lambda)).toBeLessThanOrEqual(1e-10 * lambda)
          // Fits whose gaps are g differ by no more than 2 √g.
          expect(Math.abs(found.devianceRatio[i]! - wanted.devianceRatio[i]!)).toBeLessThan(2e-6)
        }
      }
    }),
    { numRuns: 20 },
  )
})

test('the order and the precision of X change nothing', () => {
  const { x, y } = regression({ rows: 30, columns: 50, seed: 3 })
  const data = Float32Array.from(x.data)
  const found = byRows({ ...x, data }, y, {})
  expect(byRows({ ...x, data: Float64Array.from(data) }, y, {})).toEqual(found)
  expect(byRows(columnMajor({ ...x, data }), y, {})).toEqual(found)
})

test('rows left out are rows that are not there', () => {
  const { x, y } = regression({ rows: 30, columns: 50, seed: 6 })
  const rows = Uint32Array.from({ length: 20 }, (_, i) => i + 5)
  const part = { ...x, rows: 20, data: x.data.slice(5 * 50, 25 * 50) }
  const found = byRows(part, y.slice(5, 25), { nLambdas: 20 })
  expect(rowPath(standardizer(x), y, { nLambdas: 20, rows }).models.length).toBe(found.models.length)
  for (const design of [x, columnMajor(x), sparse(x)]) {
    const left = rowPath(standardizer(design), y, { nLambdas: 20, rows })
    for (let i = 0; i < 20; i++) {
      expect(left.lambdas[i]!).toBeCloseTo(found.lambdas[i]!, 10)
      expect(left.devianceRatio[i]!).toBeCloseTo(found.devianceRatio[i]!, 6)
    }
  }
})

test('many columns go by their rows, in the path and in cross-validation', async () => {
  const { x, y } = regression({ rows: 40, columns: 1100, seed: 9 })
  expect(isForRows(x)).toBe(true)
  const options = { nLambdas: 15, lambdaMinRatio: 0.05, tolerance: 1e-10, folds: 4 }
  expect(await path(x, y, options)).toEqual(byRows(x, y, options))
  const [dense, thin] = [await crossValidate(x, y, options), await crossValidate(sparse(x), y, options)]
  expect(dense.path).toEqual(byRows(x, y, options))
  for (const [i, error] of dense.error.entries()) expect(thin.error[i]!).toBeCloseTo(error, 3)
  expect(thin.least).toBe(dense.least)
})

test('folds by rows have the errors that moments have', async () => {
  const few = regression({ rows: 60, columns: 30, seed: 12 })
  // Constant columns change no model, but bring the design on the other way.
  const width = 1001
  const data = new Float64Array(60 * width)
  for (let i = 0; i < 60; i++) data.set(few.x.data.subarray(i * 30, i * 30 + 30), i * width)
  const many = { rows: 60, columns: width, data }
  const weights = Array.from({ length: 60 }, (_, i) => 1 + (i % 3))
  const options = { folds: 5, lambdaMinRatio: 1e-2, nLambdas: 20, tolerance: 1e-12, weights }
  const [a, b] = [await crossValidate(few.x, few.y, options), await crossValidate(many, few.y, options)]
  for (const [i, error] of a.error.entries()) expect(Math.abs(b.error[i]! - error)).toBeLessThan(1e-4 * error)
  expect(b.least).toBe(a.least)
})

test('a few sparse columns have the models of dense ones', async () => {
  const { x, y } = regression({ rows: 50, columns: 8, seed: 2 })
  const holey = withZeros(x, 2)
  const weights = Array.from({ length: 50 }, (_, i) => i % 4)
  const [a, b] = [await path(holey, y, { weights }), await path(sparse(holey), y, { weights })]
  for (let i = 0; i < 100; i++) {
    expect(b.devianceRatio[i]!).toBeCloseTo(a.devianceRatio[i]!, 6)
    for (let j = 0; j < 8; j++) {
      const [v, w] = [b.models[i]!.coefficients[j]!, a.models[i]!.coefficients[j]!]
      expect(Math.abs(v - w)).toBeLessThan(1e-2 * (1 + Math.abs(w)))
    }
  }
})

test('a path can be stopped', () => {
  const { x, y } = regression({ rows: 10, columns: 20, seed: 1 })
  expect(() => byRows(x, y, { signal: AbortSignal.abort() })).toThrow()
})

test.each([
  [30, 8],
  [12, 40],
])('least squares on %i sparse rows and %i columns, some of which are others again', async (rows, columns) => {
  const { normal, uniform } = random(rows)
  const data = Float64Array.from({ length: rows * columns }, () => (uniform() < 0.5 ? 0 : normal()))
  // Columns in pairs, and rows too.
  for (let at = 0; at < data.length; at++) if (at % 2 === 1) data[at] = data[at - 1]!
  for (let i = 1; i < rows; i += 2) data.copyWithin(i * columns, (i - 1) * columns, i * columns)
  const x = { rows, columns, data }
  const y = Float64Array.from({ length: rows }, () => normal())
  for (const l1Ratio of [0, 1]) {
    const found = await path(sparse(x), y, { lambdas: [0], l1Ratio })
    const wanted = await path(x, y, { lambdas: [0], l1Ratio })
    expect(found.violation[0]).toBeLessThan(1e-6)
    expect(found.devianceRatio[0]).toBeCloseTo(wanted.devianceRatio[0]!, 10)
  }
})
