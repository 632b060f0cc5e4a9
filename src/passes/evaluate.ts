/** Evaluating pieces of a graph that depend on constants alone, by running them on the engine. */

import { throwIfAborted } from '../engine/failures.js'
import { producers, reads } from '../ir/graphs.js'
import type { Graph, Model, Node, Tensor } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { PareError } from '../util/errors.js'
import type { Env } from './pass.js'
import type { Scope } from './scope.js'

/** The engine will not load or run a piece, or not hand a value over; or the piece is too large for a file. */
const REFUSALS: ReadonlySet<string> = new Set(['ENGINE_LOAD', 'ENGINE_RUN', 'ENGINE_OUTPUTS', 'MODEL_SIZE'])

/**
 * The tensors of the named values of `scope`'s graph, each a function of constants and of `known` values. One session
 * without optimization serves all; where that fails, the list is split in half and tried again, so that what the
 * engine cannot run (or does not return as a tensor) is simply absent from the result. Throws `ABORTED`, and what else
 * keeps the engine from running anything.
 */
export async function evaluate(
  values: readonly string[],
  model: Model,
  scope: Scope,
  known: ReadonlyMap<string, Tensor>,
  env: Env,
): Promise<ReadonlyMap<string, Tensor>> {
  const results = new Map<string, Tensor>()
  if (values.length === 0) return results
  const engine = await env.engine()
  const makers = producers(scope.graph)
  const attempt = async (names: readonly string[]): Promise<void> => {
    throwIfAborted(env.signal)
    try {
      const bytes = encodeModel(pieceOf(names, model, scope, makers, known)).bytes
      const session = await engine.load(bytes, { optimization: 'off', ...(env.signal && { signal: env.signal }) })
      try {
        const outputs = await session.run({}, env.signal ? { signal: env.signal } : {})
        for (const name of names) if (outputs[name]) results.set(name, outputs[name])
      } finally {
        await session.close()
      }
    } catch (error) {
      if (!(error instanceof PareError && REFUSALS.has(error.code))) throw error
      if (names.length === 1) return
      const half = names.length >> 1
      await attempt(names.slice(0, half))
      await attempt(names.slice(half))
    }
  }
  await attempt(values)
  return results
}

/** A model without inputs that computes the named values. */
function pieceOf(
  outputs: readonly string[],
  model: Model,
  scope: Scope,
  makers: ReadonlyMap<string, Node>,
  known: ReadonlyMap<string, Tensor>,
): Model {
  const constants = new Map<string, Tensor>()
  const needed = new Set<Node>()
  const queue = [...outputs]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (name === '' || constants.has(name)) continue
    const tensor = known.get(name) ?? scope.constant(name)
    const maker = makers.get(name)
    if (tensor) constants.set(name, tensor)
    else if (maker && !needed.has(maker)) {
      needed.add(maker)
      queue.push(...reads(maker))
    }
  }
  const graph: Graph = {
    name: 'piece',
    inputs: [],
    outputs,
    nodes: scope.graph.nodes.filter((node) => needed.has(node)),
    constants,
    values: new Map(),
  }
  return { ...model, irVersion: Math.max(model.irVersion, 4), graph, functions: [], metadata: new Map() }
}
