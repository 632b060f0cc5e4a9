/** Which weights are rounded in training: trained ones that a layer reads directly. */

import { consumers } from '../../ir/graphs.js'
import type { Graph, Node } from '../../ir/types.js'
import { tensorFact } from '../../ops/def.js'
import { findOp } from '../../ops/index.js'

/** A node with the weight that it reads. */
export interface Weighted {
  readonly node: Node
  /** The input that is the weight. */
  readonly index: number
  readonly weight: string
  readonly shape: readonly number[]
  /** Of output channels; null where one scale must serve all. */
  readonly axis: number | null
  /** Inputs that are data. */
  readonly data: readonly number[]
}

/** What a node reads as its weight, where that is one of `weights`. */
export function weightedBy(node: Node, graph: Graph, weights: ReadonlySet<string>): Weighted | null {
  const quant = node.domain === '' ? findOp('', node.op)?.quant : undefined
  if (quant === undefined || quant === 'none' || quant.kind !== 'weighted') return null
  const index = quant.weights.find((i) => weights.has(node.inputs[i] ?? ''))
  if (index === undefined) return null
  const weight = node.inputs[index]!
  const { dtype, shape } = graph.constants.get(weight)!
  const inputs = node.inputs.map((_, i) => (i === index ? tensorFact(dtype, shape) : null))
  const axis = quant.channelAxis({ node, inputs }, index)
  const data = quant.data.filter((i) => i !== index && node.inputs[i] && !graph.constants.has(node.inputs[i]!))
  return { node, index, weight, shape, axis: axis === null ? null : (axis + shape.length) % shape.length, data }
}

const LAYERS: ReadonlySet<string> = new Set(['Conv', 'Gemm', 'MatMul'])

/**
 * Weights that are held to two or three values, by name, with the axis of their channels: those of Conv, MatMul and Gemm
 * but the first and the last in the graph, whose rounding costs most (Zhou et al. 2016, DoReFa-Net, section 2.7). One
 * that something else reads as well, or that layers read along different axes, is left out.
 */
export function signedWeights(graph: Graph, trainable: readonly string[]): ReadonlyMap<string, number | null> {
  const constants = new Set(graph.constants.keys())
  const layers = graph.nodes.flatMap((node) => (LAYERS.has(node.op) && weightedBy(node, graph, constants)) || [])
  const inner = new Map(
    layers
      .filter(({ shape }) => shape.length > 1)
      .slice(1, -1)
      .map((w) => [w.node, w]),
  )
  const readers = consumers(graph)
  const trained = new Set(trainable)
  const axes = [...inner.values()].map(({ weight, axis }) => [weight, axis] as const)
  return new Map(
    axes.filter(([name, axis]) => {
      const isAlike = (w: Weighted | undefined): boolean => w?.weight === name && w.axis === axis
      return trained.has(name) && readers.get(name)!.every((node) => isAlike(inner.get(node)))
    }),
  )
}
