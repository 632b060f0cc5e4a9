/**
 * TensorProto ↔ ir tensors. Data stays a view into the file; what is stored as varints is converted when asked for.
 * The fields float_data, int32_data, int64_data, double_data and uint64_data reach this file as unknown fields.
 */

import { create } from '@bufbuild/protobuf'
import { WireType } from '@bufbuild/protobuf/wire'
import { byteSize, codeOfDType, DTYPES, dtypeOfCode, isKnownDType } from '../ir/dtypes.js'
import type { DType, ExternalRef, SparseTensor, Tensor } from '../ir/types.js'
import { concatBytes } from '../util/bytes.js'
import { PareError } from '../util/errors.js'
import { type DecodeContext, dimensions, entry, notesOf, protoNotes, withUnknown } from './notes.js'
import { type SparseTensorProto, SparseTensorProtoSchema, type TensorProto, TensorProtoSchema } from './schema_pb.js'
import { contentOf } from './wire.js'

/** `TensorProto.DataLocation.EXTERNAL` */
const EXTERNAL = 1

const DATA_FIELDS: ReadonlyMap<number, string> = new Map([
  [4, 'float_data'],
  [5, 'int32_data'],
  [7, 'int64_data'],
  [10, 'double_data'],
  [11, 'uint64_data'],
])

/** The field that holds elements of this type when raw_data does not. */
function dataFieldOf(dtype: DType): number {
  switch (dtype) {
    case 'float32':
    case 'complex64':
      return 4
    case 'float64':
    case 'complex128':
      return 10
    case 'int64':
      return 7
    case 'uint32':
    case 'uint64':
      return 11
    default:
      return 5
  }
}

/**
 * A tensor over the file's bytes. Throws `TENSOR_SHAPE` for impossible dimensions, `TENSOR_SIZE` where data and shape
 * disagree, `TENSOR_DATA` for data in a form that its type does not have, `EXTERNAL_REF`.
 */
export function readTensor(proto: TensorProto, context: DecodeContext, options: { readonly keyed: boolean }): Tensor {
  const dtype = dtypeOfCode(proto.dataType)
  const where = `${context.where}: tensor ${proto.name === '' ? 'without a name' : proto.name}`
  const shape = dimensions(proto.dims, where)
  const count = shape.reduce((n, d) => n * d, 1)
  if (!Number.isSafeInteger(count)) {
    throw new PareError('TENSOR_SHAPE', 'the shape has more elements than can be counted', {
      where,
      value: shape,
      remedy: 'The file is damaged; export the model again.',
    })
  }
  const name = options.keyed || proto.name === '' ? undefined : proto.name
  const stored = dataOf(proto, { dtype, shape, count, where }, context)
  return {
    ...(name !== undefined && { name }),
    dtype,
    shape,
    ...stored.data,
    ...notesOf(TensorProtoSchema, proto, [], stored.used),
  }
}

interface Declared {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly count: number
  readonly where: string
}

type Data = Pick<Tensor, 'byteLength' | 'bytes' | 'strings' | 'external'>

interface Stored {
  readonly data: Data
  /** Numbers of the unknown fields that went into the data. */
  readonly used: ReadonlySet<number>
}

const NONE: ReadonlySet<number> = new Set()

function dataOf(proto: TensorProto, declared: Declared, context: DecodeContext): Stored {
  const { dtype, count, where } = declared
  const expected = byteSize(dtype, count)
  if (proto.dataLocation === EXTERNAL) {
    const external = externalRef(proto, declared)
    return {
      data: {
        byteLength: external.length,
        bytes: once(() => context.external({ ...external, where })),
        external,
      },
      used: NONE,
    }
  }
  if (dtype === 'string') {
    const strings = proto.stringData
    if (strings.length !== count) throw wrongSize(declared, `${count} strings`, strings.length)
    const byteLength = strings.reduce((n, s) => n + s.byteLength, 0)
    return { data: { byteLength, bytes: once(() => joined(strings)), strings: () => strings }, used: NONE }
  }
  const field = dataFieldOf(dtype)
  const raw = Object.hasOwn(proto, 'rawData')
  const typed = raw || expected === undefined ? undefined : typedData(proto, field, declared)
  const data = typed ?? view(raw ? proto.rawData : new Uint8Array())
  if (expected !== undefined && data.byteLength !== expected) {
    throw wrongSize(declared, `${expected} bytes`, data.byteLength)
  }
  return { data, used: typed === undefined ? NONE : new Set([field]) }
}

const wrongSize = ({ where, shape, dtype }: Declared, expected: string, value: number): PareError =>
  new PareError('TENSOR_SIZE', `a ${dtype} tensor of shape [${shape}] needs ${expected}`, {
    where,
    value,
    remedy: 'The file is damaged or was stripped of its weights; export the model again.',
  })

const WHOLE = /^\d{1,15}$/

function externalRef(proto: TensorProto, declared: Declared): ExternalRef {
  const { dtype, count, where } = declared
  const entries = new Map(proto.externalData.map((e) => [e.key, e.value]))
  const expected = byteSize(dtype, count)
  const location = entries.get('location')
  const offset = entries.get('offset') ?? '0'
  const length = entries.get('length') ?? (expected === undefined ? '' : String(expected))
  if (location === undefined || location === '' || !WHOLE.test(offset) || !WHOLE.test(length) || dtype === 'string') {
    throw new PareError('EXTERNAL_REF', 'the reference to external data is incomplete or not valid', {
      where,
      value: [...entries].map(([k, v]) => `${k}=${v}`),
      remedy: 'Export the model again.',
    })
  }
  if (expected !== undefined && Number(length) !== expected) {
    throw wrongSize(declared, `${expected} bytes`, Number(length))
  }
  const extra = [...entries].filter(([key]) => key !== 'location' && key !== 'offset' && key !== 'length')
  return {
    location,
    offset: Number(offset),
    length: Number(length),
    ...(extra.length > 0 && { extra: new Map(extra) }),
  }
}

