import { expect, test } from 'vitest'
import { random } from '../util/random.js'
import { adaptiveGlmPathOf } from './adaptive-glm.js'
import type { DenseMatrix } from './design.js'
import { glmCrossValidate } from './glm-cross-validate.js'
import { checkedResponse, glmPath } from './glm-path.js'

const { normal } = random(6)
const rows = 120
const x: DenseMatrix = { rows, columns: 5, data: Float64Array.from({ length: rows * 5 }, () => normal()) }
const score = Float64Array.from({ length: rows }, (_, i) => 1.5 * x.data[i * 5]! - x.data[i * 5 + 1]! + normal())
const foldIds = Array.from({ length: rows }, (_, i) => i % 3)
const RESPONSES = {
  binomial: Array.from(score, (s) => Number(s > 0)),
  multinomial: Array.from(score, (s) => (s < -1 ? 'low' : s > 1 ? 'high' : 'middle')),
  poisson: Array.from(score, (s) => Math.round(Math.exp(0.4 * s + normal(0, 0.3)))),
} as const

test.each(['binomial', 'multinomial', 'poisson'] as const)(
  '%s: errors of a fold are those of a path whose first model saw the other folds alone',
  async (family) => {
    const options = {
      family,
      model: 'adaptive-lasso',
      foldIds,
      nLambdas: 8,
      lambdaMinRatio: 0.01,
      tolerance: 1e-10,
    } as const
    const y = RESPONSES[family]
    const found = await glmCrossValidate(x, y, options)
    const { lambdas } = found.path
    for (const k of [0, 1, 2]) {
      const kept = foldIds.flatMap((id, i) => (id === k ? [] : [i]))
      const alone: DenseMatrix = {
        rows: kept.length,
        columns: 5,
        data: Float64Array.from(kept.flatMap((i) => [...x.data.subarray(i * 5, i * 5 + 5)])),
      }
      // Of the two other folds, the one with the larger number is 1.
      const last = k === 2 ? 1 : 2
      const given = { ...options, lambdas, foldIds: kept.map((i) => Number(foldIds[i] === last)) }
      const answers = kept.map((i) => y[i]!)
      const response = checkedResponse(alone, answers, given)
      const { models } = await adaptiveGlmPathOf(alone, response, given)
      const all = checkedResponse(x, y, options)
      for (const [l, { coefficients, intercepts }] of models.entries()) {
        let [deviance, count] = [0, 0]
        for (const [i, id] of foldIds.entries()) {
          if (id !== k) continue
          const eta = coefficients.map((c, m) => c.reduce((s, v, j) => s + v * x.data[i * 5 + j]!, intercepts[m]!))
          const at = Float64Array.from(eta)
          deviance += 2 * (all.datafit.loss(all.y[i]!, at, 0) - all.datafit.saturated(all.y[i]!))
          count++
        }
        expect(found.deviance.foldErrors[k]![l]).toBeCloseTo(deviance / count, 6)
      }
    }
  },
)

test('the weights leave out what says nothing, and hold what matters less than a lasso does', async () => {
  const y = RESPONSES.binomial
  const options = { family: 'binomial', foldIds } as const
  const found = await adaptiveGlmPathOf(x, checkedResponse(x, y, options), options)
  const plain = await glmPath(x, y, options)
  expect(Math.max(...found.dualGap)).toBeLessThanOrEqual(1e-7)
  const sizeAtTwo = ({ models, df }: typeof plain): number => Math.abs(models[df.lastIndexOf(2)]!.coefficients[0]![0]!)
  expect(sizeAtTwo(found)).toBeGreaterThan(sizeAtTwo(plain))
})
