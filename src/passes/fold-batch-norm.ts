/**
 * Folds what follows a product along its output channels into the product's weight and bias: BatchNormalization
 * (inference) after Conv, ConvTranspose, Gemm and MatMul; Mul, Div, Add and Sub by a constant per channel after Conv
 * and ConvTranspose. All of these are y ↦ s·y + t per channel, and s·(W∗x + b) + t = (s·W)∗x + (s·b + t).
 * Computed in double precision, rounded once. com.microsoft.FusedConv is left alone: its activation lies between the
 * product and what follows. Only where nothing else reads the product or its weight, and the file does not grow.
 */

import { dropValues } from '../ir/edits.js'
import { consumers, producers } from '../ir/graphs.js'
import { numbers, tensor } from '../ir/tensor.js'
import type { Graph, Node, Tensor } from '../ir/types.js'
import { affineOf, type ChannelAffine } from './channel-affine.js'
import { type FactOf, factFinder } from './facts.js'
import { freshNames } from './names.js'
import type { Pass } from './pass.js'
import { type Product, productOf } from './products.js'
import { mapScopes, type Scope, unlistConstants } from './scope.js'
import { growth } from './size.js'
import { standardOpset } from './standard-domain.js'
import { sweep } from './sweep.js'

export const foldBatchNorm: Pass = {
  name: 'fold-batch-norm',
  run: async (model) => {
    const open = unlistConstants(model)
    const context = { opset: standardOpset(model.opsets), factOf: factFinder(model), fresh: freshNames(model) }
    const folded = mapScopes(open, (graph, scope) => settle(graph, scope, context))
    return folded === open ? model : folded
  },
}

interface Context {
  readonly opset: number
  readonly factOf: FactOf
  fresh(hint: string): string
}

function settle(graph: Graph, scope: Scope, context: Context): Graph {
  let current = graph
  for (;;) {
    const next = foldOne(current, scope.edited(current), context)
    if (next === null) return current
    current = next
  }
}

type Readers = ReadonlyMap<string, readonly Node[]>

function foldOne(graph: Graph, { constant }: Scope, { opset, factOf, fresh }: Context): Graph | null {
  const readers = consumers(graph)
  const makers = producers(graph)
  const outputs = new Set(graph.outputs)
  const isPrivate = (name: string) => !outputs.has(name) && readers.get(name)?.length === 1
  const look = { constant, factOf, isPrivate, maker: (name: string) => makers.get(name) ?? null }
  for (const last of graph.nodes) {
    for (const input of new Set(last.inputs)) {
      const maker = makers.get(input)
      if (maker === undefined || !isPrivate(input)) continue
      const product = productOf(maker, look)
      if (product === null || !ownsWeight(product, graph, readers)) continue
      const affine = affineOf(last, input, product, constant, opset)
      const next = affine && apply(graph, product, last, affine, readers, fresh)
      if (next && growth(graph, next) <= 0) return next
    }
  }
  return null
}

/** True where the weight belongs to this graph and is read once. */
function ownsWeight({ nodes, weightName }: Product, graph: Graph, readers: Readers): boolean {
  const reads = nodes.flatMap((node) => node.inputs).filter((name) => name === weightName)
  return (
    graph.constants.has(weightName) &&
    reads.length === 1 &&
    readers.get(weightName)?.length === 1 &&
    !graph.outputs.includes(weightName)
  )
}

function apply(
  graph: Graph,
  product: Product,
  last: Node,
  affine: ChannelAffine,
  readers: Readers,
  fresh: (hint: string) => string,
): Graph | null {
  const { weight, weightName, channels, bias } = product
  const constants = new Map(graph.constants)
  if (affine.scale !== null) {
    const scale = affine.scale
    const scaled = rounded(weight, weight.shape, numbers(weight), (w, i) => w * scale[product.channelOf(i)]!)
    if (scaled === null) return null
    constants.set(weightName, scaled)
  }
  let biasName: string | null = null
  if (bias !== null || affine.shift !== null) {
    const sum = (b: number, c: number) => (affine.scale?.[c] ?? 1) * b + (affine.shift?.[c] ?? 0)
    const shifted = rounded(weight, [channels], bias ?? new Float64Array(channels), sum)
    if (shifted === null) return null
    const { biasName: old } = product
    const reuse = old !== null && graph.constants.has(old) && readers.get(old)?.length === 1
    biasName = reuse && !graph.outputs.includes(old) ? old : fresh(`${weightName}_bias`)
    constants.set(biasName, shifted)
  }
  const gone = new Set(product.nodes)
  const made = product.rebuild(biasName, last.outputs[0]!)
  const nodes = graph.nodes.flatMap((node) => (node === last ? made : gone.has(node) ? [] : [node]))
  const defined = new Set(made.flatMap((node) => node.outputs))
  const old = new Set(product.nodes.flatMap((node) => node.outputs).filter((name) => !defined.has(name)))
  return sweep(dropValues({ ...graph, nodes, constants }, (name) => old.has(name) || name === biasName))
}

/** A tensor of the weight's type; null where an element is not finite after rounding. */
function rounded(
  { dtype }: Tensor,
  shape: readonly number[],
  data: Float32Array | Float64Array,
  edit: (value: number, index: number) => number,
): Tensor | null {
  const out = dtype === 'float64' ? new Float64Array(data.length) : new Float32Array(data.length)
  for (let i = 0; i < data.length; i++) {
    out[i] = edit(data[i]!, i)
    if (!Number.isFinite(out[i])) return null
  }
  return tensor(dtype, shape, out)
}
