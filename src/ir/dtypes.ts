/** Facts about element types: width, code in the file format, typed array. */

import type { DType, KnownDType } from './types.js'

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array

type TypedArrayConstructor = {
  new (buffer: ArrayBuffer, offset: number, length: number): TypedArray
  readonly BYTES_PER_ELEMENT: number
}

interface DTypeInfo {
  /** `TensorProto.DataType` */
  readonly code: number
  /** Bits an element; 0 for strings. */
  readonly bits: number
  /** The array whose elements are the tensor's elements, or their raw bits (float16, bool, 8-bit floats). */
  readonly array: TypedArrayConstructor
}

const info = (code: number, bits: number, array: unknown): DTypeInfo => ({
  code,
  bits,
  array: array as TypedArrayConstructor,
})

export const DTYPES: Readonly<Record<KnownDType, DTypeInfo>> = {
  float32: info(1, 32, Float32Array),
  uint8: info(2, 8, Uint8Array),
  int8: info(3, 8, Int8Array),
  uint16: info(4, 16, Uint16Array),
  int16: info(5, 16, Int16Array),
  int32: info(6, 32, Int32Array),
  int64: info(7, 64, BigInt64Array),
  string: info(8, 0, Uint8Array),
  bool: info(9, 8, Uint8Array),
  float16: info(10, 16, Uint16Array),
  float64: info(11, 64, Float64Array),
  uint32: info(12, 32, Uint32Array),
  uint64: info(13, 64, BigUint64Array),
  complex64: info(14, 64, Float32Array),
  complex128: info(15, 128, Float64Array),
  bfloat16: info(16, 16, Uint16Array),
  float8e4m3fn: info(17, 8, Uint8Array),
  float8e4m3fnuz: info(18, 8, Uint8Array),
  float8e5m2: info(19, 8, Uint8Array),
  float8e5m2fnuz: info(20, 8, Uint8Array),
  uint4: info(21, 4, Uint8Array),
  int4: info(22, 4, Uint8Array),
  float4e2m1: info(23, 4, Uint8Array),
  float8e8m0: info(24, 8, Uint8Array),
  uint2: info(25, 2, Uint8Array),
  int2: info(26, 2, Uint8Array),
}

const BY_CODE = new Map<number, KnownDType>(
  Object.entries(DTYPES).map(([name, { code }]) => [code, name as KnownDType]),
)

export function isKnownDType(dtype: DType): dtype is KnownDType {
  return Object.hasOwn(DTYPES, dtype)
}

export function dtypeOfCode(code: number): DType {
  return code === 0 ? 'undefined' : (BY_CODE.get(code) ?? `#${code}`)
}

export function codeOfDType(dtype: DType): number {
  if (dtype === 'undefined') return 0
  return isKnownDType(dtype) ? DTYPES[dtype].code : Number(dtype.slice(1))
}

/** Bytes that `count` elements take, sub-byte types packed. `undefined` where the width is unknown. */
export function byteSize(dtype: DType, count: number): number | undefined {
  if (!isKnownDType(dtype) || dtype === 'string') return undefined
  return Math.ceil((count * DTYPES[dtype].bits) / 8)
}

export function isFloat(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float64' || dtype === 'float16' || dtype === 'bfloat16'
}
