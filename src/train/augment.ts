/** Small random changes of samples, anew each time that they are read: what a model should not depend on. */

import type { TypedArray } from '../ir/dtypes.js'
import { elementCount } from '../ir/tensor.js'
import type { Random } from '../util/random.js'
import type { Dataset } from './dataset.js'
import { tally } from './spread.js'

/** Changes the values of one sample of an input in place. */
export type Augment = (
  values: TypedArray,
  sample: { readonly input: string; readonly shape: readonly number[] },
  random: Random,
) => void

const isFloat = (values: TypedArray): values is Float32Array =>
  values instanceof Float32Array || values instanceof Float64Array

/** Pictures alone are moved, not indices beside them. */
const isPicture = (values: TypedArray, rank: number): values is Float32Array => rank >= 2 && isFloat(values)

/** Height and width: the last two axes, or the first two of three where the last alone is no longer than four: channels. */
function planeOf(shape: readonly number[]): readonly [number, number] {
  const areChannelsLast = shape.length === 3 && shape[2]! <= 4 && shape[0]! > 4 && shape[1]! > 4
  return areChannelsLast ? [0, 1] : [shape.length - 2, shape.length - 1]
}

const stridesOf = (shape: readonly number[]): readonly number[] => shape.map((_, i) => elementCount(shape.slice(i + 1)))

/**
 * Moves along two axes, height and width unless others are named, by up to `most` elements either way; what comes in
 * from outside is 0. This is the crop of a picture that is padded by `most` (He et al. 2016, section 4.2).
 */
export const shift =
  (most: number, axes?: readonly [number, number]): Augment =>
  (values, { shape }, { integer }) => {
    if (!isPicture(values, shape.length)) return
    const copy = values.slice()
    const along = axes ?? planeOf(shape)
    const moved = along.map((axis) => ({
      axis: (axis + shape.length) % shape.length,
      by: integer(2 * most + 1) - most,
    }))
    if (moved.every(({ by }) => by === 0)) return
    const strides = stridesOf(shape)
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

/** Mirrors every second sample, on average, along an axis: the width unless another is named. */
export const mirror =
  (axis?: number): Augment =>
  (values, { shape }, { uniform }) => {
    if (uniform() < 0.5 || !isPicture(values, shape.length)) return
    const along = axis === undefined ? planeOf(shape)[1] : (axis + shape.length) % shape.length
    const [size, stride] = [shape[along]!, elementCount(shape.slice(along + 1))]
    const copy = values.slice()
    for (let at = 0; at < values.length; at++) {
      const place = Math.floor(at / stride) % size
      values[at] = copy[at + (size - 1 - 2 * place) * stride]!
    }
  }

/**
 * Sets a square of `size` elements a side to 0, in all channels; its centre is anywhere in the picture, so that a part
 * of it may lie outside (DeVries and Taylor 2017, section 3.2).
 */
export const cutout =
  (size: number): Augment =>
  (values, { shape }, { integer }) => {
    if (!isPicture(values, shape.length)) return
    const strides = stridesOf(shape)
    const sides = planeOf(shape).map((axis) => ({ axis, from: integer(shape[axis]!) - Math.floor(size / 2) }))
    for (let at = 0; at < values.length; at++) {
      const isCut = sides.every(({ axis, from }) => {
        const place = Math.floor(at / strides[axis]!) % shape[axis]!
        return place >= from && place < from + size
      })
      if (isCut) values[at] = 0
    }
  }

/**
 * Adds Gaussian noise to inputs of floats, `level` times their standard deviation over `data`: that of each value where
 * a sample is a vector, as the columns of a table are on scales of their own, else that of all values alike. Small noise
 * works as a penalty on the slope of what is learned (Bishop 1995).
 */
export function noise(level: number, { inputs }: Dataset): Augment {
  const deviations = new Map(
    [...inputs].flatMap(([input, { shape, data }]) => {
      if (!isFloat(data)) return []
      const all = tally(shape.length === 1 ? shape[0]! : 1)
      all.add(data)
      return [[input, all.spread().deviation] as const]
    }),
  )
  return (values, { input }, { normal }) => {
    const own = deviations.get(input)
    if (own === undefined || !isFloat(values)) return
    for (let i = 0; i < values.length; i++) values[i]! += level * own[i % own.length]! * normal()
  }
}

/** One change after the other. */
export const inTurn =
  (...changes: readonly Augment[]): Augment =>
  (values, sample, generator) => {
    for (const change of changes) change(values, sample, generator)
  }
