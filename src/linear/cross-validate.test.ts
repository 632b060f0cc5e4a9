import { expect, test } from 'vitest'
import { random } from '../util/random.js'
import { crossValidate } from './cross-validate.js'
import { foldsOf } from './folds.js'
import { momentsOf } from './moments.js'
import { pathOf } from './path.js'

const { normal, uniform } = random(7)
const [rows, columns] = [60, 5]
const data = Float64Array.from({ length: rows * columns }, () => normal(2, 1.5))
const x = { rows, columns, data }
const y = Float64Array.from({ length: rows }, (_, i) => 3 * data[i * columns]! - data[i * columns + 1]! + normal() + 4)
const weights = Float64Array.from({ length: rows }, () => uniform(0.5, 2))

test.each([
  { folds: 4, seed: 3 },
  { folds: 3, isOrdered: true },
  { folds: 5, weights, l1Ratio: 0.4, hasIntercept: false },
])('errors are those of the models of each fold on the rows left out, counted one by one: %j', async (options) => {
  const found = await crossValidate(x, y, { ...options, nLambdas: 12 })
  const lambdas = found.path.lambdas
  const w = (i: number): number => options.weights?.[i] ?? 1
  for (const [k, { train, test: left }] of foldsOf(rows, options).entries()) {
    const moments = momentsOf(x, y, { rows: train, ...(options.weights && { weights }) })
    for (const [i, { coefficients, intercept }] of pathOf(moments, { ...options, lambdas }).models.entries()) {
      let [sum, total] = [0, 0]
      for (const row of left) {
        const fit = coefficients.reduce((s, c, j) => s + c * data[row * columns + j]!, intercept)
        sum += w(row) * (y[row]! - fit) ** 2
        total += w(row)
      }
      expect(found.foldErrors[k]![i]! / (sum / total)).toBeCloseTo(1, 5)
    }
  }
})

test('the least error, and the largest strength within one standard error of it', async () => {
  const { error, standardError, least, oneStandardError, path } = await crossValidate(x, y, { seed: 1 })
  expect(error[least]).toBe(Math.min(...error))
  expect(error[oneStandardError]).toBeLessThanOrEqual(error[least]! + standardError[least]!)
  expect(oneStandardError === 0 || error[oneStandardError - 1]! > error[least]! + standardError[least]!).toBe(true)
  expect(path.lambdas[oneStandardError]).toBeGreaterThanOrEqual(path.lambdas[least]!)
})
