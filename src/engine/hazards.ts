/**
 * Places where ONNX Runtime's CPU computes something other than a quantized graph says, without a word. Each was found
 * by comparing runs with optimisation off and on, and `hazards.test.ts` holds it against the installed engine.
 */

import { describeNode } from '../ir/attrs.js'
import { consumers, producers } from '../ir/graphs.js'
import type { Graph, Model, Node } from '../ir/types.js'
import { channelAxis, isBiasScaled, isDQ, isQ } from './kernels.js'

export interface Hazard {
  readonly node: string
  readonly op: string
  readonly reason: string
}

/** Operators whose float weights the engine quantizes by itself. */
export const OWN_WEIGHTS: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm'])

/**
 * Nodes on which the engine errs: float weights of a Conv, ConvTranspose or Gemm between a DequantizeLinear and a
 * QuantizeLinear, which it quantizes per tensor by itself (a layer that was left in float for its accuracy loses it);
 * scales of a Conv or MatMul weight along another axis than the output channels, which it takes for the channels'; a
 * Gemm bias (or one added to a MatMul) whose scale is not that of input and weight multiplied, which it takes it for.
 */
export function hazards({ graph }: Model): readonly Hazard[] {
  const makers = producers(graph)
  const readers = consumers(graph)
  return graph.nodes.flatMap((node) => {
    if (node.domain !== '') return []
    const reason =
      ownWeights(node, graph, makers, readers) ?? wrongAxis(node, graph, makers) ?? wrongBias(node, graph, makers)
    return reason === null ? [] : [{ node: describeNode(node), op: node.op, reason }]
  })
}

type Makers = ReadonlyMap<string, Node>
type Readers = ReadonlyMap<string, readonly Node[]>

function ownWeights(node: Node, graph: Graph, makers: Makers, readers: Readers): string | null {
  if (
    !OWN_WEIGHTS.has(node.op) ||
    !isDQ(makers.get(node.inputs[0] ?? '')) ||
    !isFoldedFloat(node.inputs[1], graph, makers)
  ) {
    return null
  }
  return onlyQ(node, graph, readers)
    ? 'the engine quantizes these float weights per tensor by itself: take away the QuantizeLinear behind, or the DequantizeLinear before'
    : null
}

/** A constant, or what constant folding makes one: made of constants alone, without a DequantizeLinear on the way. */
function isFoldedFloat(name: string | undefined, graph: Graph, makers: Makers): boolean {
  if (name === undefined) return false
  const constant = graph.constants.get(name)
  if (constant !== undefined) return constant.dtype === 'float32'
  const names = new Set([name])
  for (const at of names) {
    if (at === '' || graph.constants.has(at)) continue
    const maker = makers.get(at)
    if (maker === undefined || isDQ(maker)) return false
    if (maker.inputs.length === 0 && maker.op !== 'Constant') return false
    for (const input of maker.inputs) names.add(input)
  }
  return true
}

/** The only consumer is a QuantizeLinear, directly or behind a Relu or Clip. */
function onlyQ(node: Node, graph: Graph, readers: Readers): boolean {
  const out = node.outputs[0] ?? ''
  const behind = readers.get(out) ?? []
  const [next] = behind
  if (behind.length !== 1 || next === undefined || graph.outputs.includes(out)) return false
  return isQ(next) || ((next.op === 'Relu' || next.op === 'Clip') && onlyQ(next, graph, readers))
}

function wrongAxis(node: Node, graph: Graph, makers: Makers): string | null {
  if (node.op !== 'Conv' && node.op !== 'MatMul') return null
  if (!isDQ(makers.get(node.inputs[0] ?? ''))) return null
  const dq = makers.get(node.inputs[1] ?? '')
  const axis = channelAxis(dq, graph)
  if (axis === null) return null
  const rank = graph.constants.get(dq?.inputs[0] ?? '')?.shape.length ?? 0
  const wanted = node.op === 'Conv' ? 0 : rank - 1
  return axis === wanted
    ? null
    : `weights are quantized along axis ${axis}, and the engine takes the scales for those of axis ${wanted}`
}

function wrongBias(node: Node, graph: Graph, makers: Makers): string | null {
  const add = node.op === 'Add' ? node.inputs.map((name) => makers.get(name)) : []
  const product = node.op === 'Gemm' ? node : add.find((maker) => maker?.op === 'MatMul')
  if (product === undefined) return null
  const [x, w, third] = product.inputs.map((name) => makers.get(name))
  const bias =
    node.op === 'Gemm' ? third : add.find((maker) => isDQ(maker) && graph.constants.has(maker?.inputs[0] ?? ''))
  return isBiasScaled(x, w, bias, graph)
    ? null
    : "the bias's scale is not that of input and weight multiplied, and the engine takes it to be"
}
