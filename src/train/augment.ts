/** Small random changes of samples, anew each time that they are read: what a model should not depend on. */

import type { TypedArray } from '../ir/dtypes.js'
import { elementCount } from '../ir/tensor.js'
import type { Random } from '../util/random.js'

/** Changes the values of one sample of an input in place. */
export type Augment = (
  values: TypedArray,
  sample: { readonly input: string; readonly shape: readonly number[] },
  random: Random,
) => void

/** Pictures alone are changed, not indices beside them. */
const isPicture = (values: TypedArray, rank: number): values is Float32Array =>
  rank >= 2 && (values instanceof Float32Array || values instanceof Float64Array)

/** Moves along two axes, by up to `most` elements either way; what comes in from outside is 0. */
export const shift =
  (most: number, axes: readonly [number, number] = [-2, -1]): Augment =>
  (values, { shape }, { integer }) => {
    if (!isPicture(values, shape.length)) return
    const copy = values.slice()
    const moved = axes.map((axis) => ({ axis: (axis + shape.length) % shape.length, by: integer(2 * most + 1) - most }))
    if (moved.every(({ by }) => by === 0)) return
    const strides = shape.map((_, i) => elementCount(shape.slice(i + 1)))
    for (let at = 0; at < values.length; at++) {
      let from = at
      const isInside = moved.every(({ axis, by }) => {
        const place = Math.floor(at / strides[axis]!) % shape[axis]!
        from -= by * strides[axis]!
        return place - by >= 0 && place - by < shape[axis]!
      })
      values[at] = isInside ? copy[from]! : 0
    }
  }

/** Mirrors every second sample, on average, along an axis. */
export const mirror =
  (axis = -1): Augment =>
  (values, { shape }, { uniform }) => {
    if (uniform() < 0.5 || !isPicture(values, shape.length)) return
    const along = (axis + shape.length) % shape.length
    const [size, stride] = [shape[along]!, elementCount(shape.slice(along + 1))]
    const copy = values.slice()
    for (let at = 0; at < values.length; at++) {
      const place = Math.floor(at / stride) % size
      values[at] = copy[at + (size - 1 - 2 * place) * stride]!
    }
  }

/** One change after the other. */
export const inTurn =
  (...changes: readonly Augment[]): Augment =>
  (values, sample, generator) => {
    for (const change of changes) change(values, sample, generator)
  }
