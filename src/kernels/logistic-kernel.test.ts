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

const rows = fc.array(fc.record({ y: fc.constantFrom(0, 1), eta: predictors, share: fc.double({ min: 0, max: 1 }) }), {
  minLength: 2,
  maxLength: LOGISTIC_ROWS,
})

/** All that it leaves behind, and the sum. */
function responses(kernel: LogisticKernel, given: readonly { y: number; eta: number; share: number }[]) {
  const count = given.length - (given.length % 2)
  for (const [i, { y, eta, share }] of given.entries()) {
    kernel.y[i] = y
    kernel.eta[i] = eta
    kernel.shares[i] = share
  }
  const loss = kernel.respond(count)
  return { count, loss, slopes: kernel.slopes.slice(0, count) }
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

test('losses and slopes are those of log and exp, on both far ends too', () => {
  const kernel = openLogisticKernel()
  fc.assert(
    fc.property(fc.constantFrom(0, 1), predictors, (y, eta) => {
      const { loss, slopes } = responses(kernel, [
        { y, eta, share: 1 },
        { y: 0, eta: 0, share: 0 },
      ])
      const out = new Float64Array(1)
      const expected = logistic.slope(y, Float64Array.of(eta), 0, out)
      // Below e^−708 both are nothing.
      const near = (value: number, of: number): boolean => Math.abs(value - of) <= 1e-15 * Math.abs(of) + 1e-307
      expect([near(loss, expected), near(slopes[0]!, out[0]!)]).toEqual([true, true])
    }),
    { numRuns: 2000 },
  )
})
