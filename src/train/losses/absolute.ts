/** Mean absolute error, and Huber's loss between it and the squared one. */

import { PareError } from '../../util/errors.js'
import { type Loss, mean } from './loss.js'

/** mean |output − target| */
export const absoluteError = (): Loss => ({
  name: 'absolute error',
  target: 'values',
  emit: (b, { output, target }) => mean(b, b.op('Abs', [b.op('Sub', [output, target])])),
})

/** r²/2 for residuals up to δ, δ |r| − δ²/2 beyond (Huber 1964): with m = min(|r|, δ) it is m (|r| − m/2). */
export function huber(delta = 1): Loss {
  if (!(Number.isFinite(delta) && delta > 0)) {
    throw new PareError('LOSS_DELTA', 'delta is a number above 0', {
      where: 'huber',
      value: delta,
      remedy: 'Give e.g. 1.',
    })
  }
  return {
    name: 'huber',
    target: 'values',
    emit(b, { output, target }) {
      const size = b.op('Abs', [b.op('Sub', [output, target])])
      const m = b.op('Min', [size, b.number(delta, 'delta')])
      const rest = b.op('Sub', [size, b.op('Mul', [m, b.number(0.5, 'half')])])
      return mean(b, b.op('Mul', [m, rest]))
    },
  }
}
