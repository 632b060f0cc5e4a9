/** Mean squared error. */

import { int } from '../../ir/attrs.js'
import type { Loss } from './loss.js'

/** mean (output − target)² over all elements. */
export const squaredError = (): Loss => ({
  name: 'squared error',
  target: 'values',
  emit(b, { output, target }) {
    const error = b.op('Sub', [output, target])
    return b.op('ReduceMean', [b.op('Mul', [error, error])], { attrs: { keepdims: int(0) } })
  },
})
