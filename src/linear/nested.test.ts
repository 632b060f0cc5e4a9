import { describe, expect, test } from 'vitest'
import { regression } from '../../test/regressions.js'
import { random } from '../util/random.js'
import { crossValidateRatios } from './cross-validate-ratios.js'
import type { DenseMatrix } from './design.js'
import { foldsOf } from './folds.js'
import { type NestedOptions, nestedCrossValidate } from './nested.js'

const { x, y } = regression({ rows: 60, columns: 6, seed: 8 })
const { integer, uniform } = random(3)
const weights = Float64Array.from(y, () => uniform(0.5, 2))
const groups = Array.from(y, () => integer(20))

const partOf = (rows: Uint32Array): DenseMatrix => ({
  rows: rows.length,
  columns: x.columns,
  data: Float64Array.from({ length: rows.length * x.columns }, (_, at) => {
    return x.data[rows[Math.floor(at / x.columns)]! * x.columns + (at % x.columns)]!
  }),
})

describe('each fold is that of a plain loop: the choice by cross-validation of the other rows, the error by rows', () => {
  test.each<[string, NestedOptions]>([
    ['drawn folds', { folds: 4, seed: 2, l1Ratios: [1, 0.3] }],
    ['weights', { folds: 5, seed: 1, weights, l1Ratios: [0.5], select: 'cv-1se', hasIntercept: false }],
    ['groups', { folds: 3, groups, l1Ratios: [1, 0] }],
    ['an order', { folds: 5, isOrdered: true, l1Ratios: [1, 0.1] }],
  ])('%s', async (_, given) => {
    const options = { ...given, nLambdas: 12, lambdaMinRatio: 1e-3, tolerance: 1e-12 }
    const found = await nestedCrossValidate(x, y, options)
    const folds = foldsOf(x.rows, options)
    const foldOf = (row: number): number => folds.findIndex(({ test: left }) => left.includes(row))
    const outer = options.isOrdered ? folds.slice(2) : folds
    expect(found.folds).toHaveLength(outer.length)
    for (const [k, { train, test: left }] of outer.entries()) {
      const of = (values: ArrayLike<number>): Float64Array => Float64Array.from(train, (i) => values[i]!)
      const { groups: _groups, ...rest } = options
      const own = folds.indexOf(outer[k]!)
      const inner = await crossValidateRatios(partOf(train), of(y), {
        ...rest,
        ...(options.weights && { weights: of(options.weights) }),
        // The same folds, numbered anew; in order there are as many as lie before.
        ...(options.isOrdered
          ? { folds: own }
          : { foldIds: Array.from(train, (i) => foldOf(i) - Number(foldOf(i) > own)) }),
      })
      const { path, least, oneStandardError } = inner.crossValidations[inner.best]!
      const model = path.models[options.select === 'cv-1se' ? oneStandardError : least]!
      let [sum, total] = [0, 0]
      for (const i of left) {
        const w = options.weights?.[i] ?? 1
        const at = model.coefficients.reduce((s, c, j) => s + c * x.data[i * x.columns + j]!, model.intercept)
        sum += w * (y[i]! - at) ** 2
        total += w
      }
      const fold = found.folds[k]!
      expect(fold.l1Ratio).toBe(inner.l1Ratios[inner.best])
      expect(fold.model.lambda / model.lambda).toBeCloseTo(1, 9)
      expect(fold.error / (sum / total)).toBeCloseTo(1, 5)
      expect(fold.weight).toBeCloseTo(total, 9)
    }
    const total = found.folds.reduce((s, f) => s + f.weight, 0)
    const mean = found.folds.reduce((s, f) => s + (f.weight / total) * f.error, 0)
    const spread = found.folds.reduce((s, f) => s + (f.weight / total) * (f.error - mean) ** 2, 0)
    expect(found.error).toBeCloseTo(mean, 12)
    expect(found.standardError).toBeCloseTo(Math.sqrt(spread / (found.folds.length - 1)), 12)
  })
})

test('where there is nothing to find, the least error of cross-validation is too low and the nested one is not', async () => {
  const { normal } = random(11)
  const draws = 8
  let [nested, least] = [0, 0]
  for (let draw = 0; draw < draws; draw++) {
    const noise = { rows: 30, columns: 8, data: Float64Array.from({ length: 240 }, () => normal()) }
    const target = Float64Array.from({ length: 30 }, () => normal())
    const options = { folds: 4, seed: draw, nLambdas: 8, lambdaMinRatio: 0.05, l1Ratios: [1, 0.1], tolerance: 1e-4 }
    const { crossValidations, best } = await crossValidateRatios(noise, target, options)
    least += Math.min(...crossValidations[best]!.error) / draws
    nested += (await nestedCrossValidate(noise, target, options)).error / draws
  }
  expect(nested).toBeGreaterThan(least)
  expect(nested).toBeGreaterThan(1)
})

test.each([
  [{ folds: 2 }, 'to choose without a fold takes at least two others (got "2 folds"). Give at least 3 folds.'],
  [{ folds: 3, isOrdered: true }, 'Give at least 4 folds, since they are ordered.'],
  [{ l1Ratios: [] }, 'l1Ratio must be between 0 and 1'],
])('%j is an error', async (options, message) => {
  await expect(nestedCrossValidate(x, y, options)).rejects.toThrow(message)
})
