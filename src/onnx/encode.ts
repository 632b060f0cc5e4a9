/** ir → protobuf messages. Absent stays absent; every tensor is written as raw data (strings apart). */

import { create, type Message } from '@bufbuild/protobuf'
import { codeOfDType } from '../ir/dtypes.js'
import type {
  Annotated,
  Attr,
  Dim,
  Func,
  Graph,
  Model,
  Node,
  SparseTensor,
  Tensor,
  UnknownField,
  Value,
} from '../ir/types.js'
import {
  type AttributeProto,
  AttributeProtoSchema,
  FunctionProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  SparseTensorProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  TensorShapeProtoSchema,
  type TypeProto,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from './onnx_pb.js'

export interface EncodeContext {
  /** Where a tensor's bytes go when not into the file; null keeps them inside. */
  readonly place: (
    tensor: Tensor,
  ) => { readonly location: string; readonly offset: number; readonly length: number } | null
}

const entries = (map: ReadonlyMap<string, string> | undefined): { key: string; value: string }[] =>
  [...(map ?? [])].map(([key, value]) => ({ key, value }))

/** A string field that old and new readers take as absent when empty. */
const text = (value: string | undefined): string | undefined => (value === '' ? undefined : value)

function withUnknown<T extends Message>(message: T, unknown: readonly UnknownField[] | undefined): T {
  if (unknown !== undefined && unknown.length > 0) message.$unknown = unknown.map((u) => ({ ...u }))
  return message
}

const notes = (a: Annotated) => ({
  ...(a.doc !== undefined && { docString: a.doc }),
  metadataProps: entries(a.metadata),
})

export function protoOfModel(model: Model, context: EncodeContext) {
  return withUnknown(
    create(ModelProtoSchema, {
      irVersion: BigInt(model.irVersion),
      producerName: text(model.producer.name),
      producerVersion: text(model.producer.version),
      domain: text(model.domain),
      modelVersion: model.version === 0n ? undefined : model.version,
      graph: protoOfGraph(model.graph, context),
      opsetImport: opsets(model.opsets),
      functions: model.functions.map((f) => protoOfFunction(f, context)),
      ...notes(model),
      metadataProps: entries(model.metadata),
    }),
    model.unknown,
  )
}

const opsets = (map: ReadonlyMap<string, number>) =>
  [...map].map(([domain, version]) => ({ domain, version: BigInt(version) }))

function protoOfGraph(graph: Graph, context: EncodeContext) {
  const listed = new Set([...graph.inputs, ...graph.outputs])
  const info = (name: string) => protoOfValue(name, graph.values.get(name) ?? { kind: 'untyped' })
  return withUnknown(
    create(GraphProtoSchema, {
      name: graph.name,
      node: graph.nodes.map((n) => protoOfNode(n, context)),
      initializer: [...graph.constants].map(([name, t]) => protoOfTensor(t, context, name)),
      sparseInitializer: [...(graph.sparseConstants ?? [])].map(([name, s]) => protoOfSparse(s, context, name)),
      input: graph.inputs.map(info),
      output: graph.outputs.map(info),
      valueInfo: [...graph.values.keys()].filter((name) => !listed.has(name)).map(info),
      quantizationAnnotation: (graph.quantAnnotations ?? []).map((a) => ({
        tensorName: a.tensor,
        quantParameterTensorNames: entries(a.parameters),
      })),
      ...notes(graph),
    }),
    graph.unknown,
  )
}

function protoOfFunction(f: Func, context: EncodeContext) {
  return withUnknown(
    create(FunctionProtoSchema, {
      name: f.name,
      domain: f.domain,
      overload: f.overload,
      input: [...f.inputs],
      output: [...f.outputs],
      attribute: [...f.attributes],
      attributeProto: protoOfAttrs(f.defaults, context),
      node: f.nodes.map((n) => protoOfNode(n, context)),
      opsetImport: opsets(f.opsets),
      valueInfo: [...f.values].map(([name, value]) => protoOfValue(name, value)),
      ...notes(f),
    }),
    f.unknown,
  )
}

function protoOfNode(n: Node, context: EncodeContext): NodeProto {
  return withUnknown(
    create(NodeProtoSchema, {
      name: text(n.name),
      opType: n.op,
      domain: text(n.domain),
      overload: n.overload,
      input: [...n.inputs],
      output: [...n.outputs],
      attribute: protoOfAttrs(n.attrs, context),
      ...notes(n),
    }),
    n.unknown,
  )
}

const protoOfAttrs = (attrs: Readonly<Record<string, Attr>>, context: EncodeContext): AttributeProto[] =>
  Object.entries(attrs).map(([name, a]) =>
    withUnknown(
      create(AttributeProtoSchema, {
        name,
        ...(a.doc !== undefined && { docString: a.doc }),
        ...(a.ref !== undefined && { refAttrName: a.ref }),
        ...payload(a, context),
      }),
      a.unknown,
    ),
  )

function payload(a: Attr, context: EncodeContext): Record<string, unknown> {
  switch (a.type) {
    case 'float':
      return { type: 1, f: a.value }
    case 'int':
      return { type: 2, i: a.value }
    case 'string':
      return { type: 3, s: a.value }
    case 'tensor':
      return { type: 4, t: protoOfTensor(a.value, context) }
    case 'graph':
      return { type: 5, g: protoOfGraph(a.value, context) }
    case 'floats':
      return { type: 6, floats: [...a.value] }
    case 'ints':
      return { type: 7, ints: [...a.value] }
    case 'strings':
      return { type: 8, strings: [...a.value] }
    case 'tensors':
      return { type: 9, tensors: a.value.map((t) => protoOfTensor(t, context)) }
    case 'graphs':
      return { type: 10, graphs: a.value.map((g) => protoOfGraph(g, context)) }
    case 'sparse':
      return { type: 11, sparseTensor: protoOfSparse(a.value, context) }
    case 'sparses':
      return { type: 12, sparseTensors: a.value.map((s) => protoOfSparse(s, context)) }
    case 'type':
      return { type: 13, tp: protoOfType(a.value) }
    case 'types':
      return { type: 14, typeProtos: a.value.map(protoOfType) }
    case 'undefined':
      return {}
  }
}

function protoOfTensor(t: Tensor, context: EncodeContext, name?: string): TensorProto {
  const placed = t.strings === undefined ? context.place(t) : null
  const data =
    t.strings !== undefined
      ? { stringData: [...t.strings()] }
      : placed === null
        ? { rawData: t.bytes() }
        : {
            dataLocation: 1,
            externalData: [
              { key: 'location', value: placed.location },
              { key: 'offset', value: String(placed.offset) },
              { key: 'length', value: String(placed.length) },
            ],
          }
  return withUnknown(
    create(TensorProtoSchema, {
      dims: t.shape.map(BigInt),
      dataType: codeOfDType(t.dtype),
      name,
      ...data,
      ...notes(t),
    }),
    t.unknown,
  )
}

function protoOfSparse(s: SparseTensor, context: EncodeContext, name?: string) {
  return withUnknown(
    create(SparseTensorProtoSchema, {
      values: protoOfTensor(s.values, context, name),
      indices: protoOfTensor(s.indices, context),
      dims: s.shape.map(BigInt),
    }),
    s.unknown,
  )
}

function protoOfValue(name: string, value: Value) {
  return withUnknown(
    create(ValueInfoProtoSchema, {
      name,
      ...(value.kind !== 'untyped' && { type: protoOfType(value) }),
      ...notes(value),
    }),
    value.unknown,
  )
}

function protoOfType(value: Value): TypeProto {
  const type = create(TypeProtoSchema, value.denotation === undefined ? {} : { denotation: value.denotation })
  switch (value.kind) {
    case 'tensor':
    case 'sparse': {
      const shape =
        value.shape === null
          ? undefined
          : create(TensorShapeProtoSchema, {
              dim: value.shape.map((d, i) => ({ value: dimOf(d), denotation: text(value.denotations?.[i]) })),
            })
      const tensor = create(TypeProtoSchema, {
        value: {
          case: value.kind === 'tensor' ? 'tensorType' : 'sparseTensorType',
          value: { elemType: codeOfDType(value.dtype), shape },
        },
      })
      type.value = tensor.value
      break
    }
    case 'sequence':
      type.value = create(TypeProtoSchema, {
        value: { case: 'sequenceType', value: { elemType: elementType(value.element) } },
      }).value
      break
    case 'optional':
      type.value = create(TypeProtoSchema, {
        value: { case: 'optionalType', value: { elemType: elementType(value.element) } },
      }).value
      break
    case 'map':
      type.value = create(TypeProtoSchema, {
        value: { case: 'mapType', value: { keyType: codeOfDType(value.key), valueType: elementType(value.element) } },
      }).value
      break
    case 'opaque':
      type.value = create(TypeProtoSchema, {
        value: { case: 'opaqueType', value: { domain: value.domain, name: value.name } },
      }).value
      break
    case 'untyped':
      break
  }
  return type
}

const elementType = (value: Value): TypeProto | undefined => (value.kind === 'untyped' ? undefined : protoOfType(value))

const dimOf = (d: Dim) =>
  d === null
    ? { case: undefined }
    : typeof d === 'number'
      ? ({ case: 'dimValue', value: BigInt(d) } as const)
      : ({ case: 'dimParam', value: d } as const)
