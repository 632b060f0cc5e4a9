/**
 * A model in float16, computed in float32: quantization knows float32 alone, and the CPU computes in it anyway. Every
 * type, constant and attribute goes from the one to the other; inputs and outputs keep theirs, with a Cast behind and
 * before them. What was rounded between two nodes no longer is: the answers are those of float16, or nearer.
 */

import { int, subgraphs } from '../ir/attrs.js'
import { renameReads } from '../ir/edits.js'
import { mapInner } from '../ir/graphs.js'
import { floats, tensor } from '../ir/tensor.js'
import type { Attr, Graph, Model, Node, Tensor, Value } from '../ir/types.js'
import { freshNames } from '../passes/names.js'
import { isStandard } from '../passes/standard-domain.js'

const FLOAT = 1
const FLOAT16 = 10

/** Attributes that name an element type by its number. */
const TYPE_ATTRS: ReadonlySet<string> = new Set(['to', 'dtype', 'output_dtype'])

/** The same model where its weights are not float16 in the main, or it holds what may know no float32. */
export function widenHalf(model: Model): Model {
  const { graph } = model
  if (!isMostlyHalf(graph) || model.functions.length > 0 || !hasKnownOps(graph)) return model
  // These hold their type outside: no Cast can stand between.
  const fixed = [...graph.inputs, ...graph.outputs].some((name) => graph.constants.has(name))
  if (fixed || graph.sparseConstants !== undefined) return model
  return { ...model, graph: withCasts(widened(graph), graph, freshNames(model)) }
}

/** Whether preparing the model makes float32 of its float16. */
export const isWidened = (model: Model): boolean => widenHalf(model) !== model

function isMostlyHalf(graph: Graph): boolean {
  const bytes = { half: 0, other: 0 }
  const count = (t: Tensor): void => {
    bytes[t.dtype === 'float16' ? 'half' : 'other'] += t.byteLength
  }
  const visit = (g: Graph): void => {
    for (const t of g.constants.values()) count(t)
    for (const node of g.nodes) {
      for (const a of Object.values(node.attrs)) if (a.type === 'tensor') count(a.value)
      for (const { graph: inner } of subgraphs(node)) visit(inner)
    }
  }
  visit(graph)
  return bytes.half > bytes.other
}

/** Operators of the standard and of ONNX Runtime take float32 wherever they take float16. */
const hasKnownOps = (graph: Graph): boolean =>
  graph.nodes.every(
    (node) =>
      (isStandard(node.domain) || node.domain === 'com.microsoft') &&
      subgraphs(node).every(({ graph: inner }) => hasKnownOps(inner)),
  )

function widened(graph: Graph): Graph {
  const inner = mapInner(graph, widened)
  return {
    ...inner,
    constants: new Map([...inner.constants].map(([name, t]) => [name, wide(t)])),
    values: new Map([...inner.values].map(([name, v]) => [name, wideValue(v)])),
    nodes: inner.nodes.map((node) => ({
      ...node,
      attrs: Object.fromEntries(Object.entries(node.attrs).map(([name, a]) => [name, wideAttr(name, a)])),
    })),
  }
}

const wide = (t: Tensor): Tensor =>
  t.dtype !== 'float16'
    ? t
    : {
        ...tensor('float32', t.shape, floats(t)),
        ...(t.name !== undefined && { name: t.name }),
        ...(t.doc && { doc: t.doc }),
      }

function wideValue(v: Value): Value {
  switch (v.kind) {
    case 'tensor':
    case 'sparse':
      return v.dtype === 'float16' ? { ...v, dtype: 'float32' } : v
    case 'sequence':
    case 'optional':
    case 'map':
      return { ...v, element: wideValue(v.element) }
    default:
      return v
  }
}

function wideAttr(name: string, a: Attr): Attr {
  if (a.type === 'tensor') return { ...a, value: wide(a.value) }
  if (a.type === 'type') return { ...a, value: wideValue(a.value) }
  return a.type === 'int' && TYPE_ATTRS.has(name) && Number(a.value) === FLOAT16 ? { ...a, value: BigInt(FLOAT) } : a
}

/** Inputs and outputs of the main graph with the types that they had. */
function withCasts(graph: Graph, before: Graph, fresh: (hint: string) => string): Graph {
  const isHalf = (name: string): boolean => {
    const v = before.values.get(name)
    return v?.kind === 'tensor' && v.dtype === 'float16'
  }
  const inputs = before.inputs.filter(isHalf)
  const made = new Set(graph.nodes.flatMap((n) => n.outputs))
  const outputs = [...new Set(before.outputs)].filter((name) => made.has(name) && isHalf(name))
  const inside = new Map([...inputs, ...outputs].map((name) => [name, fresh(`${name}_f32`)]))
  const nodes = graph.nodes.map((node): Node => {
    const read = renameReads(node, inside)
    return { ...read, outputs: read.outputs.map((out) => inside.get(out) ?? out) }
  })
  const cast = (from: string, to: string, type: number): Node => ({
    name: '',
    domain: '',
    op: 'Cast',
    inputs: [from],
    outputs: [to],
    attrs: { to: int(type) },
  })
  const kept = [...inputs, ...outputs].map((name) => [name, before.values.get(name)!] as const)
  return {
    ...graph,
    nodes: [
      ...inputs.map((name) => cast(name, inside.get(name)!, FLOAT)),
      ...nodes,
      ...outputs.map((name) => cast(inside.get(name)!, name, FLOAT16)),
    ],
    values: new Map([...graph.values, ...kept]),
  }
}
