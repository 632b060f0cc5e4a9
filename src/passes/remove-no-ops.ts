/**
 * Removes nodes that hand on their input: Identity, Dropout in inference, Cast to the same type, Reshapes and
 * Transposes that change nothing or cancel, neutral arithmetic, Concat of one, Slice of everything, and so on.
 * Composes neighbouring Transposes, and lets a Reshape read past the Reshape before it. The rules: `no-op-rules.ts`.
 */

import { bypass, mapFunctions, renameReads } from '../ir/edits.js'
import { mapSame, reads } from '../ir/graphs.js'
import type { Graph, Node } from '../ir/types.js'
import { type FactOf, factFinder, noFacts } from './facts.js'
import { simplify } from './no-op-rules.js'
import type { Pass } from './pass.js'
import { mapScopes, type Scope, scopeOf } from './scope.js'
import { settle } from './settle.js'
import { standardOpset } from './standard-domain.js'
import { sweep } from './sweep.js'

export const removeNoOps: Pass = {
  name: 'remove-no-ops',
  run: async (model) => {
    const facts = factFinder(model)
    const opset = standardOpset(model.opsets)
    const main = mapScopes(model, (graph, scope) => settle(graph, (now) => once(now, scope, facts, opset)))
    return mapFunctions(main, (body, func) => {
      const [scope, version] = [scopeOf(body, null), standardOpset(func.opsets)]
      return settle(body, (now) => once(now, scope, noFacts, version))
    })
  },
}

function once(graph: Graph, scope: Scope, factOf: FactOf, opset: number): Graph {
  const read = new Set(graph.outputs)
  for (const node of graph.nodes) for (const name of reads(node)) read.add(name)
  const makers = new Map<string, Node>()
  const same = new Map<string, string>()
  const nodes = mapSame(graph.nodes, (original) => {
    const node = renameReads(original, same)
    const result = simplify(node, {
      opset,
      constant: scope.constant,
      factOf,
      maker: (name) => makers.get(name) ?? null,
      isRead: (name) => read.has(name),
    })
    if (typeof result === 'string') same.set(node.outputs[0]!, result)
    const next = result === null || typeof result === 'string' ? node : result
    for (const out of next.outputs) if (out !== '') makers.set(out, next)
    return next
  })
  const next = bypass(nodes === graph.nodes ? graph : { ...graph, nodes }, same)
  return next === graph ? graph : sweep(next)
}
