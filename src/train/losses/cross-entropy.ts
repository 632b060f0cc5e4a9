/** Cross-entropy of class scores (logits) and class indices. */

import { int } from '../../ir/attrs.js'
import { i64 } from '../../ir/tensor.js'
import { PareError } from '../../util/errors.js'
import type { Loss } from './loss.js'

export interface CrossEntropyOptions {
  /** Share of the target's weight that goes to all classes alike (Szegedy et al. 2016, section 7). Default 0. */
  readonly labelSmoothing?: number
}

/**
 * −mean log softmax(scores)[class], over [N, classes]. Picking by GatherElements, whose gradient is one ScatterElements,
 * is faster than a product with one-hot rows.
 */
export function crossEntropy({ labelSmoothing = 0 }: CrossEntropyOptions = {}): Loss {
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new PareError('LOSS_SMOOTHING', 'labelSmoothing is at least 0 and below 1', {
      where: 'cross-entropy',
      value: labelSmoothing,
      remedy: 'Give e.g. 0.1.',
    })
  }
  return {
    name: labelSmoothing === 0 ? 'cross-entropy' : 'smoothed cross-entropy',
    target: 'class',
    emit(b, { output, target, shape }) {
      const logs = b.op('LogSoftmax', [output], { attrs: { axis: int(-1) } })
      const index = b.op('Unsqueeze', [target, b.constant(i64([1], [shape.length - 1]), 'axis')])
      const picked = b.op('GatherElements', [logs, index], { attrs: { axis: int(shape.length - 1) } })
      const hit = b.op('Neg', [b.op('ReduceMean', [picked], { attrs: { keepdims: int(0) } })])
      if (labelSmoothing === 0) return hit
      const even = b.op('Neg', [b.op('ReduceMean', [logs], { attrs: { keepdims: int(0) } })])
      const share = (value: string, weight: number): string => b.op('Mul', [value, b.number(weight, 'share')])
      return b.op('Add', [share(hit, 1 - labelSmoothing), share(even, labelSmoothing)])
    },
  }
}
