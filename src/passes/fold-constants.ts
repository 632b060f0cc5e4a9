/**
 * Constant folding: what depends on constants alone is computed once, by running it on the engine, and stored as
 * constants; `Constant` nodes become constants; sizes that shape inference knows become constants; an If with a
 * constant condition becomes its branch. Never at the price of a larger file (`fold-plan.ts`), so that weights which
 * are stored narrow and expanded by the graph stay narrow.
 */

import { throwIfAborted } from '../engine/failures.js'
import { bigintAttr, bigintsAttr, floatAttr, floatsAttr, subgraphs, tensorOf } from '../ir/attrs.js'
import { dropValues } from '../ir/edits.js'
import { f32, scalar, tensor } from '../ir/tensor.js'
import type { Graph, Model, Node, Tensor } from '../ir/types.js'
import { evaluate } from './evaluate.js'
import { factFinder } from './facts.js'
import { constantNode, type FoldPlan, knownContents, planFolds } from './fold-plan.js'
import { inlineIfs } from './inline-if.js'
import type { Env, Pass } from './pass.js'
import { mapScopes, rootScope, type Scope, scopeOf, unlistConstants } from './scope.js'
import { nodeBytes, tensorBytes } from './size.js'
import { sweep } from './sweep.js'

/** Each round can open the way for another (a folded condition, a constant inside a branch); few models need three. */
const MAX_ROUNDS = 16

export const foldConstants: Pass = {
  name: 'fold-constants',
  run: async (model, env) => {
    const open = unlistConstants(model)
    let current = open
    for (let round = 0; round < MAX_ROUNDS; round++) {
      throwIfAborted(env.signal)
      const next = await foldPieces(inlineIfs(mapScopes(current, (graph) => takeConstants(graph))), env)
      if (next === current) break
      current = next
    }
    return current === open ? model : current
  },
}

/** `Constant` nodes become constants, except those that make an output, as long as the graph grows by no more bytes than `most`. */
export function takeConstants(graph: Graph, most = 0): Graph {
  const outputs = new Set(graph.outputs)
  const taken = new Map<string, Tensor>()
  let budget = 0
  const nodes = graph.nodes.filter((node) => {
    const [name] = node.outputs
    if (node.op !== 'Constant' || node.domain !== '' || !name || outputs.has(name)) return true
    const value = valueOfConstant(node)
    const growth = value === null ? Number.POSITIVE_INFINITY : tensorBytes(name, value) - nodeBytes(node)
    if (value === null || budget + growth > most) return true
    budget += growth
    taken.set(name, value)
    return false
  })
  if (taken.size === 0) return graph
  const constants = new Map([...graph.constants, ...taken])
  return dropValues({ ...graph, nodes, constants }, (name) => taken.has(name))
}

/** The tensor of a Constant node, of which opset 12 has seven spellings; null for sparse ones and references. */
function valueOfConstant(node: Node): Tensor | null {
  const value = tensorOf(node, 'value')
  if (value !== undefined) return value
  const float = floatAttr(node, 'value_float')
  if (float !== undefined) return scalar(float)
  const floats = floatsAttr(node, 'value_floats')
  if (floats !== undefined) return f32([floats.length], floats)
  const int = bigintAttr(node, 'value_int')
  if (int !== undefined) return tensor('int64', [], BigInt64Array.of(int))
  const ints = bigintsAttr(node, 'value_ints')
  if (ints !== undefined) return tensor('int64', [ints.length], BigInt64Array.from(ints))
  return null
}

async function foldPieces(model: Model, env: Env): Promise<Model> {
  const factOf = factFinder(model)
  const folds = new Map<Graph, FoldPlan>()
  const visit = async (scope: Scope): Promise<void> => {
    const known = knownContents(scope, factOf)
    const run = (values: readonly string[]) => evaluate(values, model, scope, known, env)
    const plan = await planFolds(scope, factOf, known, run)
    if (plan.tensors.size > 0) folds.set(scope.graph, plan)
    for (const node of scope.graph.nodes) {
      if (plan.nodes.has(node)) continue
      for (const { graph } of subgraphs(node)) await visit(scopeOf(graph, scope))
    }
  }
  await visit(rootScope(model))
  return mapScopes(model, (graph) => {
    const fold = folds.get(graph)
    return fold === undefined ? graph : applyFold(graph, fold)
  })
}

function applyFold(graph: Graph, { nodes, tensors }: FoldPlan): Graph {
  const outputs = new Set(graph.outputs)
  const constants = new Map(graph.constants)
  const left = graph.nodes.filter((node) => !nodes.has(node))
  const made: Node[] = []
  for (const [name, tensor] of tensors) {
    if (outputs.has(name)) made.push(constantNode(name, tensor))
    else constants.set(name, tensor)
  }
  // First, since other nodes may read them.
  const folded = dropValues(
    { ...graph, nodes: [...made, ...left], constants },
    (name) => tensors.has(name) && !outputs.has(name),
  )
  return sweep(folded)
}
