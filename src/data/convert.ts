/** Tensors from plain numbers, and conversions of element types that lose nothing that matters. */

import { DTYPES, isKnownDType, type TypedArray } from '../ir/dtypes.js'
import { elementCount, elements, floatToHalf, numbers, stringTensor as stringTensorOf, tensor } from '../ir/tensor.js'
import type { DType, Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'

/** Least and greatest value of each plain integer type. */
const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = Object.fromEntries(
  [8n, 16n, 32n, 64n].flatMap((bits) => [
    [`uint${bits}`, [0n, 2n ** bits - 1n]],
    [`int${bits}`, [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n]],
  ]),
)

/** Integers of larger magnitude are not all represented. */
const EXACT: Readonly<Record<string, number>> = {
  float16: 2 ** 11,
  float32: 2 ** 24,
  float64: 2 ** 53,
}
const LARGEST: Readonly<Record<string, number>> = {
  float16: 65504,
  float32: 3.4028234663852886e38,
  float64: Number.MAX_VALUE,
}

export const isInteger = (dtype: DType): boolean => Object.hasOwn(RANGES, dtype)

/** Float types that samples can be given in. */
const isPlainFloat = (dtype: DType): boolean => Object.hasOwn(LARGEST, dtype)

const encoder = new TextEncoder()

/** A string tensor from text, or from bytes as they are. Throws `TENSOR_SIZE`. */
export const stringTensor = (shape: readonly number[], values: readonly (string | Uint8Array)[]): Tensor =>
  stringTensorOf(
    shape,
    values.map((v) => (typeof v === 'string' ? encoder.encode(v) : v)),
  )

export type Scalar = number | bigint | boolean | string

/**
 * A tensor of any dtype that samples can have, from plain values. Throws `SAMPLE_RANGE` where an integer type cannot
 * hold a value exactly or a float type overflows, `SAMPLE_DTYPE` where the kind of value does not suit the type.
 */
export function tensorOf(dtype: DType, shape: readonly number[], values: ArrayLike<Scalar>, where: string): Tensor {
  if (dtype === 'string') return stringTensor(shape, Array.from(values, String))
  if (!isInteger(dtype) && !isPlainFloat(dtype) && dtype !== 'bool') throw noConversion(where, 'numbers', dtype)
  const n = elementCount(shape)
  const data = allocate(dtype, n)
  const write = writer(dtype, where)
  for (let i = 0; i < n; i++) {
    const value = values[i]!
    if (typeof value === 'string') throw noConversion(where, 'text', dtype)
    data[i] = write(value)
  }
  return tensor(dtype, shape, data)
}

const allocate = (dtype: DType, n: number): { [index: number]: number | bigint } & TypedArray => {
  const { array } = DTYPES[dtype as keyof typeof DTYPES]
  return new array(new ArrayBuffer(n * array.BYTES_PER_ELEMENT), 0, n) as ReturnType<typeof allocate>
}

/** Checks a value and turns it into what the typed array of the type holds. */
function writer(dtype: DType, where: string): (value: number | bigint | boolean) => number | bigint {
  if (dtype === 'bool') {
    return (value) => {
      const bit = Number(value)
      if (bit !== 0 && bit !== 1) throw outOfRange(where, dtype, value)
      return bit
    }
  }
  const range = RANGES[dtype]
  if (range) {
    const wide = dtype.endsWith('64')
    const [low, high] = range
    return (value) => {
      const whole = typeof value === 'boolean' ? Number(value) : value
      if (typeof whole === 'number' && !Number.isInteger(whole)) throw outOfRange(where, dtype, value)
      if (whole < low || whole > high) throw outOfRange(where, dtype, value)
      return wide ? BigInt(whole) : Number(whole)
    }
  }
  const exact = EXACT[dtype]!
  const largest = LARGEST[dtype]!
  const half = dtype === 'float16'
  return (value) => {
    if (typeof value === 'bigint' && (value > exact || value < -exact)) throw outOfRange(where, dtype, value)
    const x = Number(value)
    const size = Math.abs(x)
    if (size > largest && size !== Number.POSITIVE_INFINITY) throw outOfRange(where, dtype, value)
    return half ? floatToHalf(x) : x
  }
}

/**
 * The same values as another dtype. Safe by type: to a float type of any width (overflow refused; integers only where
 * they are exact), from bool to any number. Safe by value: between integer types, and from 0/1 to bool.
 * Refused: float to integer, text to or from numbers (`SAMPLE_DTYPE`), values that do not fit (`SAMPLE_RANGE`).
 */
export function convert(t: Tensor, dtype: DType, where: string): Tensor {
  if (t.dtype === dtype) return t
  const fromInteger = isInteger(t.dtype) || t.dtype === 'bool'
  const possible =
    fromInteger || isPlainFloat(t.dtype)
      ? isPlainFloat(dtype) || (fromInteger && (isInteger(dtype) || dtype === 'bool'))
      : false
  if (!possible || !isKnownDType(dtype)) throw noConversion(where, t.dtype, dtype)
  if (dtype === 'float32' && DTYPES[t.dtype as keyof typeof DTYPES].bits <= 16) {
    return tensor(dtype, t.shape, Float32Array.from(numbers(t)))
  }
  if (isPlainFloat(dtype) && fromInteger) checkExact(t, dtype, where)
  const values: ArrayLike<Scalar> = t.dtype.endsWith('64') && fromInteger ? elements(t) : numbers(t)
  return tensorOf(dtype, t.shape, values, where)
}

function checkExact(t: Tensor, dtype: DType, where: string): void {
  const limit = EXACT[dtype]!
  const values = elements(t)
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (value > limit || value < -limit) throw outOfRange(where, dtype, value)
  }
}

const noConversion = (where: string, from: string, to: DType): PareError =>
  new PareError('SAMPLE_DTYPE', `the model wants ${to}, and ${from} does not turn into it without loss`, {
    where,
    value: from,
    remedy: `Convert the samples to ${to} yourself, e.g. x.astype('${to}'), after deciding how to round and scale.`,
  })

const outOfRange = (where: string, dtype: DType, value: unknown): PareError =>
  new PareError('SAMPLE_RANGE', `${dtype} cannot hold a value of the sample`, {
    where,
    value,
    remedy: 'Check that the samples are meant for this model, or convert them yourself.',
  })
