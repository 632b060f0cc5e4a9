/** Which nodes may be computed ahead: they give one answer, and computing it has an end that is in sight. */

import { intAttr, subgraphs } from '../ir/attrs.js'
import { byteSize } from '../ir/dtypes.js'
import { elementCount } from '../ir/tensor.js'
import type { Node } from '../ir/types.js'
import { shapeOf } from '../ops/def.js'
import { isStatic } from '../ops/shapes.js'
import type { FactOf } from './facts.js'
import { isRandom } from './random.js'

/**
 * DequantizeLinear of a constant is how a quantized weight or bias is written, and the engine's integer kernels look
 * for it: it stays, whatever it weighs. Constant nodes are taken elsewhere.
 */
const KEPT = new Set(['DequantizeLinear', 'Constant'])

/** A value on the way that takes more than a whole model may is not worth its memory. */
const MOST_BYTES = 2 ** 31
/** Loops may stand in branches that no run ever takes; what they cost is spent here once, and cannot be interrupted. */
const MOST_STEPS = 10_000

/** Whether the engine gives one answer to it in bounded time, and it is not one of the ops that must stay. */
export function isPure(node: Node, factOf: FactOf): boolean {
  return (
    !KEPT.has(node.op) &&
    isDetermined(node) &&
    allNodes(node).every(({ outputs }) => outputs.every((out) => out === '' || bytesOf(out, factOf) <= MOST_BYTES)) &&
    stepsOf(node, factOf) <= MOST_STEPS
  )
}

const isDetermined = (node: Node): boolean =>
  (node.domain === '' || node.domain === 'com.microsoft') &&
  !isRandom(node) &&
  subgraphs(node).every(({ graph }) => graph.nodes.every(isDetermined))

const allNodes = (node: Node): readonly Node[] => [
  node,
  ...subgraphs(node).flatMap(({ graph }) => graph.nodes.flatMap(allNodes)),
]

/** 0 where the size is not known. */
function bytesOf(name: string, factOf: FactOf): number {
  const value = factOf(name)?.value
  if (value?.kind !== 'tensor' || !isStatic(value.shape)) return 0
  return byteSize(value.dtype, elementCount(value.shape)) ?? 0
}

/** At most so many iterations of loops, nested ones multiplied; infinity where there is no bound. */
function stepsOf(node: Node, factOf: FactOf): number {
  const inner = subgraphs(node)
    .flatMap(({ graph }) => graph.nodes)
    .reduce((n, each) => n + stepsOf(each, factOf), 0)
  if (node.domain !== '') return inner
  if (node.op === 'Loop') return tripsOf(node, factOf) * Math.max(1, inner)
  if (node.op === 'Scan') return elementsOf(node, factOf) * Math.max(1, inner)
  return inner
}

/** The condition may end a Loop before its trip count does; without a constant count nothing else is sure to. */
function tripsOf(node: Node, factOf: FactOf): number {
  const count = factOf(node.inputs[0] ?? '')?.content?.[0]
  return typeof count === 'number' ? Math.max(0, count) : Number.POSITIVE_INFINITY
}

/** A Scan takes a step for each element of what it walks over, or for several at once. */
function elementsOf(node: Node, factOf: FactOf): number {
  const first = node.inputs.length - intAttr(node, 'num_scan_inputs', 0)
  const shape = shapeOf(factOf(node.inputs[first] ?? ''))
  return isStatic(shape) ? elementCount(shape) : Number.POSITIVE_INFINITY
}
