import { expect, test } from 'vitest'
import { openEngine } from '../engine/node/open.js'
import { random } from '../util/random.js'
import { loopsOf } from './datafits/datafit.js'
import { multinomial } from './datafits/multinomial.js'
import type { DenseMatrix } from './design.js'
import { type Objective, stateAt } from './objective.js'
import { tiledRows } from './rows.js'
import { openSoftmax } from './softmax-engine.js'

const { normal, uniform, integer } = random(12)
const K = 3

/** Several tiles, the last one not full; a weight of 0 now and then. */
function objectiveOf(n: number, p: number, hasOffset: boolean): Objective {
  const x: DenseMatrix = { rows: n, columns: p, data: Float64Array.from({ length: n * p }, () => normal(3, 2)) }
  const weights = Float64Array.from({ length: n }, () => (integer(9) === 0 ? 0 : uniform(0.5, 2)))
  const rows = tiledRows(x, { hasIntercept: true, isStandardized: true, weights })
  const y = Float64Array.from(rows.index, () => integer(K))
  const offset = hasOffset ? Float64Array.from({ length: y.length * K }, () => normal()) : null
  const datafit = multinomial(K)
  return { rows, datafit, loops: loopsOf(datafit), y, offset, hasIntercept: true }
}

/** Far out on the last digits: predictors of some hundreds. */
const pointOf = (p: number, size: number) => ({
  beta: Float64Array.from({ length: K * p }, () => normal(0, size)),
  intercepts: Float64Array.of(0.3, -1, 2),
})

test.each([
  ['float32', false, 1e-6],
  ['float32', true, 1e-6],
  ['float64', true, 1e-13],
] as const)('loss and gradients in %s, with offsets: %s', async (precision, hasOffset, error) => {
  const objective = objectiveOf(2500, 170, hasOffset)
  const engine = await openEngine({ threads: 1 })
  try {
    const softmax = (await openSoftmax(engine, objective, precision))!
    for (const size of [0, 0.1, 20]) {
      const point = pointOf(170, size)
      const exact = stateAt(objective, point)
      const found = await softmax.evaluate(point)
      expect(Math.abs(found.loss / exact.loss - 1)).toBeLessThan(error)
      for (const [at, v] of found.gradient.entries()) expect(Math.abs(v - exact.gradient[at]!)).toBeLessThan(error)
      for (const [k, v] of found.interceptGradient.entries())
        expect(Math.abs(v - exact.interceptGradient[k]!)).toBeLessThan(error)
    }
    await softmax.close()
  } finally {
    await engine.close()
  }
})

test('what is too small for the engine is not for it', async () => {
  const engine = await openEngine({ threads: 1 })
  try {
    expect(await openSoftmax(engine, objectiveOf(40, 170, false), 'float32')).toBeNull()
  } finally {
    await engine.close()
  }
})
