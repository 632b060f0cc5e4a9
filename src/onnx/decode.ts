/** Protobuf messages → ir. Weights are views into the file's bytes; nothing that the file holds is dropped. */

import { dtypeOfCode } from '../ir/dtypes.js'
import type {
  Annotated,
  Attr,
  Dim,
  ExternalRef,
  Func,
  Graph,
  Model,
  Node,
  SparseTensor,
  UnknownField,
  Value,
} from '../ir/types.js'
import { PareError } from '../util/errors.js'
import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  SparseTensorProto,
  StringStringEntryProto,
  TypeProto,
  ValueInfoProto,
} from './onnx_pb.js'
import { readTensor } from './tensors.js'

export interface DecodeContext {
  /** What to call the file in messages. */
  readonly where: string
  /** Gives the bytes of a tensor that lies outside the file. */
  readonly external: (ref: ExternalRef) => Uint8Array
}

/** Deepest nesting of subgraphs and types: far beyond real models, far below the end of the stack. */
const MAX_DEPTH = 64

interface Annotatable {
  readonly docString?: string
  readonly metadataProps?: readonly StringStringEntryProto[]
  readonly $unknown?: readonly UnknownField[]
}

const present = <T>(field: string, value: T | undefined | ''): Record<string, T> =>
  value === undefined ? {} : { [field]: value as T }

/** Protobuf-es gives '' for absent proto2 strings through the prototype: only own values were in the file. */
const own = <T extends object, K extends keyof T>(message: T, key: K): T[K] | undefined =>
  Object.hasOwn(message, key) ? message[key] : undefined

function annotations(message: Annotatable): Annotated {
  const doc = own(message, 'docString')
  const metadata = message.metadataProps
  const unknown = message.$unknown
  return {
    ...present('doc', doc),
    ...(metadata !== undefined && metadata.length > 0 && { metadata: new Map(metadata.map((e) => [e.key, e.value])) }),
    ...(unknown !== undefined && unknown.length > 0 && { unknown }),
  }
}

export function modelOfProto(proto: ModelProto, context: DecodeContext): Model {
  const fail = (what: string, remedy: string): never => {
    throw new PareError('MODEL_INCOMPLETE', what, { where: context.where, remedy })
  }
  if (proto.graph === undefined)
    return fail('this is not an ONNX model: it has no graph', 'Give a file that was exported as ONNX.')
  if (proto.opsetImport.length === 0 && proto.functions.length === 0 && proto.graph.node.length > 0) {
    return fail('the model does not say which operator set it uses', 'Export it again.')
  }
  return {
    irVersion: Number(proto.irVersion),
    producer: { name: proto.producerName, version: proto.producerVersion },
    domain: proto.domain,
    version: proto.modelVersion,
    opsets: new Map(proto.opsetImport.map((o) => [o.domain, Number(o.version)])),
    graph: graphOfProto(proto.graph, context, 0),
    functions: proto.functions.map((f) => functionOfProto(f, context)),
    ...annotations(proto),
    metadata: new Map(proto.metadataProps.map((e) => [e.key, e.value])),
  }
}

export function graphOfProto(proto: GraphProto, context: DecodeContext, depth: number): Graph {
  if (depth > MAX_DEPTH) {
    throw new PareError('MODEL_DEPTH', `subgraphs are nested more than ${MAX_DEPTH} deep`, {
      where: context.where,
      remedy: 'The file is damaged or made to do harm.',
    })
  }
  const values = new Map<string, Value>()
  for (const info of [...proto.valueInfo, ...proto.output, ...proto.input])
    values.set(info.name, valueOfInfo(info, context))
  const sparse = proto.sparseInitializer.map((s) => [s.values?.name ?? '', sparseOfProto(s, context)] as const)
  return {
    name: proto.name,
    inputs: proto.input.map((i) => i.name),
    outputs: proto.output.map((o) => o.name),
    nodes: proto.node.map((n) => nodeOfProto(n, context, depth)),
    constants: new Map(proto.initializer.map((t) => [t.name, readTensor(t, context)])),
    ...(sparse.length > 0 && { sparseConstants: new Map(sparse) }),
    values,
    ...(proto.quantizationAnnotation.length > 0 && {
      quantAnnotations: proto.quantizationAnnotation.map((a) => ({
        tensor: a.tensorName,
        parameters: new Map(a.quantParameterTensorNames.map((e) => [e.key, e.value])),
        ...present('unknown', a.$unknown),
      })),
    }),
    ...annotations(proto),
  }
}

function functionOfProto(proto: FunctionProto, context: DecodeContext): Func {
  return {
    name: proto.name,
    domain: proto.domain,
    ...present('overload', own(proto, 'overload')),
    inputs: proto.input,
    outputs: proto.output,
    attributes: proto.attribute,
    defaults: attrsOfProto(proto.attributeProto, context, 0),
    opsets: new Map(proto.opsetImport.map((o) => [o.domain, Number(o.version)])),
    nodes: proto.node.map((n) => nodeOfProto(n, context, 0)),
    values: new Map(proto.valueInfo.map((v) => [v.name, valueOfInfo(v, context)])),
    ...annotations(proto),
  }
}

function nodeOfProto(proto: NodeProto, context: DecodeContext, depth: number): Node {
  return {
    name: proto.name,
    domain: proto.domain,
    op: proto.opType,
    ...present('overload', own(proto, 'overload')),
    inputs: proto.input,
    outputs: proto.output,
    attrs: attrsOfProto(proto.attribute, context, depth),
    ...annotations(proto),
  }
}

