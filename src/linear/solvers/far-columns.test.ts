import fc from 'fast-check'
import { expect, test } from 'vitest'
import { random } from '../../util/random.js'
import { loopsOf } from '../datafits/datafit.js'
import { logistic } from '../datafits/logistic.js'
import { multinomial } from '../datafits/multinomial.js'
import { type Objective, type State, stateAt } from '../objective.js'
import type { Penalized } from '../quadratic.js'
import { tiledRows } from '../rows.js'
import { bounded, type Known, resolved, withState } from './far-columns.js'

const [n, p] = [60, 12]

/** States along a line that bends, all columns known at first, some of them at the end. */
function walk(seed: number, outputs: 1 | 3, hasIntercept: boolean) {
  const { normal, uniform, integer } = random(seed)
  const x = { rows: n, columns: p, data: Float64Array.from({ length: n * p }, () => 2 + normal()) }
  const weights = Float64Array.from({ length: n }, () => uniform(0.5, 2))
  const datafit = outputs === 1 ? logistic : multinomial(3)
  const objective: Objective = {
    rows: tiledRows(x, { hasIntercept, isStandardized: integer(2) === 0, weights }),
    datafit,
    loops: loopsOf(datafit),
    y: Float64Array.from({ length: n }, () => integer(Math.max(2, outputs))),
    offset: null,
    hasIntercept,
  }
  const way = Float64Array.from({ length: outputs * p }, (_, at) => (at % p < 3 ? normal() : 0))
  const point = (t: number) => ({
    beta: way.map((v, at) => t * v + 0.3 * t * t * way[(at + 1) % way.length]! * Number(at % p < 2)),
    intercepts: new Float64Array(outputs).fill(0.1 * t),
  })
  let known: Known | null = null
  for (const t of [0, 0.1, 0.2, 0.3, 0.4]) known = withState(objective, known, stateAt(objective, point(t)))
  const part = { columns: Int32Array.of(0, 1, 2), before: known!.last }
  return {
    objective,
    known: known!,
    state: stateAt(objective, point(0.5), part),
    exact: stateAt(objective, point(0.5)),
  }
}

const thresholds = (state: State, level: number): Penalized => ({
  l1: new Float64Array(state.beta.length).fill(level),
  l2: new Float64Array(state.beta.length),
  lower: new Float64Array(state.beta.length).fill(Number.NEGATIVE_INFINITY),
  upper: new Float64Array(state.beta.length).fill(Number.POSITIVE_INFINITY),
})

test('no column that is not doubtful is above its threshold, and some are spared', () => {
  let [spared, asked] = [0, 0]
  fc.assert(
    fc.property(
      fc.nat(1e6),
      fc.constantFrom(1, 3),
      fc.boolean(),
      fc.double({ min: 0.01, max: 0.3, noNaN: true }),
      (seed, outputs, hasIntercept, level) => {
        const { objective, known, state, exact } = walk(seed, outputs as 1 | 3, hasIntercept)
        const found = bounded(objective, thresholds(state, level), state, known)
        for (let j = 0; j < p; j++) {
          const sizes = Array.from({ length: outputs }, (_, k) => Math.abs(exact.gradient[k * p + j]!))
          if (j < 3) continue
          asked++
          if (found.doubtful.includes(j)) continue
          spared++
          expect(Math.max(...sizes)).toBeLessThanOrEqual(level)
        }
        const whole = resolved(objective, found.state, found.doubtful)
        for (const j of whole.columns ?? Array.from({ length: p }, (_, i) => i))
          for (let k = 0; k < outputs; k++)
            expect(whole.gradient[k * p + j]).toBeCloseTo(exact.gradient[k * p + j]!, 12)
      },
    ),
    { numRuns: 200, seed: 3 },
  )
  expect(spared / asked).toBeGreaterThan(0.1)
})

test('a threshold just above the bound spares the column, one below does not', () => {
  const { objective, known, state } = walk(5, 1, true)
  const { state: guess } = bounded(objective, thresholds(state, 1), state, known)
  const none = bounded(objective, thresholds(state, 1e-12), state, known)
  expect([...none.doubtful]).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11])
  expect(bounded(objective, thresholds(state, 1), state, known).doubtful).toHaveLength(0)
  // Far nearer than the gradient of the last point that is known.
  const { gradient } = stateAt(objective, state)
  const worst = (of: Float64Array): number => Math.max(...gradient.subarray(3).map((g, j) => Math.abs(g - of[3 + j]!)))
  expect(worst(guess.gradient)).toBeLessThan(0.3 * worst(known.last.gradient))
  // Of nothing known, all is doubtful.
  expect(bounded(objective, thresholds(state, 1), state, null).doubtful).toHaveLength(p - 3)
})
