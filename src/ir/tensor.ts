/** Making tensors and reading their elements. */

import { concatBytes } from '../util/bytes.js'
import { PareError } from '../util/errors.js'
import { byteSize, DTYPES, isKnownDType, type TypedArray } from './dtypes.js'
import type { DType, Tensor } from './types.js'

export const elementCount = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1)

/** A tensor over bytes that are already in ONNX's layout (little-endian, packed). The bytes are shared, not copied. */
export function tensorOfBytes(dtype: DType, shape: readonly number[], data: Uint8Array): Tensor {
  const expected = byteSize(dtype, elementCount(shape))
  if (expected !== undefined && expected !== data.byteLength) {
    throw new PareError('TENSOR_SIZE', `a ${dtype} tensor of shape [${shape.join(',')}] needs ${expected} bytes`, {
      value: data.byteLength,
      remedy: 'Give data that fits the shape.',
    })
  }
  return { dtype, shape, byteLength: data.byteLength, bytes: () => data }
}

/** A tensor over a typed array of the matching kind, e.g. `tensor('float32', [2, 3], new Float32Array(6))`. */
export function tensor(dtype: DType, shape: readonly number[], data: TypedArray): Tensor {
  return tensorOfBytes(dtype, shape, new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength))
}

/** A string tensor; each element is the bytes of its text, UTF-8 by custom. Throws `TENSOR_SIZE`. */
export function stringTensor(shape: readonly number[], elements: readonly Uint8Array[]): Tensor {
  if (elements.length !== elementCount(shape)) {
    throw new PareError(
      'TENSOR_SIZE',
      `a string tensor of shape [${shape.join(',')}] needs ${elementCount(shape)} strings`,
      {
        value: elements.length,
        remedy: 'Give data that fits the shape.',
      },
    )
  }
  const byteLength = elements.reduce((n, s) => n + s.byteLength, 0)
  return { dtype: 'string', shape, byteLength, bytes: () => concatBytes(elements), strings: () => elements }
}

export const f32 = (shape: readonly number[], data: ArrayLike<number>): Tensor =>
  tensor('float32', shape, data instanceof Float32Array ? data : new Float32Array(data))

export const i64 = (shape: readonly number[], data: readonly number[]): Tensor =>
  tensor(
    'int64',
    shape,
    BigInt64Array.from(data, (v) => BigInt(v)),
  )

export const scalar = (value: number, dtype: 'float32' | 'float64' | 'int64' = 'float32'): Tensor =>
  dtype === 'int64' ? i64([], [value]) : floatTensor(dtype, [], [value])

/** A tensor of any float type that the engine computes with; of others, float32. */
export function floatTensor(dtype: DType, shape: readonly number[], data: ArrayLike<number>): Tensor {
  if (dtype === 'float64') return tensor(dtype, shape, new Float64Array(data))
  if (dtype === 'float16') return tensor(dtype, shape, Uint16Array.from(Array.from(data), floatToHalf))
  return f32(shape, data)
}

/**
 * The elements as a typed array: values for the plain number types, raw bits for `float16`,
 * `bfloat16`, `bool` and 8-bit floats, packed bytes for sub-byte types. A view where alignment allows, else a copy.
 */
export function elements(t: Tensor): TypedArray {
  if (!isKnownDType(t.dtype) || t.dtype === 'string') {
    throw new PareError('TENSOR_DTYPE', 'these elements cannot be read as numbers', {
      value: t.dtype,
      remedy: 'Use strings() for string tensors.',
    })
  }
  const { array, bits } = DTYPES[t.dtype]
  const bytes = t.bytes()
  const width = array.BYTES_PER_ELEMENT
  const length = bits < 8 ? bytes.byteLength : bytes.byteLength / width
  if (bytes.byteOffset % width === 0) return new array(bytes.buffer as ArrayBuffer, bytes.byteOffset, length)
  // A copy that also holds for Node's Buffer, whose slice() is a view.
  return new array(new Uint8Array(bytes).buffer, 0, length)
}

/** The elements as plain numbers, whatever the type (64-bit integers beyond 2^53 lose digits; sub-byte types are unpacked). */
export function numbers(t: Tensor): Float64Array | Float32Array {
  const data = elements(t)
  switch (t.dtype) {
    case 'float32':
    case 'float64':
      return data as Float32Array | Float64Array
    case 'float16':
      return Float32Array.from(data as Uint16Array, halfToFloat)
    case 'bfloat16':
      return bfloat16ToFloat(data as Uint16Array)
    case 'int64':
    case 'uint64':
      return Float64Array.from(data as BigInt64Array, Number)
    case 'int4':
    case 'uint4':
    case 'int2':
    case 'uint2':
      return unpack(data as Uint8Array, elementCount(t.shape), DTYPES[t.dtype].bits, t.dtype.startsWith('i'))
    default:
      if (t.dtype.startsWith('float') || t.dtype.startsWith('complex')) {
        throw new PareError('TENSOR_DTYPE', 'no reader for these elements', {
          value: t.dtype,
          remedy: 'Convert the tensor to float32 first.',
        })
      }
      return Float64Array.from(data as Int32Array)
  }
}

/** The float32 elements of any numeric tensor; a view for float32. */
export function floats(t: Tensor): Float32Array {
  const data = numbers(t)
  return data instanceof Float32Array ? data : Float32Array.from(data)
}

function unpack(packed: Uint8Array, count: number, bits: number, signed: boolean): Float64Array {
  const out = new Float64Array(count)
  const each = 8 / bits
  const mask = (1 << bits) - 1
  const half = 1 << (bits - 1)
  for (let i = 0; i < count; i++) {
    const v = (packed[Math.floor(i / each)]! >> ((i % each) * bits)) & mask
    out[i] = signed && v >= half ? v - 2 * half : v
  }
  return out
}

function bfloat16ToFloat(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length)
  for (let i = 0; i < bits.length; i++) out[i] = bits[i]! << 16
  return new Float32Array(out.buffer)
}

const f32Scratch = new Float32Array(1)
const u32Scratch = new Uint32Array(f32Scratch.buffer)

/** IEEE 754 binary16 bits to a number. */
export function halfToFloat(h: number): number {
  const sign = h & 0x8000 ? -1 : 1
  const exponent = (h >> 10) & 0x1f
  const fraction = h & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** A number to IEEE 754 binary16 bits, rounded to nearest, ties to even; overflow gives infinity. */
export function floatToHalf(value: number): number {
  f32Scratch[0] = value
  const bits = u32Scratch[0]!
  const single = f32Scratch[0]
  // Rounding twice must not differ from rounding once: the first time to odd (Boldo and Melquiond 2008).
  const isExact = single === value || Number.isNaN(value)
  const x = isExact ? bits : (bits - Number(Math.abs(single) > Math.abs(value))) | 1
  const sign = (x >>> 16) & 0x8000
  const exponent = (x >>> 23) & 0xff
  const fraction = x & 0x7fffff
  if (exponent === 255) return sign | 0x7c00 | (fraction ? 0x200 : 0)
  const e = exponent - 112
  if (e >= 31) return sign | 0x7c00
  if (e <= 0) {
    if (e < -10) return sign
    const m = fraction | 0x800000
    const shift = 14 - e
    return sign | roundShift(m, shift)
  }
  return sign + ((e << 10) + roundShift(fraction, 13))
}

function roundShift(value: number, shift: number): number {
  const q = value >>> shift
  const rest = value & ((1 << shift) - 1)
  const half = 1 << (shift - 1)
  return rest > half || (rest === half && q & 1) ? q + 1 : q
}
