/** Tensors from what JavaScript code has at hand: numbers, nested lists, typed arrays, tensors of other libraries. */

import { DTYPES, isKnownDType, type TypedArray } from '../ir/dtypes.js'
import { elementCount, tensor } from '../ir/tensor.js'
import type { DType, KnownDType, Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { type Scalar, tensorOf } from './convert.js'

const TYPED: Readonly<Record<string, KnownDType>> = {
  Float32Array: 'float32',
  Float64Array: 'float64',
  Int8Array: 'int8',
  Int16Array: 'int16',
  Int32Array: 'int32',
  BigInt64Array: 'int64',
  Uint8Array: 'uint8',
  Buffer: 'uint8',
  Uint8ClampedArray: 'uint8',
  Uint16Array: 'uint16',
  Uint32Array: 'uint32',
  BigUint64Array: 'uint64',
}

/**
 * A tensor from `value`: a `Tensor`; `{ data, dims, type }` as ONNX Runtime has it; a typed array, which takes `shape`
 * if given (one symbolic length may be left open, a leading one is 1) and is else one-dimensional; or a number, text,
 * boolean or (nested) list of them, in `dtype`. Arrays are copied, as who made them may fill them anew. `where` is for
 * messages. Throws `SAMPLE_VALUE`, `SAMPLE_SHAPE`.
 */
export function nested(value: unknown, dtype: DType, where: string, shape?: readonly (number | string)[]): Tensor {
  if (isTensor(value)) return value
  if (isForeign(value)) return foreign(value, where)
  const own = value === null || typeof value !== 'object' ? undefined : TYPED[value.constructor?.name ?? '']
  if (own) {
    const array = plain(value as TypedArray)
    const bits = ['bool', 'float16', 'bfloat16'].includes(dtype)
    const held = bits && isKnownDType(dtype) && array instanceof DTYPES[dtype].array ? dtype : own
    return tensor(held, shape ? shapeFor(array.length, shape, where) : [array.length], array)
  }
  const dims: number[] = []
  for (let inner = value; Array.isArray(inner); inner = inner[0]) dims.push(inner.length)
  const flat: Scalar[] = []
  flatten(value, dims, 0, flat, where)
  return tensorOf(dtype, dims, flat, where)
}

const isTensor = (value: unknown): value is Tensor =>
  typeof value === 'object' && value !== null && 'dtype' in value && 'shape' in value && 'bytes' in value

interface ForeignTensor {
  readonly data: TypedArray | readonly string[]
  readonly dims: readonly number[]
  readonly type: string
}

const isForeign = (value: unknown): value is ForeignTensor =>
  typeof value === 'object' && value !== null && 'data' in value && 'dims' in value && 'type' in value

function foreign({ data, dims, type: named }: ForeignTensor, where: string): Tensor {
  const type = named as DType
  if (!isKnownDType(type)) throw badValue(type, where)
  return Array.isArray(data)
    ? tensorOf(type, dims, data as string[], where)
    : tensor(type, dims, plain(data as TypedArray))
}

/** A copy, with clamped bytes as plain bytes. */
const plain = (data: TypedArray): TypedArray =>
  data.constructor.name === 'Uint8ClampedArray' ? new Uint8Array(data as Uint8Array) : (data.slice() as TypedArray)

/** The declared shape with its open lengths filled in so that `count` elements fit: a leading one is 1 if it can be. */
function shapeFor(count: number, shape: readonly (number | string)[], where: string): readonly number[] {
  const open = shape.flatMap((d, i) => (typeof d === 'string' ? [i] : []))
  const known = elementCount(shape.filter((d) => typeof d === 'number'))
  const rest = open.length > 1 && open[0] === 0 ? open.slice(1) : open
  const fill = known === 0 ? 0 : count / known
  if (rest.length > 1 || !Number.isInteger(fill) || (rest.length === 0 && fill !== 1)) {
    throw new PareError('SAMPLE_SHAPE', `the elements do not fill the shape [${shape.join(', ')}]`, {
      where,
      value: `${count} elements`,
      remedy: 'Give nested lists or a tensor with its shape.',
    })
  }
  return shape.map((d, i) => (typeof d === 'number' ? d : i === rest[0] ? fill : 1))
}

function flatten(value: unknown, dims: readonly number[], depth: number, out: Scalar[], where: string): void {
  if (Array.isArray(value)) {
    if (value.length !== dims[depth]) {
      throw new PareError('SAMPLE_SHAPE', 'the lists at one level have different lengths', {
        where,
        value: `${dims[depth] ?? 'a number'} and ${value.length}`,
        remedy: 'Make them the same length.',
      })
    }
    for (const inner of value) flatten(inner, dims, depth + 1, out, where)
    return
  }
  if (depth !== dims.length || !['number', 'bigint', 'boolean', 'string'].includes(typeof value)) {
    throw badValue(value, where)
  }
  out.push(value as Scalar)
}

const badValue = (value: unknown, where: string): PareError =>
  new PareError('SAMPLE_VALUE', 'this is no number, list of numbers, typed array or tensor', {
    where,
    value,
    remedy: 'Give e.g. a Float32Array, or [[1, 2], [3, 4]].',
  })