const view = (data: Uint8Array): Data => ({ byteLength: data.byteLength, bytes: () => data })

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/** One chunk as it is, without a copy. */
const joined = (chunks: readonly Uint8Array[]): Uint8Array => (chunks.length === 1 ? chunks[0]! : concatBytes(chunks))

/** The data of a typed field, packed into one run or several, or not packed; undefined where the file has none. */
function typedData(proto: TensorProto, field: number, declared: Declared): Data | undefined {
  const parts = proto.$unknown?.filter(({ no }) => no === field)
  if (parts === undefined || parts.length === 0) return undefined
  const single = field === 4 ? WireType.Bit32 : field === 10 ? WireType.Bit64 : WireType.Varint
  if (parts.some(({ wireType }) => wireType !== single && wireType !== WireType.LengthDelimited)) {
    throw new PareError('TENSOR_DATA', `${DATA_FIELDS.get(field)} holds values of another kind`, {
      where: declared.where,
      remedy: 'The file is damaged; export the model again.',
    })
  }
  const runs = parts.map((part) => (part.wireType === WireType.LengthDelimited ? contentOf(part) : part.data))
  if (single !== WireType.Varint) return view(joined(runs))
  return varints(runs, declared)
}

/** 32 bits and less share int32_data, one element a number; types below 8 bits put a packed byte into each. */
function varints(runs: readonly Uint8Array[], { dtype, where }: Declared): Data {
  const bits = isKnownDType(dtype) ? DTYPES[dtype].bits : 32
  const width = bits < 8 ? 1 : bits / 8
  let count = 0
  for (const run of runs) {
    const { length } = run
    // A number ends with the byte whose highest bit is 0. Without a branch this takes a tenth of the time.
    for (let i = 0; i < length; i++) count += (run[i]! >> 7) ^ 1
    if (length > 0 && run[length - 1]! >= 0x80) {
      throw new PareError('TENSOR_DATA', 'the last number has no end', {
        where,
        remedy: 'The file is damaged; export the model again.',
      })
    }
  }
  return { byteLength: count * width, bytes: once(() => convert(joined(runs), count, width)) }
}

/** Little-endian integers of some width from varints, modulo 2^(8 width): two's complement wraps as intended. */
function convert(run: Uint8Array, count: number, width: number): Uint8Array {
  const out = new Uint8Array(count * width)
  const view = new DataView(out.buffer)
  let at = 0
  for (let i = 0; i < count; i++) {
    let low = 0
    let high = 0
    for (let shift = 0; ; shift += 7) {
      const byte = run[at++]!
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else if (shift < 64) high |= bits << (shift - 32)
      if (byte < 0x80) break
    }
    if (width === 1) out[i] = low
    else if (width === 2) view.setUint16(i * 2, low, true)
    else view.setInt32(i * width, low, true)
    if (width === 8) view.setInt32(i * 8 + 4, high, true)
  }
  return out
}

export function readSparse(proto: SparseTensorProto, context: DecodeContext, keyed: boolean): SparseTensor {
  if (proto.values === undefined || proto.indices === undefined) {
    throw new PareError('TENSOR_SPARSE', 'a sparse tensor lacks its values or its indices', {
      where: context.where,
      remedy: 'The file is damaged; export the model again.',
    })
  }
  return {
    values: readTensor(proto.values, context, { keyed }),
    indices: readTensor(proto.indices, context, { keyed: false }),
    shape: dimensions(proto.dims, `${context.where}: sparse tensor ${proto.values.name}`),
    ...notesOf(SparseTensorProtoSchema, proto),
  }
}

export interface EncodeContext {
  /** Where a tensor's bytes go when not into the model file; null keeps them inside. */
  readonly place: (tensor: Tensor, isConstant: boolean) => ExternalRef | null
}

/** Writes numbers as raw_data or as a reference, strings as string_data. `name`: the key of a constant. */
export function writeTensor(t: Tensor, context: EncodeContext, name?: string): TensorProto {
  const key = name ?? t.name
  const proto = create(TensorProtoSchema, {
    dims: t.shape.map(BigInt),
    dataType: codeOfDType(t.dtype),
    ...(key !== undefined && { name: key }),
    ...protoNotes(TensorProtoSchema, t),
  })
  const placed = t.dtype === 'string' ? null : context.place(t, name !== undefined)
  if (t.dtype === 'string') proto.stringData = [...(t.strings?.() ?? [])]
  else if (placed !== null) {
    proto.dataLocation = EXTERNAL
    const { location, offset, length, extra } = placed
    const entries = [['location', location], ['offset', String(offset)], ['length', String(length)], ...(extra ?? [])]
    proto.externalData = entries.map(([k, v]) => entry(k!, v!))
  } else if (isKnownDType(t.dtype) || t.byteLength > 0) proto.rawData = t.bytes()
  return withUnknown(proto, t.unknown)
}

/** Both parts stay in the model file: the engine reads no external data there. */
export function writeSparse(s: SparseTensor, name?: string): SparseTensorProto {
  const inside: EncodeContext = { place: () => null }
  return withUnknown(
    create(SparseTensorProtoSchema, {
      values: writeTensor(s.values, inside, name),
      indices: writeTensor(s.indices, inside),
      dims: s.shape.map(BigInt),
    }),
    s.unknown,
  )
}
