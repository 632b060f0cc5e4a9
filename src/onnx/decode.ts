/** Messages → ir. Weights are views into the file's bytes; nothing that the file holds is dropped. */

import { create, fromBinary } from '@bufbuild/protobuf'
import type { Attr, Func, Graph, Model, Node, QuantAnnotation, Tensor, UnknownField, Value } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { type DecodeContext, entriesOf, notesOf, opsetsOf } from './notes.js'
import {
  type AttributeProto,
  AttributeProtoSchema,
  type FunctionProto,
  FunctionProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  NothingProtoSchema,
  type TensorAnnotationProto,
  TensorAnnotationProtoSchema,
  type TensorProto,
  type ValueInfoProto,
} from './schema_pb.js'
import { readSparse, readTensor } from './tensors.js'
import { valueOfInfo, valueOfType } from './values.js'
import { concat, writeMessage } from './write.js'

const fail = (code: string, what: string, context: DecodeContext, value?: unknown): PareError =>
  new PareError(code, what, { where: context.where, value, remedy: 'The file is damaged; export the model again.' })

export function modelOfProto(proto: ModelProto, context: DecodeContext): Model {
  if (proto.graph === undefined) {
    throw new PareError('MODEL_GRAPH', 'this is not an ONNX model: it has no graph', {
      where: context.where,
      remedy: 'Give a file that was exported as ONNX.',
    })
  }
  if (proto.opsetImport.length === 0) {
    throw new PareError('MODEL_OPSET', 'the model does not say which operator sets it uses', {
      where: context.where,
      remedy: 'The file is damaged or no ONNX model; export the model again.',
    })
  }
  const irVersion = Number(proto.irVersion)
  if (!Number.isSafeInteger(irVersion)) throw fail('MODEL_VERSION', 'the IR version is impossible', context, irVersion)
  const spill: UnknownField[] = []
  const opsets = opsetsOf(proto.opsetImport, ModelProtoSchema.field.opsetImport.number, spill, context.where)
  const notes = notesOf(ModelProtoSchema, proto, spill)
  return {
    irVersion,
    producer: { name: proto.producerName, version: proto.producerVersion },
    domain: proto.domain,
    version: proto.modelVersion,
    opsets,
    graph: graphOfProto(proto.graph, context),
    functions: proto.functions.map((f) => functionOfProto(f, context)),
    ...notes,
    metadata: notes.metadata ?? new Map(),
  }
}

function graphOfProto(proto: GraphProto, context: DecodeContext): Graph {
  const sparse = proto.sparseInitializer.map((s) => [s.values?.name ?? '', readSparse(s, context, true)] as const)
  return {
    name: proto.name,
    inputs: proto.input.map((i) => i.name),
    outputs: proto.output.map((o) => o.name),
    nodes: proto.node.map((n) => nodeOfProto(n, context)),
    constants: constantsOf(proto.initializer, context),
    ...(sparse.length > 0 && { sparseConstants: unique(sparse, context) }),
    values: valuesOf([...proto.input, ...proto.output, ...proto.valueInfo], context),
    ...(proto.quantizationAnnotation.length > 0 && {
      quantAnnotations: proto.quantizationAnnotation.map(annotationOf),
    }),
    ...notesOf(GraphProtoSchema, proto),
  }
}

const constantsOf = (tensors: readonly TensorProto[], context: DecodeContext): ReadonlyMap<string, Tensor> =>
  unique(
    tensors.map((t) => [t.name, readTensor(t, context, { keyed: true })] as const),
    context,
  )

function unique<T>(pairs: readonly (readonly [string, T])[], context: DecodeContext): ReadonlyMap<string, T> {
  const map = new Map(pairs)
  if (map.has('')) throw fail('MODEL_NAME', 'a constant has no name', context)
  if (map.size < pairs.length) {
    const twice = pairs.find(([name], i) => pairs.findIndex(([other]) => other === name) < i)?.[0]
    throw fail('MODEL_DUPLICATE', 'two constants have the same name', context, twice)
  }
  return map
}

/** What is known of each name. One that is declared twice (an output also listed among the values) keeps the first type. */
function valuesOf(infos: readonly ValueInfoProto[], context: DecodeContext): ReadonlyMap<string, Value> {
  const values = new Map<string, Value>()
  for (const info of infos) {
    const known = values.get(info.name)
    if (known === undefined || known.kind === 'untyped') values.set(info.name, valueOfInfo(info, context))
  }
  return values
}

function annotationOf(proto: TensorAnnotationProto): QuantAnnotation {
  const unknown = [...(proto.$unknown ?? [])]
  const { number } = TensorAnnotationProtoSchema.field.quantParameterTensorNames
  const parameters = entriesOf(proto.quantParameterTensorNames, number, unknown)
  return { tensor: proto.tensorName, parameters, ...(unknown.length > 0 && { unknown }) }
}

