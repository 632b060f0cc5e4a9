import { describe, expect, test } from 'vitest'
import { random } from '../util/random.js'
import { adaptivePath } from './adaptive.js'
import { type CrossValidationOptions, crossValidate } from './cross-validate.js'
import { crossValidateRatios } from './cross-validate-ratios.js'
import type { DenseMatrix } from './design.js'
import { foldsOf } from './folds.js'
import { groupPath } from './group-path.js'
import { nestedCrossValidate } from './nested.js'
import { nonconvexPath } from './nonconvex.js'
import { type LinearModel, path } from './path.js'

const { normal, uniform } = random(7)
const [rows, columns] = [60, 5]
const data = Float64Array.from({ length: rows * columns }, () => normal(2, 1.5))
const x = { rows, columns, data }
const y = Float64Array.from({ length: rows }, (_, i) => 3 * data[i * columns]! - data[i * columns + 1]! + normal() + 4)
const weights = Float64Array.from({ length: rows }, () => uniform(0.5, 2))
const foldIds = Array.from({ length: rows }, (_, i) => i % 4)
const columnGroups = ['a', 'b', 'b', 'a', 'c']

type Direct = (
  x: DenseMatrix,
  y: Float64Array,
  options: CrossValidationOptions,
) => Promise<{ models: readonly LinearModel[] }>

/** Each by its own function, from rows alone. */
const DIRECT: Readonly<Record<string, Direct>> = {
  'elastic-net': path,
  'adaptive-lasso': adaptivePath,
  mcp: (...[x, y, options]) => nonconvexPath(x, y, { ...options, penalty: 'mcp' }),
  scad: (...[x, y, options]) => nonconvexPath(x, y, { ...options, penalty: 'scad' }),
  'group-lasso': (...[x, y, options]) => groupPath(x, y, { ...options, columnGroups }),
}

describe('errors are those of models that saw the rows of other folds alone', () => {
  test.each<CrossValidationOptions>([
    { folds: 4, seed: 3 },
    { folds: 3, isOrdered: true },
    { folds: 5, weights, l1Ratio: 0.4, hasIntercept: false },
    { model: 'adaptive-lasso', foldIds, gamma: 2 },
    { model: 'adaptive-lasso', foldIds, weights, first: 'lasso' },
    { model: 'mcp', foldIds },
    { model: 'scad', foldIds, weights, gamma: 3, lowerBounds: new Float64Array(columns) },
    { model: 'group-lasso', foldIds, columnGroups },
    { model: 'group-lasso', folds: 3, weights, columnGroups, groupFactors: [1, 0, 2], l1Ratio: 0.5 },
  ])('$model %#', async (options) => {
    const given = { ...options, tolerance: 1e-12, nLambdas: 12 }
    const found = await crossValidate(x, y, given)
    const { lambdas } = found.path
    for (const [k, { train, test: left }] of foldsOf(rows, options).entries()) {
      const of = (values: ArrayLike<number>): Float64Array => Float64Array.from(train, (i) => values[i]!)
      const alone: DenseMatrix = {
        rows: train.length,
        columns,
        data: Float64Array.from({ length: train.length * columns }, (_, at) => {
          return data[train[Math.floor(at / columns)]! * columns + (at % columns)]!
        }),
      }
      const { models } = await DIRECT[options.model ?? 'elastic-net']!(alone, of(y), {
        ...given,
        lambdas,
        ...(options.weights && { weights: of(options.weights) }),
        // Of the other folds, numbered anew.
        ...(options.foldIds && { foldIds: of(options.foldIds).map((id) => (id > k ? id - 1 : id)) }),
      })
      for (const [i, { coefficients, intercept }] of models.entries()) {
        let [sum, total] = [0, 0]
        for (const row of left) {
          const fit = coefficients.reduce((s, c, j) => s + c * data[row * columns + j]!, intercept)
          const w = options.weights?.[row] ?? 1
          sum += w * (y[row]! - fit) ** 2
          total += w
        }
        expect(found.foldErrors[k]![i]! / (sum / total)).toBeCloseTo(1, 5)
      }
    }
  })
})

test('the least error, and the largest strength within one standard error of it', async () => {
  const { error, standardError, least, oneStandardError, path } = await crossValidate(x, y, { seed: 1 })
  expect(error[least]).toBe(Math.min(...error))
  expect(error[oneStandardError]).toBeLessThanOrEqual(error[least]! + standardError[least]!)
  expect(oneStandardError === 0 || error[oneStandardError - 1]! > error[least]! + standardError[least]!).toBe(true)
  expect(path.lambdas[oneStandardError]).toBeGreaterThanOrEqual(path.lambdas[least]!)
})

test('folds whose rows all weigh nothing are none', async () => {
  const weights = Float64Array.from(foldIds, (id) => Number(id > 0))
  const kept = [...foldIds.keys()].filter((i) => foldIds[i]! > 0)
  const alone = {
    rows: kept.length,
    columns,
    data: Float64Array.from(kept.flatMap((i) => [...data.subarray(i * columns, (i + 1) * columns)])),
  }
  const found = await crossValidate(x, y, { foldIds, weights, nLambdas: 8 })
  const wanted = await crossValidate(
    alone,
    kept.map((i) => y[i]!),
    { foldIds: kept.map((i) => foldIds[i]! - 1), nLambdas: 8 },
  )
  expect(found.foldErrors).toHaveLength(3)
  for (const [i, e] of wanted.error.entries()) expect(found.error[i]).toBeCloseTo(e, 8)
})

test.each<[string, CrossValidationOptions, string]>([
  ['a group lasso without groups', { model: 'group-lasso' }, 'PATH_OPTION'],
  ['bounds of groups', { model: 'group-lasso', columnGroups, lowerBounds: new Float64Array(5) }, 'PATH_OPTION'],
  ['a shape that is none', { model: 'mcp', gamma: 1 }, 'PENALTY_SHAPE'],
  ['a power that is none', { model: 'adaptive-lasso', gamma: 0 }, 'PATH_OPTION'],
  ['a ratio that is none', { l1Ratio: 2 }, 'PATH_OPTION'],
  ['two folds, one of which is to choose the first model', { model: 'adaptive-lasso', folds: 2 }, 'FOLDS'],
  ['one fold with weight', { foldIds, weights: foldIds.map((id) => Number(id === 0)) }, 'FOLDS'],
])('%s is an error', async (_, options, code) => {
  await expect(crossValidate(x, y, options)).rejects.toThrow(expect.objectContaining({ code }))
})

test('a cancellation is heard between the folds of many columns', async () => {
  const wide = { rows: 12, columns: 4000, data: Float64Array.from({ length: 12 * 4000 }, () => normal()) }
  const stop = new AbortController()
  setImmediate(() => stop.abort())
  await expect(crossValidate(wide, y.subarray(0, 12), { folds: 3, signal: stop.signal })).rejects.toMatchObject({
    code: 'ABORTED',
  })
})

test.each([
  ['crossValidate', crossValidate],
  ['crossValidateRatios', crossValidateRatios],
  ['nestedCrossValidate', nestedCrossValidate],
] as const)('%s hears a cancellation between folds', async (_, validate) => {
  const stop = new AbortController()
  let folds = 0
  const onProgress = (): void => {
    folds++
    setImmediate(() => stop.abort(new Error('enough')))
  }
  await expect(validate(x, y, { signal: stop.signal, onProgress })).rejects.toThrow('enough')
  expect(folds).toBe(1)
})
