/** ir → messages. Absent stays absent; every tensor is written as raw data or a reference (strings apart). */

import { create } from '@bufbuild/protobuf'
import type { Attr, Func, Graph, Model, Node } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { protoEntries, protoNotes, protoOpsets, withUnknown } from './notes.js'
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
  TensorAnnotationProtoSchema,
} from './schema_pb.js'
import { type EncodeContext, writeSparse, writeTensor } from './tensors.js'
import { protoOfType, protoOfValue } from './values.js'

export const protoOfModel = (model: Model, context: EncodeContext): ModelProto =>
  withUnknown(
    create(ModelProtoSchema, {
      irVersion: BigInt(model.irVersion),
      ...text('producerName', model.producer.name),
      ...text('producerVersion', model.producer.version),
      ...text('domain', model.domain),
      ...(model.version !== 0n && { modelVersion: model.version }),
      ...protoNotes(ModelProtoSchema, model),
      graph: protoOfGraph(model.graph, context),
      opsetImport: protoOpsets(model.opsets, ModelProtoSchema.field.opsetImport.number, model.unknown),
      functions: model.functions.map((f) => protoOfFunction(f, context)),
    }),
    model.unknown,
  )

/** A text field; readers take an empty one as absent. */
const text = <K extends string>(field: K, value: string | undefined): { [P in K]?: string } =>
  (value === undefined || value === '' ? {} : { [field]: value }) as { [P in K]?: string }

function protoOfGraph(graph: Graph, context: EncodeContext): GraphProto {
  const listed = new Set([...graph.inputs, ...graph.outputs])
  const info = (name: string) => protoOfValue(name, graph.values.get(name) ?? { kind: 'untyped' })
  return withUnknown(
    create(GraphProtoSchema, {
      name: graph.name,
      node: graph.nodes.map((n) => protoOfNode(n, context)),
      initializer: [...graph.constants].map(([name, t]) => writeTensor(t, context, name)),
      sparseInitializer: [...(graph.sparseConstants ?? [])].map(([name, s]) => writeSparse(s, name)),
      input: graph.inputs.map(info),
      output: graph.outputs.map(info),
      valueInfo: [...graph.values.keys()].filter((name) => !listed.has(name)).map(info),
      quantizationAnnotation: (graph.quantAnnotations ?? []).map((a) =>
        withUnknown(
          create(TensorAnnotationProtoSchema, {
            tensorName: a.tensor,
            quantParameterTensorNames: protoEntries(
              a.parameters,
              TensorAnnotationProtoSchema.field.quantParameterTensorNames.number,
              a.unknown,
            ),
          }),
          a.unknown,
        ),
      ),
      ...protoNotes(GraphProtoSchema, graph),
    }),
    graph.unknown,
  )
}

const protoOfFunction = (f: Func, context: EncodeContext): FunctionProto =>
  withUnknown(
    create(FunctionProtoSchema, {
      name: f.name,
      domain: f.domain,
      ...text('overload', f.overload),
      input: [...f.inputs],
      output: [...f.outputs],
      attribute: [...f.attributes],
      attributeProto: protoOfAttrs(f.defaults, context),
      node: f.nodes.map((n) => protoOfNode(n, context)),
      opsetImport: protoOpsets(f.opsets, FunctionProtoSchema.field.opsetImport.number, f.unknown),
      valueInfo: [...f.values].map(([name, value]) => protoOfValue(name, value)),
      ...protoNotes(FunctionProtoSchema, f),
    }),
    f.unknown,
  )

const protoOfNode = (n: Node, context: EncodeContext): NodeProto =>
  withUnknown(
    create(NodeProtoSchema, {
      ...text('name', n.name),
      opType: n.op,
      ...text('domain', n.domain),
      ...text('overload', n.overload),
      input: [...n.inputs],
      output: [...n.outputs],
      attribute: protoOfAttrs(n.attrs, context),
      ...protoNotes(NodeProtoSchema, n),
    }),
    n.unknown,
  )

const protoOfAttrs = (attrs: Readonly<Record<string, Attr>>, context: EncodeContext): AttributeProto[] =>
  Object.entries(attrs).map(([name, a]) => {
    const proto = create(AttributeProtoSchema, {
      name,
      type: codeOf(a),
      ...protoNotes(AttributeProtoSchema, a),
      ...(a.ref !== undefined && { refAttrName: a.ref }),
      ...(a.ref === undefined && payload(name, a, context)),
    })
    return withUnknown(proto, a.unknown)
  })

/** `AttributeProto.AttributeType` */
const CODES: Readonly<Record<Exclude<Attr['type'], 'undefined'>, number>> = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  sparse: 11,
  sparses: 12,
  type: 13,
  types: 14,
}

const codeOf = (a: Attr): number => (a.type === 'undefined' ? (a.code ?? 0) : CODES[a.type])

function payload(name: string, a: Attr, context: EncodeContext) {
  switch (a.type) {
    case 'float':
      return { f: float32(name, a.value) }
    case 'int':
      return { i: a.value }
    case 'string':
      return { s: a.value }
    case 'tensor':
      return { t: writeTensor(a.value, context) }
    case 'graph':
      return { g: protoOfGraph(a.value, context) }
    case 'floats':
      return { floats: a.value.map((v) => float32(name, v)) }
    case 'ints':
      return { ints: [...a.value] }
    case 'strings':
      return { strings: [...a.value] }
    case 'tensors':
      return { tensors: a.value.map((t) => writeTensor(t, context)) }
    case 'graphs':
      return { graphs: a.value.map((g) => protoOfGraph(g, context)) }
    case 'sparse':
      return { sparseTensor: writeSparse(a.value) }
    case 'sparses':
      return { sparseTensors: a.value.map((s) => writeSparse(s)) }
    case 'type':
      return { tp: protoOfType(a.value) }
    case 'types':
      return { typeProtos: a.value.map(protoOfType) }
    case 'undefined':
      return {}
  }
}

/** Attributes have 32-bit floats: rounding is meant, a finite number that becomes infinite is not. */
function float32(name: string, value: number): number {
  const rounded = Math.fround(value)
  if (Number.isFinite(rounded) || !Number.isFinite(value)) return rounded
  throw new PareError('ATTRIBUTE_VALUE', `attribute ${name} does not fit into a 32-bit float`, {
    value,
    remedy: 'Use a value below 3.4e38.',
  })
}
