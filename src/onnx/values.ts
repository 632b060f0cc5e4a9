/** TypeProto and ValueInfoProto ↔ values of ir. */

import { create, type Message } from '@bufbuild/protobuf'
import { codeOfDType, dtypeOfCode } from '../ir/dtypes.js'
import type { Dim, TypeUnknown, UnknownField, Value } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { type DecodeContext, notesOf, protoNotes, withUnknown } from './notes.js'
import {
  type DimensionProto,
  DimensionProtoSchema,
  ShapeProtoSchema,
  TypeElementProtoSchema,
  TypeMapProtoSchema,
  TypeOpaqueProtoSchema,
  type TypeProto,
  TypeProtoSchema,
  TypeTensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './schema_pb.js'

export const valueOfInfo = (info: ValueInfoProto, context: DecodeContext): Value => ({
  ...(info.type === undefined ? ({ kind: 'untyped' } as const) : valueOfType(info.type, context)),
  ...notesOf(ValueInfoProtoSchema, info),
})

export function valueOfType(type: TypeProto, context: DecodeContext): Value {
  const { value } = type
  const dims = value.case === 'tensorType' || value.case === 'sparseTensorType' ? value.value.shape?.dim : undefined
  const shape = value.case === 'tensorType' || value.case === 'sparseTensorType' ? value.value.shape : undefined
  const typeUnknown = typeUnknownOf(type, value.value, shape, dims)
  const base = {
    ...(type.denotation !== '' && { denotation: type.denotation }),
    ...(typeUnknown !== undefined && { typeUnknown }),
  }
  const element = (t: TypeProto | undefined): Value => (t === undefined ? { kind: 'untyped' } : valueOfType(t, context))
  switch (value.case) {
    case 'tensorType':
    case 'sparseTensorType': {
      const denotations = dims?.map((d) => d.denotation)
      return {
        ...base,
        kind: value.case === 'tensorType' ? 'tensor' : 'sparse',
        dtype: dtypeOfCode(value.value.elemType),
        shape: dims?.map((d) => dimOf(d, context)) ?? null,
        ...(denotations?.some((d) => d !== '') && { denotations }),
      }
    }
    case 'sequenceType':
      return { ...base, kind: 'sequence', element: element(value.value.elemType) }
    case 'optionalType':
      return { ...base, kind: 'optional', element: element(value.value.elemType) }
    case 'mapType':
      return { ...base, kind: 'map', key: dtypeOfCode(value.value.keyType), element: element(value.value.valueType) }
    case 'opaqueType':
      return { ...base, kind: 'opaque', domain: value.value.domain, name: value.value.name }
    default:
      return { ...base, kind: 'untyped' }
  }
}

/** Some exporters write -1 for a dimension that is not known; the engine takes all negative ones so. */
function dimOf({ value }: DimensionProto, context: DecodeContext): Dim {
  if (value.case === 'dimParam') return value.value === '' ? null : value.value
  if (value.case === undefined || value.value < 0n) return null
  if (value.value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value.value)
  throw new PareError('TENSOR_SHAPE', 'a dimension is too large', {
    where: context.where,
    value: value.value,
    remedy: 'The file is damaged; export the model again.',
  })
}

function typeUnknownOf(
  type: TypeProto,
  kind: Message | undefined,
  shape: Message | undefined,
  dims: readonly DimensionProto[] | undefined,
): TypeUnknown | undefined {
  const some = (message: Message | undefined): readonly UnknownField[] | undefined =>
    message?.$unknown !== undefined && message.$unknown.length > 0 ? message.$unknown : undefined
  const ofDims = new Map(
    (dims ?? []).flatMap((d, i) => {
      const unknown = some(d)
      return unknown === undefined ? [] : [[i, unknown] as const]
    }),
  )
  const [t, k, s] = [some(type), some(kind), some(shape)]
  if (t === undefined && k === undefined && s === undefined && ofDims.size === 0) return undefined
  return {
    ...(t !== undefined && { type: t }),
    ...(k !== undefined && { kind: k }),
    ...(s !== undefined && { shape: s }),
    ...(ofDims.size > 0 && { dims: ofDims }),
  }
}

export const protoOfValue = (name: string, value: Value): ValueInfoProto =>
  withUnknown(
    create(ValueInfoProtoSchema, {
      name,
      ...(hasType(value) && { type: protoOfType(value) }),
      ...protoNotes(ValueInfoProtoSchema, value),
    }),
    value.unknown,
  )

const hasType = (value: Value): boolean =>
  value.kind !== 'untyped' || value.denotation !== undefined || value.typeUnknown !== undefined

export function protoOfType(value: Value): TypeProto {
  const type = create(TypeProtoSchema, {
    ...(value.denotation !== undefined && { denotation: value.denotation }),
  })
  const of = <T extends Message>(message: T): T => withUnknown(message, value.typeUnknown?.kind)
  const element = (inner: Value): TypeProto | undefined => (hasType(inner) ? protoOfType(inner) : undefined)
  switch (value.kind) {
    case 'tensor':
    case 'sparse': {
      const tensor = of(
        create(TypeTensorProtoSchema, {
          elemType: codeOfDType(value.dtype),
          ...(value.shape !== null && { shape: shapeOf(value.shape, value.denotations, value.typeUnknown) }),
        }),
      )
      type.value = { case: value.kind === 'tensor' ? 'tensorType' : 'sparseTensorType', value: tensor }
      break
    }
    case 'sequence':
    case 'optional': {
      const inner = of(create(TypeElementProtoSchema, { elemType: element(value.element) }))
      type.value = { case: value.kind === 'sequence' ? 'sequenceType' : 'optionalType', value: inner }
      break
    }
    case 'map': {
      const map = create(TypeMapProtoSchema, { keyType: codeOfDType(value.key), valueType: element(value.element) })
      type.value = { case: 'mapType', value: of(map) }
      break
    }
    case 'opaque':
      type.value = {
        case: 'opaqueType',
        value: of(create(TypeOpaqueProtoSchema, { domain: value.domain, name: value.name })),
      }
      break
    case 'untyped':
      break
  }
  return withUnknown(type, value.typeUnknown?.type)
}

const shapeOf = (shape: readonly Dim[], denotations: readonly string[] | undefined, unknown: TypeUnknown | undefined) =>
  withUnknown(
    create(ShapeProtoSchema, {
      dim: shape.map((d, i) => {
        const denotation = denotations?.[i]
        const dim = create(DimensionProtoSchema, denotation ? { denotation } : {})
        if (typeof d === 'number') dim.value = { case: 'dimValue', value: BigInt(d) }
        else if (d !== null) dim.value = { case: 'dimParam', value: d }
        return withUnknown(dim, unknown?.dims?.get(i))
      }),
    }),
    unknown?.shape,
  )