const attrsOfProto = (
  attributes: readonly AttributeProto[],
  context: DecodeContext,
  depth: number,
): Readonly<Record<string, Attr>> => Object.fromEntries(attributes.map((a) => [a.name, attrOfProto(a, context, depth)]))

/** Old files leave the type out: then the field that is there tells it. */
function attrOfProto(a: AttributeProto, context: DecodeContext, depth: number): Attr {
  const ref = own(a, 'refAttrName') || undefined
  const base = { ...annotations(a), ...(ref !== undefined && { ref }) }
  const missing = (): never => {
    throw new PareError('ATTRIBUTE_VALUE', `attribute ${a.name} has a type but no value`, {
      where: context.where,
      remedy: 'Export the model again.',
    })
  }
  switch (a.type === 0 ? guessType(a) : a.type) {
    case 1:
      return { ...base, type: 'float', value: a.f }
    case 2:
      return { ...base, type: 'int', value: a.i }
    case 3:
      return { ...base, type: 'string', value: a.s }
    case 4:
      return ref !== undefined && a.t === undefined
        ? { ...base, type: 'undefined' }
        : { ...base, type: 'tensor', value: readTensor(a.t ?? missing(), context) }
    case 5:
      return { ...base, type: 'graph', value: graphOfProto(a.g ?? missing(), context, depth + 1) }
    case 6:
      return { ...base, type: 'floats', value: a.floats }
    case 7:
      return { ...base, type: 'ints', value: a.ints }
    case 8:
      return { ...base, type: 'strings', value: a.strings }
    case 9:
      return { ...base, type: 'tensors', value: a.tensors.map((t) => readTensor(t, context)) }
    case 10:
      return { ...base, type: 'graphs', value: a.graphs.map((g) => graphOfProto(g, context, depth + 1)) }
    case 11:
      return { ...base, type: 'sparse', value: sparseOfProto(a.sparseTensor ?? missing(), context) }
    case 12:
      return { ...base, type: 'sparses', value: a.sparseTensors.map((s) => sparseOfProto(s, context)) }
    case 13:
      return { ...base, type: 'type', value: valueOfType(a.tp ?? missing(), context, 0) }
    case 14:
      return { ...base, type: 'types', value: a.typeProtos.map((t) => valueOfType(t, context, 0)) }
    default:
      return { ...base, type: 'undefined' }
  }
}

function guessType(a: AttributeProto): number {
  if (Object.hasOwn(a, 'f')) return 1
  if (Object.hasOwn(a, 'i')) return 2
  if (Object.hasOwn(a, 's')) return 3
  if (a.t) return 4
  if (a.g) return 5
  if (a.floats.length > 0) return 6
  if (a.ints.length > 0) return 7
  if (a.strings.length > 0) return 8
  return 0
}

const sparseOfProto = (s: SparseTensorProto, context: DecodeContext): SparseTensor => {
  if (s.values === undefined || s.indices === undefined) {
    throw new PareError('TENSOR_SPARSE', 'a sparse tensor lacks its values or indices', {
      where: context.where,
      remedy: 'Export the model again.',
    })
  }
  return {
    values: readTensor(s.values, context),
    indices: readTensor(s.indices, context),
    shape: s.dims.map(Number),
    ...annotations(s),
  }
}

function valueOfInfo(info: ValueInfoProto, context: DecodeContext): Value {
  const value = info.type === undefined ? ({ kind: 'untyped' } as const) : valueOfType(info.type, context, 0)
  return { ...value, ...annotations(info) }
}

function valueOfType(type: TypeProto, context: DecodeContext, depth: number): Value {
  if (depth > MAX_DEPTH) {
    throw new PareError('MODEL_DEPTH', `types are nested more than ${MAX_DEPTH} deep`, {
      where: context.where,
      remedy: 'The file is damaged or made to do harm.',
    })
  }
  const base = present('denotation', own(type, 'denotation'))
  const element = (t: TypeProto | undefined): Value =>
    t === undefined ? { kind: 'untyped' } : valueOfType(t, context, depth + 1)
  const v = type.value
  switch (v.case) {
    case 'tensorType':
    case 'sparseTensorType': {
      const dims = v.value.shape?.dim
      const denotations = dims?.map((d) => d.denotation)
      return {
        ...base,
        kind: v.case === 'tensorType' ? 'tensor' : 'sparse',
        dtype: dtypeOfCode(v.value.elemType),
        shape:
          dims?.map(
            (d): Dim =>
              d.value.case === 'dimValue'
                ? Number(d.value.value)
                : d.value.case === 'dimParam' && d.value.value !== ''
                  ? d.value.value
                  : null,
          ) ?? null,
        ...(denotations?.some((d) => d !== '') && { denotations }),
      }
    }
    case 'sequenceType':
      return { ...base, kind: 'sequence', element: element(v.value.elemType) }
    case 'optionalType':
      return { ...base, kind: 'optional', element: element(v.value.elemType) }
    case 'mapType':
      return { ...base, kind: 'map', key: dtypeOfCode(v.value.keyType), element: element(v.value.valueType) }
    case 'opaqueType':
      return { ...base, kind: 'opaque', domain: v.value.domain, name: v.value.name }
    default:
      return { ...base, kind: 'untyped' }
  }
}
