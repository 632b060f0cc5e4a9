/** TensorProto ↔ ir tensors. Raw data is shared with the file's buffer; typed fields are converted when asked for. */

import { byteSize, codeOfDType, DTYPES, dtypeOfCode, isKnownDType } from '../ir/dtypes.js'
import type { DType, ExternalRef, Tensor, UnknownField } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import type { DecodeContext } from './decode.js'
import type { TensorProto } from './onnx_pb.js'

/** `TensorProto.DataLocation.EXTERNAL` */
const EXTERNAL = 1

export function readTensor(proto: TensorProto, context: DecodeContext): Tensor {
  const dtype = dtypeOfCode(proto.dataType)
  const shape = proto.dims.map(Number)
  const where = `${context.where}: tensor ${proto.name || '(unnamed)'}`
  const count = shape.reduce((n, d) => n * d, 1)
  if (shape.some((d) => d < 0) || !Number.isSafeInteger(count)) {
    throw new PareError('TENSOR_SHAPE', 'the shape is not possible', {
      where,
      value: shape,
      remedy: 'The file is damaged; export the model again.',
    })
  }
  const doc = Object.hasOwn(proto, 'docString') ? proto.docString : undefined
  const unknown: readonly UnknownField[] | undefined = proto.$unknown
  const base = {
    dtype,
    shape,
    ...(doc !== undefined && { doc }),
    ...(proto.metadataProps.length > 0 && { metadata: new Map(proto.metadataProps.map((e) => [e.key, e.value])) }),
    ...(unknown !== undefined && unknown.length > 0 && { unknown }),
  }
  if (dtype === 'string') {
    const strings = proto.stringData
    if (strings.length !== count) wrongSize(where, shape, dtype, `${count} strings`, strings.length)
    return {
      ...base,
      byteLength: strings.reduce((n, s) => n + s.byteLength, 0),
      bytes: () => stringsHaveNoBytes(where),
      strings: () => strings,
    }
  }
  const expected = byteSize(dtype, count)
  if (proto.dataLocation === EXTERNAL) {
    const external = externalRef(proto, where, expected)
    return { ...base, byteLength: external.length, bytes: () => context.external(external), external }
  }
  const source = dataSource(proto, dtype)
  if (expected !== undefined && source.byteLength !== expected)
    wrongSize(where, shape, dtype, `${expected} bytes`, source.byteLength)
  return { ...base, ...source }
}

function stringsHaveNoBytes(where: string): never {
  throw new PareError('TENSOR_DTYPE', 'a string tensor has no bytes of its own', { where, remedy: 'Use strings().' })
}

function wrongSize(where: string, shape: readonly number[], dtype: DType, expected: string, value: number): never {
  throw new PareError('TENSOR_SIZE', `a ${dtype} tensor of shape [${shape}] needs ${expected}`, {
    where,
    value,
    remedy: 'The file is damaged; export the model again.',
  })
}

function externalRef(proto: TensorProto, where: string, expected: number | undefined): ExternalRef {
  const entries = new Map(proto.externalData.map((e) => [e.key, e.value]))
  const location = entries.get('location')
  const offset = Number(entries.get('offset') ?? 0)
  const length = Number(entries.get('length') ?? expected ?? Number.NaN)
  if (
    location === undefined ||
    !Number.isSafeInteger(offset) ||
    offset < 0 ||
    !Number.isSafeInteger(length) ||
    length < 0
  ) {
    throw new PareError('EXTERNAL_REF', 'the reference to external data is incomplete or not valid', {
      where,
      value: [...entries].map(([k, v]) => `${k}=${v}`),
      remedy: 'Export the model again.',
    })
  }
  if (expected !== undefined && length !== expected)
    wrongSize(where, proto.dims.map(Number), dtypeOfCode(proto.dataType), `${expected} bytes`, length)
  return { location, offset, length }
}

interface Source {
  readonly byteLength: number
  bytes(): Uint8Array
}

/** Where the elements are: raw_data, or the field of their type. */
function dataSource(proto: TensorProto, dtype: DType): Source {
  if (Object.hasOwn(proto, 'rawData')) return view(proto.rawData)
  if (dtype === 'float32' || dtype === 'complex64') return view(joined(proto.floatData))
  if (dtype === 'float64' || dtype === 'complex128') return view(joined(proto.doubleData))
  if (dtype === 'int64') return lazily(proto.int64Data.length * 8, () => new BigInt64Array(proto.int64Data))
  if (dtype === 'uint64' || dtype === 'uint32') {
    const wide = dtype === 'uint64'
    return lazily(proto.uint64Data.length * (wide ? 8 : 4), () =>
      wide ? new BigUint64Array(proto.uint64Data) : Uint32Array.from(proto.uint64Data, Number),
    )
  }
  return smallIntegers(proto.int32Data, dtype)
}

/** Everything of 32 bits or less shares int32_data; 4- and 2-bit types are packed into bytes there too. */
function smallIntegers(data: readonly number[], dtype: DType): Source {
  const bits = isKnownDType(dtype) ? DTYPES[dtype].bits : 32
  if (bits === 32) return lazily(data.length * 4, () => Int32Array.from(data))
  if (bits === 16) return lazily(data.length * 2, () => Uint16Array.from(data))
  return lazily(data.length, () => Uint8Array.from(data))
}

const view = (data: Uint8Array): Source => ({ byteLength: data.byteLength, bytes: () => data })

function lazily(byteLength: number, make: () => ArrayBufferView): Source {
  let bytes: Uint8Array | undefined
  return {
    byteLength,
    bytes() {
      if (bytes === undefined) {
        const data = make()
        bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
      }
      return bytes
    },
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0]!
  const out = new Uint8Array(chunks.reduce((n, c) => n + c.byteLength, 0))
  let at = 0
  for (const chunk of chunks) {
    out.set(chunk, at)
    at += chunk.byteLength
  }
  return out
}

export { codeOfDType }
