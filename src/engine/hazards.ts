/**
 * Places where ONNX Runtime's CPU computes something other than a quantized graph says, without a word. Each was found
 * by comparing runs with optimisation off and on, and `hazards.test.ts` holds it against the installed engine.
 */

import { describeNode, stringAttr } from '../ir/attrs.js'
import { consumers, producers } from '../ir/graphs.js'
import { numbers } from '../ir/tensor.js'
import type { Graph, Model, Node } from '../ir/types.js'
import { channelAxis, isBiasScaled, isDQ, isQ } from './kernels.js'

export interface Hazard {
  readonly node: string
  readonly op: string
  readonly reason: string
}

/** Operators whose float weights the engine quantizes by itself. */
const OWN_WEIGHTS: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm'])

/**
 * What the engine carries a DequantizeLinear forward past, and a QuantizeLinear backward, or takes away. (Flatten,
 * Gather, Expand, Tile, Split, Resize, DepthToSpace and SpaceToDepth stop both, though they only move elements too.)
 */
const CARRIED: ReadonlySet<string> = new Set([
  'Dropout',
  'Identity',
  'MaxPool',
  'Reshape',
  'Slice',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
])

/**
 * Nodes on which the engine errs: float weights of a Conv, ConvTranspose or Gemm between a DequantizeLinear and a
 * QuantizeLinear (directly, or with moves of elements between that it carries them past), which it quantizes per
 * tensor by itself (a layer that was left in float for its accuracy loses it); scales of a Conv or MatMul weight along another axis than the output channels, which it takes for the channels'; a
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
  return isFloatLayer(node, graph, makers) && onlyQ(node.outputs[0] ?? '', graph, readers)
    ? 'the engine quantizes these float weights per tensor by itself: take away the QuantizeLinear behind, or the DequantizeLinear before'
    : null
}

/**
 * Nodes with float weights that the engine may quantize by itself: those that `hazards` names, and to be safe those too
 * whose result others read in float beside the QuantizeLinear, for the engine may take these readers away.
 */
export function ownWeightSuspects(graph: Graph): ReadonlySet<Node> {
  const makers = producers(graph)
  const readers = consumers(graph)
  const isSuspect = (name: string): boolean => onlyQ(name, graph, readers) || someQ(name, readers)
  return new Set(graph.nodes.filter((n) => isFloatLayer(n, graph, makers) && isSuspect(n.outputs[0] ?? '')))
}

/** Float weights behind a DequantizeLinear. */
const isFloatLayer = (node: Node, graph: Graph, makers: Makers): boolean =>
  node.domain === '' &&
  OWN_WEIGHTS.has(node.op) &&
  comesFromDQ(node, graph, makers) &&
  isFoldedFloat(node.inputs[1], graph, makers)

function comesFromDQ({ op, inputs }: Node, graph: Graph, makers: Makers): boolean {
  const maker = makers.get(inputs[0] ?? '')
  if (maker === undefined || isDQ(maker)) return maker !== undefined
  const isPassed = isCarried(maker) || ((op === 'Conv' || op === 'MaxPool') && isZeroPadding(maker, graph))
  return isPassed && comesFromDQ(maker, graph, makers)
}

const isCarried = (node: Node): boolean => node.domain === '' && CARRIED.has(node.op)

/** Zeros around the picture: the engine makes them a part of the Conv or MaxPool behind. */
function isZeroPadding(node: Node, { constants }: Graph): boolean {
  if (node.domain !== '' || node.op !== 'Pad' || stringAttr(node, 'mode', 'constant') !== 'constant') return false
  const [pads, value] = [1, 2].map((i) => constants.get(node.inputs[i] ?? ''))
  const amounts = pads === undefined ? [] : numbers(pads)
  const half = amounts.length / 2
  return amounts.every((p, i) => i % half > 1 || p === 0) && (value === undefined || numbers(value)[0] === 0)
}

/** At the layer the engine makes these a part of it; behind a move it does not. */
const isActivation = (node: Node): boolean => node.domain === '' && (node.op === 'Relu' || node.op === 'Clip')

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

/** The only reader is a QuantizeLinear, directly or behind others that let it pass. */
function onlyQ(name: string, graph: Graph, readers: Readers, isMoved = false): boolean {
  // A shape is known before the first run.
  const behind = (readers.get(name) ?? []).filter((n) => n.op !== 'Shape' && n.op !== 'Size')
  const [next] = behind
  if (behind.length !== 1 || next === undefined || graph.outputs.includes(name)) return false
  if (isQ(next)) return true
  const isPassed = isCarried(next) || (!isMoved && isActivation(next))
  return isPassed && onlyQ(next.outputs[0] ?? '', graph, readers, isMoved || isCarried(next))
}

/** Some reader is one, directly or behind a Relu or Clip. */
const someQ = (name: string, readers: Readers): boolean =>
  (readers.get(name) ?? []).some((n) => isQ(n) || (isActivation(n) && someQ(n.outputs[0] ?? '', readers)))

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
