/** What training makes of a model before all else: one opset, and weights where they can be told. */

import { atGradientOpset } from '../autodiff/gradient.js'
import { allNames } from '../ir/graphs.js'
import { namer } from '../ir/names.js'
import type { Model, Node, Tensor } from '../ir/types.js'
import { takeConstants } from '../passes/fold-constants.js'
import { unlistConstants, withoutDefaults } from '../passes/scope.js'

export interface Prepared {
  /** At the opset of gradients; weights that are listed as inputs or stand in Constant nodes are constants. */
  readonly model: Model
  /** Whether trained values may go into the constants of the model that was given, under their names. */
  readonly keepsConstants: boolean
}

/** `model` of `prepare`, for those who only read it. */
export const prepared = async (model: Model): Promise<Model> => (await prepare(model)).model

export async function prepare(given: Model): Promise<Prepared> {
  const { graph, ...rest } = unlistConstants(given)
  const frozen = withoutDefaults(graph)
  const raised = await atGradientOpset(frozen === given.graph ? given : { ...rest, graph: frozen })
  // Weights in Constant nodes too, whatever that costs in bytes.
  const lifted = { ...raised, graph: takeConstants(raised.graph, Number.POSITIVE_INFINITY) }
  const model = withOwnStatistics(lifted)
  return { model, keepsConstants: model === lifted }
}

/** Running statistics that are one constant with other things, as equal constants are often merged, get one of their own. */
function withOwnStatistics(model: Model): Model {
  const { graph } = model
  const norms = graph.nodes.filter((node) => node.op === 'BatchNormalization' && node.domain === '')
  if (norms.length === 0) return model
  const fresh = namer(allNames(graph))
  const uses = new Map<string, number>()
  for (const node of graph.nodes) for (const name of node.inputs) uses.set(name, (uses.get(name) ?? 0) + 1)
  const added = new Map<string, Tensor>()
  const nodes = graph.nodes.map((node): Node => {
    if (node.op !== 'BatchNormalization' || node.domain !== '') return node
    const inputs = node.inputs.map((name, i) => {
      const value = graph.constants.get(name)
      if (i < 3 || value === undefined || uses.get(name) === 1) return name
      const own = fresh(`${name}_statistics`)
      added.set(own, value)
      return own
    })
    return { ...node, inputs }
  })
  return added.size === 0
    ? model
    : { ...model, graph: { ...graph, nodes, constants: new Map([...graph.constants, ...added]) } }
}