function functionOfProto(proto: FunctionProto, context: DecodeContext): Func {
  const spill: UnknownField[] = []
  const where = `${context.where}: function ${proto.name}`
  return {
    name: proto.name,
    domain: proto.domain,
    ...(proto.overload !== '' && { overload: proto.overload }),
    inputs: proto.input,
    outputs: proto.output,
    attributes: proto.attribute,
    defaults: attrsOfProto(proto.attributeProto, context, where),
    opsets: opsetsOf(proto.opsetImport, FunctionProtoSchema.field.opsetImport.number, spill, where),
    nodes: proto.node.map((n) => nodeOfProto(n, context)),
    values: valuesOf(proto.valueInfo, context),
    ...notesOf(FunctionProtoSchema, proto, spill),
  }
}

function nodeOfProto(proto: NodeProto, context: DecodeContext): Node {
  const where = `${context.where}: node ${proto.name || (proto.output[0] ?? proto.opType)}`
  return {
    name: proto.name,
    domain: proto.domain,
    op: proto.opType,
    ...(proto.overload !== '' && { overload: proto.overload }),
    inputs: proto.input,
    outputs: proto.output,
    attrs: attrsOfProto(proto.attribute, context, where),
    ...notesOf(NodeProtoSchema, proto),
  }
}

function attrsOfProto(
  protos: readonly AttributeProto[],
  context: DecodeContext,
  where: string,
): Readonly<Record<string, Attr>> {
  const names = new Set(protos.map((a) => a.name))
  if (names.has('') || names.size < protos.length) {
    throw fail('MODEL_DUPLICATE', 'an attribute has no name, or two have the same name', { ...context, where })
  }
  return Object.fromEntries(protos.map((a) => [a.name, attrOfProto(a, context, where)]))
}

type Payload = Exclude<keyof typeof AttributeProtoSchema.field, 'name' | 'refAttrName' | 'docString' | 'type'>

/** The field that holds the value of each type, by `AttributeProto.AttributeType`. */
const PAYLOADS: readonly (Payload | undefined)[] = [
  undefined,
  'f',
  'i',
  's',
  't',
  'g',
  'floats',
  'ints',
  'strings',
  'tensors',
  'graphs',
  'sparseTensor',
  'sparseTensors',
  'tp',
  'typeProtos',
]

const isGiven = (a: AttributeProto, field: Payload): boolean => {
  if (!Object.hasOwn(a, field)) return false
  const value = a[field]
  return value !== undefined && !(Array.isArray(value) && value.length === 0)
}

function attrOfProto(a: AttributeProto, context: DecodeContext, where: string): Attr {
  const given = PAYLOADS.filter((field) => field !== undefined && isGiven(a, field)) as readonly Payload[]
  // Files of IR version 1 leave the type out: then the field that is there tells it.
  const code = a.type === 0 && a.refAttrName === '' && given.length === 1 ? PAYLOADS.indexOf(given[0]) : a.type
  const field = a.refAttrName === '' ? PAYLOADS[code] : undefined
  const spill = given.filter((other) => other !== field)
  const notes = notesOf(
    AttributeProtoSchema,
    a,
    spill.flatMap((other) => spilled(a, other)),
  )
  const base = { ...notes, ...(a.refAttrName !== '' && { ref: a.refAttrName }) }
  const missing = (): PareError =>
    fail('ATTRIBUTE_VALUE', `attribute ${a.name} has a type but no value`, { ...context, where })
  switch (field) {
    case undefined:
      return { ...base, type: 'undefined', ...(code !== 0 && { code }) }
    case 'f':
      return { ...base, type: 'float', value: a.f }
    case 'i':
      return { ...base, type: 'int', value: a.i }
    case 's':
      return { ...base, type: 'string', value: a.s }
    case 't':
      if (a.t === undefined) throw missing()
      return { ...base, type: 'tensor', value: readTensor(a.t, context, { keyed: false }) }
    case 'g':
      if (a.g === undefined) throw missing()
      return { ...base, type: 'graph', value: graphOfProto(a.g, context) }
    case 'tp':
      if (a.tp === undefined) throw missing()
      return { ...base, type: 'type', value: valueOfType(a.tp, context) }
    case 'sparseTensor':
      if (a.sparseTensor === undefined) throw missing()
      return { ...base, type: 'sparse', value: readSparse(a.sparseTensor, context, false) }
    case 'floats':
      return { ...base, type: 'floats', value: a.floats }
    case 'ints':
      return { ...base, type: 'ints', value: a.ints }
    case 'strings':
      return { ...base, type: 'strings', value: a.strings }
    case 'tensors':
      return { ...base, type: 'tensors', value: a.tensors.map((t) => readTensor(t, context, { keyed: false })) }
    case 'graphs':
      return { ...base, type: 'graphs', value: a.graphs.map((g) => graphOfProto(g, context)) }
    case 'sparseTensors':
      return { ...base, type: 'sparses', value: a.sparseTensors.map((s) => readSparse(s, context, false)) }
    case 'typeProtos':
      return { ...base, type: 'types', value: a.typeProtos.map((t) => valueOfType(t, context)) }
  }
}

/** A field besides the attribute's own value, as unknown fields. */
function spilled(a: AttributeProto, field: Payload): readonly UnknownField[] {
  const only = Object.assign(create(AttributeProtoSchema), { [field]: a[field] })
  return fromBinary(NothingProtoSchema, concat(writeMessage(AttributeProtoSchema, only))).$unknown ?? []
}
