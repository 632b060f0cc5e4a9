import { expect, test } from 'vitest'
import { random } from '../util/random.js'
import { glmCriteria } from './criteria.js'
import type { DenseMatrix } from './design.js'
import { glmCrossValidate } from './glm-cross-validate.js'
import { glmPath } from './glm-path.js'

const { normal } = random(4)
const rows = 90
const x: DenseMatrix = { rows, columns: 4, data: Float64Array.from({ length: rows * 4 }, () => normal()) }
const signal = Float64Array.from({ length: rows }, (_, i) => 1.5 * x.data[i * 4]! - x.data[i * 4 + 1]!)
const three = Array.from(signal, (s) => ['low', 'middle', 'high'][s < -1 ? 0 : s < 1 ? 1 : 2]!)
const foldIds = Array.from({ length: rows }, (_, i) => i % 3)

test('errors of a fold are those of a path that was fitted on the other rows', async () => {
  const cv = await glmCrossValidate(x, three, { family: 'multinomial', foldIds, nLambdas: 6, lambdaMinRatio: 0.01 })
  const { lambdas, classes } = cv.path
  expect(classes).toEqual(['high', 'low', 'middle'])
  for (const k of [0, 1, 2]) {
    const weights = foldIds.map((id) => Number(id !== k))
    const { models } = await glmPath(x, three, { family: 'multinomial', lambdas, weights })
    const test = foldIds.flatMap((id, i) => (id === k ? [i] : []))
    for (const [l, { coefficients, intercepts }] of models.entries()) {
      let [deviance, wrong] = [0, 0]
      for (const i of test) {
        const eta = coefficients.map((c, m) => c.reduce((s, v, j) => s + v * x.data[i * 4 + j]!, intercepts[m]!))
        const y = classes!.indexOf(three[i]!)
        deviance -= 2 * (eta[y]! - Math.log(eta.reduce((s, v) => s + Math.exp(v), 0)))
        wrong += Number(eta.indexOf(Math.max(...eta)) !== y)
      }
      expect(cv.deviance.foldErrors[k]![l]).toBeCloseTo(deviance / test.length, 6)
      expect(cv.misclassification!.foldErrors[k]![l]).toBeCloseTo(wrong / test.length, 12)
    }
  }
  expect(cv.error).toBe(cv.deviance.error)
})

test('what is counted chooses; the choice of one standard error is not weaker', async () => {
  const y = Array.from(signal, (s) => Number(s + normal() > 0))
  const options = { family: 'binomial', folds: 5, seed: 3, nLambdas: 20, lambdaMinRatio: 0.01 } as const
  const wrong = await glmCrossValidate(x, y, { ...options, measure: 'misclassification' })
  expect(wrong.error).toBe(wrong.misclassification!.error)
  expect(wrong.error[wrong.least]).toBe(Math.min(...wrong.error))
  const deviance = await glmCrossValidate(x, y, options)
  expect(deviance.oneStandardError).toBeLessThanOrEqual(deviance.least)
  expect(deviance.error[deviance.least]).toBeLessThan(deviance.error[0]!)
})

test('folds hold all classes, even a rare one', async () => {
  const y = Array.from(signal, (_, i) => (i < 4 ? 'rare' : 'common'))
  const cv = await glmCrossValidate(x, y, { family: 'binomial', folds: 4, nLambdas: 3 })
  expect(cv.deviance.foldErrors.flat().every(Number.isFinite)).toBe(true)
  const all = { family: 'binomial', foldIds: Array.from(signal, (_, i) => (i < 4 ? 0 : 1 + (i % 2))) } as const
  await expect(glmCrossValidate(x, y, all)).rejects.toThrow('outside of fold 1: a class has no rows (got "rare")')
})

test('counts with exposure: offsets are used on both sides', async () => {
  const exposure = Float64Array.from(signal, (_, i) => 1 + (i % 5))
  const y = Array.from(signal, (s, i) => Math.round(exposure[i]! * Math.exp(0.5 * s)))
  const options = { family: 'poisson', foldIds, nLambdas: 10, lambdaMinRatio: 0.001 } as const
  const known = await glmCrossValidate(x, y, { ...options, offset: exposure.map(Math.log) })
  const unknown = await glmCrossValidate(x, y, options)
  expect(known.misclassification).toBeNull()
  expect(known.error[known.least]).toBeLessThan(0.5 * unknown.error[unknown.least]!)
  await expect(glmCrossValidate(x, y, { ...options, measure: 'misclassification' })).rejects.toThrow(
    'only classes can be wrong',
  )
})

test('criteria are the deviance and what each coefficient costs', async () => {
  const y = Array.from(signal, (s) => Number(s + normal() > 0))
  const path = await glmPath(x, y, { family: 'binomial', nLambdas: 8, lambdaMinRatio: 0.01 })
  const { aic, bic, ebic } = glmCriteria(path, { count: rows })
  for (const [i, { coefficients, intercepts }] of path.models.entries()) {
    const deviance = y.reduce((sum, v, r) => {
      const eta = coefficients[0]!.reduce((s, c, j) => s + c * x.data[r * 4 + j]!, intercepts[0]!)
      return sum + 2 * Math.log1p(Math.exp(v === 1 ? -eta : eta))
    }, 0)
    const df = coefficients[0]!.filter((c) => c !== 0).length
    const choose = [1, 4, 6, 4, 1][df]!
    expect(aic[i]).toBeCloseTo(deviance + 2 * df, 7)
    expect(bic[i]).toBeCloseTo(deviance + Math.log(rows) * df, 7)
    expect(ebic[i]).toBeCloseTo(deviance + Math.log(rows) * df + 2 * Math.log(choose), 7)
  }
})
