/** The gradient of a model as a model: the raw thing, for those who want it. */

import { builder } from '../ir/builder.js'
import { allNames } from '../ir/graphs.js'
import type { Graph, Model, Value } from '../ir/types.js'
import { factFinder } from '../passes/facts.js'
import { upgradeOpset } from '../passes/upgrade-opset.js'
import { PareError } from '../util/errors.js'
import { backward } from './backward.js'

/** The opset of gradient rules. */
const GRADIENT_OPSET = 21

export interface GradientOptions {
  /** The value to differentiate, one element. Default: the model's only output. */
  readonly of?: string
  /** Inputs, weights or values between. */
  readonly wrt: readonly string[]
}

export interface Gradient {
  /** The model, with the gradients as further outputs. */
  readonly model: Model
  /** The output that holds the gradient by each name of `wrt`; it has that value's shape. */
  readonly gradients: ReadonlyMap<string, string>
}

/**
 * Differentiates `of` by each of `wrt`. A constant of `wrt` stays a constant. Throws `GRADIENT_…` (see `backward`), and
 * `GRADIENT_OPSET` where the model cannot be brought to opset 21.
 */
export async function gradient(model: Model, { of, wrt }: GradientOptions): Promise<Gradient> {
  const plain = await atGradientOpset(model)
  const { graph } = plain
  const scalar = of ?? onlyOutput(graph)
  const b = builder(allNames(graph))
  const found = backward(b, { graph, facts: factFinder(plain), of: scalar, wrt })
  // A gradient may be a value that stands for another one too, and outputs are told apart by their names.
  const named = new Map(
    [...found].map(([name, grad]) => [name, b.op('Identity', [grad], { outputs: [b.fresh(`grad_${name}`)] })]),
  )
  const next = joined(graph, b.graph())
  const outputs = [...new Set([...graph.outputs, scalar, ...named.values()])]
  return { model: { ...plain, graph: { ...next, outputs } }, gradients: named }
}

/** The model at the opset that gradient rules are written for; a newer one stays as it is. */
export async function atGradientOpset(model: Model): Promise<Model> {
  const pass = upgradeOpset(GRADIENT_OPSET)
  const [blocker] = pass.plan(model).blockers
  if (blocker === undefined) return pass.run(model)
  throw new PareError(
    'GRADIENT_OPSET',
    `the model cannot be brought to opset ${GRADIENT_OPSET}, which gradients need`,
    {
      where: blocker.node,
      value: blocker.reason,
      remedy: `Export the model again at opset ${GRADIENT_OPSET}.`,
    },
  )
}

/** A graph with the nodes and constants that a builder has collected behind its own. */
export const joined = (graph: Graph, added: Graph): Graph => ({
  ...graph,
  nodes: [...graph.nodes, ...added.nodes],
  constants: new Map([...graph.constants, ...added.constants]),
})

/** A graph with what a builder has collected before its own nodes, which are `nodes` now; and one more input. */
export const preceded = (
  graph: Graph,
  added: Graph,
  nodes: Graph['nodes'],
  input?: readonly [string, Value],
): Graph => ({
  ...graph,
  inputs: [...graph.inputs, ...(input ? [input[0]] : [])],
  values: new Map([...graph.values, ...(input ? [input] : [])]),
  nodes: [...added.nodes, ...nodes],
  constants: new Map([...graph.constants, ...added.constants]),
})

function onlyOutput({ outputs }: Graph): string {
  if (outputs.length === 1) return outputs[0]!
  throw new PareError('GRADIENT_NAME', 'the model has several outputs, and a gradient is that of one', {
    value: outputs,
    remedy: 'Name it with `of`.',
  })
}
