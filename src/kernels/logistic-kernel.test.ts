import fc from 'fast-check'
import { expect, test } from 'vitest'
import { logistic } from '../linear/datafits/logistic.js'
import {
  compiledLogisticKernel,
  LOGISTIC_ROWS,
  type LogisticKernel,
  openLogisticKernel,
  plainLogisticKernel,
} from './logistic-kernel.js'

const predictors = fc.oneof(
  fc.double({ min: -40, max: 40, noNaN: true }),
  fc.double({ min: -1e-6, max: 1e-6, noNaN: true }),
  fc.double({ min: -800, max: 800, noNaN: true }),
  fc.constantFrom(0, -0, 36.7, -745, 1e300, -1e300, Number.MIN_VALUE),
)

const points = fc.oneof(
  fc.double({ min: -1.1, max: 1.1, noNaN: true }),
  fc.double({ min: -1e-12, max: 1e-12, noNaN: true }),
  fc.constantFrom(0, -0, 1, -1, Math.SQRT1_2, 0.5, 1 - 2 ** -53, Number.MIN_VALUE),
)

const row = fc.record({
  y: fc.constantFrom(0, 1),
  eta: predictors,
  point: points,
  share: fc.double({ min: 0, max: 1, noNaN: true }),
})

type Row = typeof row extends fc.Arbitrary<infer R> ? R : never

const rows = fc.array(row, { minLength: 2, maxLength: LOGISTIC_ROWS })

/** All that it leaves behind, and the sum. */
function responses(kernel: LogisticKernel, given: readonly Row[]) {
  const count = given.length - (given.length % 2)
  for (const [i, { y, eta, share }] of given.entries()) {
    kernel.y[i] = y
    kernel.eta[i] = eta
    kernel.shares[i] = share
  }
  const loss = kernel.respond(count)
  const slopes = kernel.slopes.slice(0, count)
  for (const [i, { point }] of given.entries()) kernel.slopes[i] = point
  const dual = kernel.conjugate(count)
  return { count, loss, slopes, dual, points: kernel.slopes.slice(0, count) }
}

test('this engine runs the compiled loop', () => {
  expect(openLogisticKernel().isCompiled).toBe(true)
})

test('compiled and plain leave the same bits behind', () => {
  fc.assert(
    fc.property(rows, (given) => {
      expect(responses(compiledLogisticKernel()!, given)).toEqual(responses(plainLogisticKernel(), given))
    }),
    { numRuns: 50 },
  )
})

test('losses, slopes and conjugates are those of log and exp, on both far ends too', () => {
  const kernel = openLogisticKernel()
  fc.assert(
    fc.property(fc.constantFrom(0, 1), predictors, points, (y, eta, point) => {
      const nothing = { y: 0 as const, eta: 0, point: 0, share: 0 }
      const found = responses(kernel, [{ y, eta, point, share: 1 }, nothing])
      const [slope, v] = [new Float64Array(1), Float64Array.of(point)]
      const loss = logistic.slope(y, Float64Array.of(eta), 0, slope)
      const dual = logistic.conjugate(y, v)
      // Below e^−708 both are nothing.
      const near = (value: number, of: number): boolean => Math.abs(value - of) <= 1e-15 * Math.abs(of) + 1e-307
      expect(near(found.loss, loss)).toBe(true)
      expect(near(found.slopes[0]!, slope[0]!)).toBe(true)
      expect(near(found.dual, dual)).toBe(true)
      expect(found.points[0]! + 0).toBe(v[0]! + 0)
    }),
    { numRuns: 2000 },
  )
})
