/**
 * com.microsoft.FusedConv → Conv and its activation: files that the engine wrote after optimizing carry it, and no
 * other tool reads them. Apart, the two can be quantized, and the engine fuses them again where it likes.
 */

import { float, floatsAttr, stringAttr } from '../ir/attrs.js'
import { mapGraphs, withGraph } from '../ir/graphs.js'
import { f32 } from '../ir/tensor.js'
import type { Attr, Graph, Node, Tensor } from '../ir/types.js'
import { freshNames } from './names.js'
import type { Pass } from './pass.js'

export const unfuseConv: Pass = {
  name: 'unfuse-conv',
  run: async (model) => {
    const fresh = freshNames(model)
    return withGraph(
      model,
      mapGraphs(model.graph, (graph) => unfuseGraph(graph, { opset: model.opsets.get('') ?? 0, fresh })),
    )
  },
}

interface Context {
  /** Version of the standard domain: up to 10 the bounds of Clip are attributes. */
  readonly opset: number
  readonly fresh: (hint: string) => string
}

function unfuseGraph(graph: Graph, context: Context): Graph {
  const constants = new Map(graph.constants)
  let changed = false
  const nodes = graph.nodes.flatMap((node) => {
    const parts = node.domain === 'com.microsoft' && node.op === 'FusedConv' ? unfuse(node, context, constants) : null
    if (parts === null) return [node]
    changed = true
    return parts
  })
  return changed ? { ...graph, nodes, constants } : graph
}

/** Conv (+ Z) → activation; null where the activation is not one of those that the operator defines. */
function unfuse(node: Node, context: Context, constants: Map<string, Tensor>): readonly Node[] | null {
  const { fresh } = context
  const activation = stringAttr(node, 'activation')
  const after = activationOf(activation, floatsAttr(node, 'activation_params') ?? [], context, constants)
  if (after === null) return null
  const { activation: _, activation_params: __, ...attrs } = node.attrs
  const [x, w, b = '', z = ''] = node.inputs
  const out = node.outputs[0]!
  const conv = fresh(`${out}_conv`)
  const sum = z === '' ? conv : fresh(`${out}_sum`)
  const plain = { name: '', domain: '', attrs: {} }
  return [
    { ...node, domain: '', op: 'Conv', inputs: b === '' ? [x!, w!] : [x!, w!, b], outputs: [conv], attrs },
    ...(z === '' ? [] : [{ ...plain, op: 'Add', inputs: [conv, z], outputs: [sum] }]),
    { ...plain, ...after, inputs: [sum, ...after.inputs], outputs: [out] },
  ]
}

/** The largest float32. */
const LARGEST = 3.4028234663852886e38

interface Activation {
  readonly op: string
  readonly inputs: readonly string[]
  readonly attrs: Readonly<Record<string, Attr>>
}

function activationOf(
  name: string | undefined,
  params: readonly number[],
  { opset, fresh }: Context,
  constants: Map<string, Tensor>,
): Activation | null {
  switch (name) {
    case undefined:
      return { op: 'Identity', inputs: [], attrs: {} }
    case 'Relu':
    case 'Sigmoid':
    case 'Tanh':
      return { op: name, inputs: [], attrs: {} }
    case 'LeakyRelu':
      return { op: name, inputs: [], attrs: { alpha: float(params[0] ?? 0.01) } }
    case 'HardSigmoid':
      return { op: name, inputs: [], attrs: { alpha: float(params[0] ?? 0.2), beta: float(params[1] ?? 0.5) } }
    case 'Clip': {
      const [min, max] = [params[0] ?? -LARGEST, params[1] ?? LARGEST]
      if (opset < 11) return { op: 'Clip', inputs: [], attrs: { min: float(min), max: float(max) } }
      const bounds = [min, max].map((v) => {
        const bound = fresh('clip_bound')
        constants.set(bound, f32([], [v]))
        return bound
      })
      return { op: 'Clip', inputs: bounds, attrs: {} }
    }
    default:
      return null
  }
}
