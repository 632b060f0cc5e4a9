/**
 * Reverse-mode differentiation: from a graph and a scalar in it to the nodes that compute the scalar's gradients
 * (Griewank and Walther, Evaluating Derivatives, 2nd ed. 2008, ch. 3). What each op adds is in its record.
 */

import { describeNode, subgraphs } from '../ir/attrs.js'
import type { Builder } from '../ir/builder.js'
import { isFloat } from '../ir/dtypes.js'
import { reads } from '../ir/graphs.js'
import { floatTensor } from '../ir/tensor.js'
import type { Graph, Node } from '../ir/types.js'
import { dtypeOf, type GradCall, type OpDef, shapeOf } from '../ops/def.js'
import { findOp } from '../ops/index.js'
import type { FactOf } from '../passes/facts.js'
import { PareError } from '../util/errors.js'

export interface BackwardInput {
  /** Of opset 21. */
  readonly graph: Graph
  readonly facts: FactOf
  /** The value to differentiate: one element. */
  readonly of: string
  /** Inputs, constants or values between that the gradient is asked for. */
  readonly wrt: readonly string[]
  /** Values that are held to be constant: no gradient goes back through them. */
  readonly detached?: ReadonlySet<string>
  /** Leaves out those that `of` does not depend on; one at least must be left. */
  readonly allowMissing?: boolean
}

/**
 * Adds the backward nodes to `b`, whose names must not be those of the graph, and returns the name of the gradient by
 * each name of `wrt`. Throws `GRADIENT_NAME`, `GRADIENT_SCALAR`, `GRADIENT_PATH` (`of` does not depend on a `wrt`),
 * `GRADIENT_NONE` (an op on the way has no gradient), `GRADIENT_SHAPE`, `GRADIENT_TYPE`.
 */
export function backward(
  b: Builder,
  { graph, facts, of, wrt, detached = new Set(), allowMissing = false }: BackwardInput,
): ReadonlyMap<string, string> {
  checkNames(graph, of, wrt)
  checkScalar(facts, of)
  for (const name of wrt) checkFloat(facts, name)
  const active = dependents(graph, facts, wrt, detached)
  if (!active.has(of)) throw noPath(of, wrt)

  const parts = new Map<string, string[]>()
  const give = (name: string, grad: string): void => {
    const list = parts.get(name)
    if (list) list.push(grad)
    else parts.set(name, [grad])
  }
  const total = (name: string): string | null => {
    const list = parts.get(name)
    if (list === undefined) return null
    if (list.length === 1) return list[0]!
    const sum = list.length === 2 ? b.op('Add', list) : b.op('Sum', list)
    parts.set(name, [sum])
    return sum
  }

  const shape = (shapeOf(facts(of)) ?? []) as readonly number[]
  give(of, b.constant(floatTensor(dtypeOf(facts(of)), shape, [1]), 'one'))
  for (const node of graph.nodes.toReversed()) {
    const dy = node.outputs.map((name) => (name === '' || !active.has(name) ? null : total(name)))
    if (dy.every((name) => name === null)) continue
    const def = ruleOf(node)
    if (def.grad === 'flat' || def.grad === 'none') continue
    const grads = def.grad(callOf(node, { b, graph, facts, active, dy }))
    node.inputs.forEach((name, i) => {
      const grad = grads[i]
      if (!active.has(name)) return
      // A part of the gradient that is left out without a word would be a wrong gradient.
      if (!grad) throw noGradientBy(node, name)
      give(name, grad)
    })
  }
  const found = new Map<string, string>()
  for (const name of wrt) {
    const grad = total(name)
    if (grad !== null) found.set(name, grad)
    else if (!allowMissing) throw noPath(of, [name])
  }
  return found
}

interface Around {
  readonly b: Builder
  readonly graph: Graph
  readonly facts: FactOf
  readonly active: ReadonlySet<string>
  readonly dy: readonly (string | null)[]
}

const callOf = (node: Node, { b, graph, facts, active, dy }: Around): GradCall => ({
  node,
  opset: 21,
  inputs: node.inputs.map((name) => (name === '' ? null : facts(name))),
  outputs: node.outputs.map((name) => (name === '' ? null : facts(name))),
  constant: (i) => graph.constants.get(node.inputs[i] ?? '') ?? null,
  subgraph: (inner) => inner.outputs.map(() => null),
  b,
  dy,
  wants: (i) => active.has(node.inputs[i] ?? ''),
})

/** Values that depend on one of `wrt` in a way that a gradient flows back through. */
function dependents(
  graph: Graph,
  facts: FactOf,
  wrt: readonly string[],
  detached: ReadonlySet<string>,
): ReadonlySet<string> {
  const active = new Set(wrt)
  for (const node of graph.nodes) {
    if (!reads(node).some((name) => active.has(name))) continue
    if (subgraphs(node).length === 0 && findOp(node.domain, node.op)?.grad === 'flat') continue
    for (const name of node.outputs) if (name !== '' && !detached.has(name) && mayFlow(facts, name)) active.add(name)
  }
  return active
}

/** Gradients are of floats; where the type is not known it may be one. */
function mayFlow(facts: FactOf, name: string): boolean {
  const dtype = dtypeOf(facts(name))
  return dtype === 'undefined' || isFloat(dtype)
}

function ruleOf(node: Node): OpDef {
  const def = findOp(node.domain, node.op)
  if (def === undefined || def.grad === 'none') {
    throw new PareError('GRADIENT_NONE', 'this operator has no gradient, and what is trained lies before it', {
      where: describeNode(node),
      value: node.op,
      remedy:
        'Freeze the parameters before this node, or replace the node by others that have a gradient (docs/ops.md).',
    })
  }
  return def
}

const noGradientBy = (node: Node, name: string): PareError =>
  new PareError(
    'GRADIENT_NONE',
    'this operator has no gradient by one of its inputs, which what is trained lies before',
    {
      where: describeNode(node),
      value: name,
      remedy:
        'Freeze the parameters before this input, or replace the node by others that have a gradient (docs/ops.md).',
    },
  )

function checkNames(graph: Graph, of: string, wrt: readonly string[]): void {
  const known = new Set([...graph.inputs, ...graph.constants.keys(), ...graph.nodes.flatMap((n) => n.outputs)])
  for (const name of [of, ...wrt]) {
    if (name !== '' && known.has(name)) continue
    throw new PareError('GRADIENT_NAME', 'the graph has no such value', {
      value: name,
      remedy: 'Name an input, a weight or the output of a node: `pare inspect` lists them.',
    })
  }
}

function checkScalar(facts: FactOf, of: string): void {
  const shape = shapeOf(facts(of))
  if (shape?.every((d) => d === 1)) return
  throw new PareError('GRADIENT_SCALAR', 'a gradient is that of one number', {
    where: of,
    value: shape === null ? 'unknown shape' : `[${shape.map((d) => d ?? '?').join(', ')}]`,
    remedy: 'Reduce the value to a scalar first, by a sum or a mean.',
  })
}

function checkFloat(facts: FactOf, name: string): void {
  if (mayFlow(facts, name)) return
  throw new PareError('GRADIENT_TYPE', 'only floats have gradients', {
    where: name,
    value: dtypeOf(facts(name)),
    remedy: 'Leave this value out.',
  })
}

const noPath = (of: string, wrt: readonly string[]): PareError =>
  new PareError('GRADIENT_PATH', `${of} does not depend on what it is to be differentiated by`, {
    value: wrt.slice(0, 5),
    remedy: 'Check the names, and that no Cast, comparison or rounding stands between.',
  })
