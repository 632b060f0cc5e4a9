/** Small tensors for tests, reproducible: elements come from a seeded generator. */

import { codeOfDType, type TypedArray } from '../../src/ir/dtypes.js'
import { elementCount, f32, i64, tensor } from '../../src/ir/tensor.js'
import type { Attr, KnownDType, Tensor } from '../../src/ir/types.js'
import { random } from '../../src/util/random.js'

/** Float32 elements in [low, high). */
export function floatsOf(shape: readonly number[], low = -2, high = 2, seed = 1): Tensor {
  const r = random(seed)
  return f32(
    shape,
    Float32Array.from({ length: elementCount(shape) }, () => r.uniform(low, high)),
  )
}

/** Whole numbers in [low, high), as int64. */
export function intsOf(shape: readonly number[], low = 0, high = 10, seed = 1): Tensor {
  const r = random(seed)
  return i64(
    shape,
    Array.from({ length: elementCount(shape) }, () => low + r.integer(high - low)),
  )
}

/** A 1-D int64 tensor of these elements. */
export const list = (...elements: readonly number[]): Tensor => i64([elements.length], elements)

/** An int64 scalar. */
export const one = (value: number): Tensor => i64([], [value])

type Maker = { from(values: readonly number[]): TypedArray }
const ARRAYS: Partial<Record<KnownDType, Maker>> = {
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  bool: Uint8Array,
}

/** Elements of another type; bools are 0 and 1. */
export function of(dtype: keyof typeof ARRAYS, shape: readonly number[], values: readonly number[]): Tensor {
  return tensor(dtype, shape, ARRAYS[dtype]!.from(values))
}

/** The attribute that names an element type. */
export const typeAttr = (dtype: KnownDType): Attr => ({ type: 'int', value: BigInt(codeOfDType(dtype)) })
