/** What a loss is: nodes that turn a model's outputs and a batch's targets into one number to make small. */

import type { Builder } from '../../ir/builder.js'
import type { DType } from '../../ir/types.js'

export interface Loss {
  readonly name: string
  /** How targets are fed: class indices [N] as int64, or floats of the output's shape. */
  readonly target: 'class' | 'values'
  /** A scalar: the mean over the batch. `output` and `target` are names of values, `shape` that of the output. */
  emit(
    b: Builder,
    values: { readonly output: string; readonly target: string; readonly shape: readonly number[] },
  ): string
}

export const targetType = (loss: Loss): DType => (loss.target === 'class' ? 'int64' : 'float32')
