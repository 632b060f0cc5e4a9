/** What a loss is: nodes that turn a model's output and a batch's targets into one number to make small. */

import { int } from '../../ir/attrs.js'
import type { Builder, FloatType } from '../../ir/builder.js'
import type { DType } from '../../ir/types.js'
import { PareError } from '../../util/errors.js'

export interface Loss {
  readonly name: string
  /** How targets are fed: class indices [N] as int64, floats of the output's shape, or not at all. */
  readonly target: 'class' | 'values' | 'none'
  /** Which values a target may take, where not any. */
  readonly accepts?: { readonly doc: string; test(value: number): boolean }
  /**
   * What outputs are where they are no values on the targets' scale: scores that say yes above 0, scores of a
   * distribution, or a direction, whose length says nothing.
   */
  readonly scores?: 'binary' | 'distribution' | 'direction'
  /** A scalar: the mean over the batch. `output` and `target` are names of values, `shape` that of the output. */
  emit(
    b: Builder,
    values: { readonly output: string; readonly target: string; readonly shape: readonly number[] },
  ): string
}

export const targetType = (loss: Loss, float: FloatType = 'float32'): DType =>
  loss.target === 'class' ? 'int64' : float

/** Shape of the targets for an output of this shape, both of a sample or both of a batch. */
export const targetShape = <D>({ target }: Loss, shape: readonly D[]): readonly D[] =>
  target === 'class' ? shape.slice(0, -1) : shape

/** Over all elements, a scalar. */
export const mean = (b: Builder, x: string): string => b.op('ReduceMean', [x], { attrs: { keepdims: int(0) } })

export const noSuchClass = (where: string, value: number, classes: number): PareError =>
  new PareError('TRAIN_CLASS', `a class index is a whole number from 0 to ${classes - 1}`, {
    where,
    value,
    remedy: `The model has ${classes} scores: check the labels, or give the model more outputs.`,
  })
