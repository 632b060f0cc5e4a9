/** What a layer is: it adds its nodes and its initial weights to a builder. */

import type { Builder } from '../../ir/builder.js'
import { elementCount } from '../../ir/tensor.js'
import type { Tensor } from '../../ir/types.js'
import { PareError } from '../../util/errors.js'
import type { Random } from '../../util/random.js'

/** Where a layer stands: the value before it, and the shape of one sample there. */
export interface At {
  readonly name: string
  readonly shape: readonly number[]
}

/** Adds a layer behind `at`; `name` is free for its values, `random` draws its weights. */
export type Layer = (b: Builder, at: At, name: string, random: Random) => At

/** Normal with variance 2 / fan-in, which keeps the scale of activations through rectifiers (He et al. 2015, eq. 10). */
export const heNormal = (b: Builder, shape: readonly number[], fanIn: number, generator: Random): Tensor =>
  drawn(b, shape, Math.sqrt(2 / Math.max(1, fanIn)), generator)

export const drawn = (b: Builder, shape: readonly number[], deviation: number, { normal }: Random): Tensor =>
  b.tensor(
    shape,
    Float64Array.from({ length: elementCount(shape) }, () => normal(0, deviation)),
  )

export const filled = (b: Builder, shape: readonly number[], value: number): Tensor =>
  b.tensor(shape, new Float64Array(elementCount(shape)).fill(value))

/** Throws `LAYER_SHAPE` unless it is a whole number of at least 1. */
export function checkSize(layer: string, what: string, value: number): void {
  if (Number.isInteger(value) && value > 0) return
  throw new PareError('LAYER_SHAPE', `${what} is a whole number of at least 1`, {
    where: layer,
    value,
    remedy: 'Give e.g. 32.',
  })
}

export const wrongShape = (layer: string, wants: string, got: readonly (number | undefined)[]): PareError =>
  new PareError('LAYER_SHAPE', `the layer wants ${wants}`, {
    where: layer,
    value: `[${got.join(', ')}]`,
    remedy: 'Put a flatten, reshape or another layer before it.',
  })
