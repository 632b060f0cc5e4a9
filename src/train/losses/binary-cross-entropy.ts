/** Binary cross-entropy of scores (logits) and targets in [0, 1], and the hinge loss of scores and targets −1 and 1. */

import { int } from '../../ir/attrs.js'
import type { Loss } from './loss.js'

/** mean of softplus(s) − t s = −t ln σ(s) − (1 − t) ln(1 − σ(s)), which no large score overflows. */
export const binaryCrossEntropy = (): Loss => ({
  name: 'binary cross-entropy',
  target: 'values',
  scores: 'binary',
  accepts: { doc: 'a number from 0 to 1', test: (v) => v >= 0 && v <= 1 },
  emit(b, { output, target }) {
    // softplus(s) = max(s, 0) + ln(1 + exp(−|s|))
    const small = b.op('Exp', [b.op('Neg', [b.op('Abs', [output])])])
    const tail = b.op('Log', [b.op('Add', [small, b.number(1, 'one')])])
    const softplus = b.op('Add', [b.op('Relu', [output]), tail])
    const each = b.op('Sub', [softplus, b.op('Mul', [target, output])])
    return b.op('ReduceMean', [each], { attrs: { keepdims: int(0) } })
  },
})

/** mean max(0, 1 − t s) */
export const hinge = (): Loss => ({
  name: 'hinge',
  target: 'values',
  scores: 'binary',
  accepts: { doc: '−1 or 1', test: (v) => v === -1 || v === 1 },
  emit(b, { output, target }) {
    const margin = b.op('Sub', [b.number(1, 'one'), b.op('Mul', [target, output])])
    return b.op('ReduceMean', [b.op('Relu', [margin])], { attrs: { keepdims: int(0) } })
  },
})
