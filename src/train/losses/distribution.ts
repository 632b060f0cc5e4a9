/** Losses between distributions and between directions: what a student learns from a teacher. */

import { int } from '../../ir/attrs.js'
import type { Builder } from '../../ir/builder.js'
import { i64 } from '../../ir/tensor.js'
import { PareError } from '../../util/errors.js'
import { type Loss, mean } from './loss.js'

const lastAxis = (b: Builder): string => b.constant(i64([1], [-1]), 'axis')
const along = (b: Builder, x: string): string => b.op('ReduceSum', [x, lastAxis(b)], { attrs: { keepdims: int(0) } })

/** −mean Σ t ln softmax(s), t being probabilities along the last axis. */
export const softCrossEntropy = (): Loss => ({
  name: 'soft cross-entropy',
  target: 'values',
  scores: 'distribution',
  accepts: { doc: 'a probability, from 0 to 1', test: (v) => v >= 0 && v <= 1 },
  emit(b, { output, target }) {
    const logs = b.op('LogSoftmax', [output], { attrs: { axis: int(-1) } })
    return b.op('Neg', [mean(b, along(b, b.op('Mul', [target, logs])))])
  },
})

/**
 * The Kullback-Leibler divergence of softmax(target/T) from softmax(scores/T), times T² so that its gradient does not
 * depend on T (Hinton et al. 2015, section 2). Targets are the teacher's scores.
 */
export function kullbackLeibler(temperature = 1): Loss {
  if (!(Number.isFinite(temperature) && temperature > 0)) {
    throw new PareError('LOSS_TEMPERATURE', 'a temperature is a number above 0', {
      where: 'kullback-leibler',
      value: temperature,
      remedy: 'Give e.g. 2.',
    })
  }
  return {
    name: 'Kullback-Leibler',
    target: 'values',
    scores: 'distribution',
    emit(b, { output, target }) {
      const t = b.number(temperature, 'temperature')
      const logs = (x: string): string => b.op('LogSoftmax', [b.op('Div', [x, t])], { attrs: { axis: int(-1) } })
      const [own, wanted] = [logs(output), logs(target)]
      const each = b.op('Mul', [b.op('Exp', [wanted]), b.op('Sub', [wanted, own])])
      return b.op('Mul', [mean(b, along(b, each)), b.number(temperature ** 2, 'square')])
    },
  }
}

/** mean of 1 − cos(output, target) along the last axis. */
export const cosineLoss = (): Loss => ({
  name: 'cosine',
  target: 'values',
  scores: 'direction',
  emit(b, { output, target }) {
    const norm = (x: string): string => b.op('ReduceL2', [x, lastAxis(b)], { attrs: { keepdims: int(0) } })
    const sizes = b.op('Max', [b.op('Mul', [norm(output), norm(target)]), b.number(1e-12, 'tiny')])
    const cosine = b.op('Div', [along(b, b.op('Mul', [output, target])), sizes])
    return mean(b, b.op('Sub', [b.number(1, 'one'), cosine]))
  },
})
