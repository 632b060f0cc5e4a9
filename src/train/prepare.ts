/** What training makes of a model before all else: one opset, and weights where they can be told. */

import { atGradientOpset } from '../autodiff/gradient.js'
import { tensorOf } from '../ir/attrs.js'
import type { Model, Node, Tensor } from '../ir/types.js'
import { unlistConstants, withoutDefaults } from '../passes/scope.js'

/** The model at the opset of gradients; weights that are listed as inputs or stand in Constant nodes are constants. */
export async function prepared(model: Model): Promise<Model> {
  const { graph, ...rest } = unlistConstants(model)
  const frozen = withoutDefaults(graph)
  return withLiftedConstants(await atGradientOpset(frozen === model.graph ? model : { ...rest, graph: frozen }))
}

function withLiftedConstants(model: Model): Model {
  const { graph } = model
  const constantOf = (node: Node): Tensor | undefined =>
    node.op === 'Constant' && node.domain === '' ? tensorOf(node, 'value') : undefined
  const outputs = new Set(graph.outputs)
  const lifted = graph.nodes.flatMap((node): (readonly [string, Tensor])[] => {
    const value = constantOf(node)
    return value === undefined || outputs.has(node.outputs[0]!) ? [] : [[node.outputs[0]!, value]]
  })
  if (lifted.length === 0) return model
  const gone = new Set(lifted.map(([name]) => name))
  const nodes = graph.nodes.filter((node) => !gone.has(node.outputs[0]!))
  return { ...model, graph: { ...graph, nodes, constants: new Map([...graph.constants, ...lifted]) } }
}
