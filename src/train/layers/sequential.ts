/** Layers one behind the other, as a model or as one layer. */

import { builder, type FloatType, modelOf } from '../../ir/builder.js'
import type { Dim, Model } from '../../ir/types.js'
import { random } from '../../util/random.js'
import { type At, type Layer, wrongShape } from './layer.js'

export interface SequentialOptions {
  /** Shape of one sample, without the batch axis. */
  readonly input: readonly number[]
  /** Name of the input. Default `input`. */
  readonly inputName?: string
  /** `int64` for indices that an embedding looks up. Default: that of the weights. */
  readonly inputType?: 'int64'
  /** What the model computes in. Default float32. */
  readonly float?: FloatType
  readonly seed?: number
}

/**
 * A model of layers one behind the other, with random weights (one seed, the same weights), whose batch axis `N` is
 * open. Throws `LAYER_SHAPE` where a layer does not fit what comes before it.
 *
 * ```ts
 * const model = sequential([flatten(), dense(256), relu(), dense(10)], { input: [1, 28, 28] })
 * ```
 */
export function sequential(
  layers: readonly Layer[],
  { input, inputName = 'input', float = 'float32', inputType, seed = 0 }: SequentialOptions,
): Model {
  const b = builder([], float)
  const generator = random(seed)
  b.input(inputName, { kind: 'tensor', dtype: inputType ?? float, shape: ['N', ...input] })
  const last = layers.reduce<At>((at, layer, i) => layer(b, at, `layer${i}`, generator.fork(i)), {
    name: inputName,
    shape: input,
  })
  const output = b.ops('Identity', [last.name], { outputs: [b.fresh('output')] })[0]!
  const shape: readonly Dim[] = ['N', ...last.shape]
  b.output(output, { kind: 'tensor', dtype: float, shape })
  return modelOf(b.graph('sequential'))
}

/** Layers as one. */
export const inRow =
  (...layers: readonly Layer[]): Layer =>
  (b, at, name, generator) =>
    layers.reduce<At>((before, layer, i) => layer(b, before, `${name}.${i}`, generator.fork(i)), at)

/** Layers as one, added to what goes in: shapes must agree (He et al. 2016). */
export const residual =
  (...layers: readonly Layer[]): Layer =>
  (b, at, name, generator) => {
    const last = inRow(...layers)(b, at, name, generator)
    if (last.shape.join() !== at.shape.join())
      throw wrongShape('residual', `[${at.shape.join(', ')}] as it went in`, last.shape)
    return { name: b.op('Add', [at.name, last.name], { name }), shape: at.shape }
  }
