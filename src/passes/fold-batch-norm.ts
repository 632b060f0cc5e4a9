/**
 * Folds what follows a product along its output channels into the product's weight and bias: BatchNormalization
 * (inference) after Conv, ConvTranspose, Gemm and MatMul; Mul, Div, Add and Sub by a constant per channel after Conv
 * and ConvTranspose. All of these are y ↦ s·y + t per channel, and s·(W∗x + b) + t = (s·W)∗x + (s·b + t).
 * Computed in double precision, rounded once. com.microsoft.FusedConv is left alone: its activation lies between the
 * product and what follows. Only where nothing else reads the product or its weight, and the file does not grow.
 */

import { throwIfAborted } from '../engine/failures.js'
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
import { settle } from './settle.js'
import { nodeBytes, tensorBytes } from './size.js'
import { standardOpset } from './standard-domain.js'
import { noteReads, sweep } from './sweep.js'

export const foldBatchNorm: Pass = {
  name: 'fold-batch-norm',
  run: async (model, { signal }) => {
    const open = unlistConstants(model)
    const context = { opset: standardOpset(model.opsets), factOf: factFinder(model), fresh: freshNames(model), signal }
    // A round can make room for another: a BatchNormalization behind an Add, two of them in a row.
    const folded = mapScopes(open, (graph, scope) => settle(graph, (current) => foldRound(current, scope, context)))
    return folded === open ? model : folded
  },
}

interface Context {
  readonly opset: number
  readonly factOf: FactOf
  readonly signal: AbortSignal | undefined
  fresh(hint: string): string
}

function foldRound(graph: Graph, scope: Scope, context: Context): Graph {
  throwIfAborted(context.signal)
  const folds = foldsIn(graph, scope.edited(graph), context)
  return folds.length === 0 ? graph : applied(graph, folds)
}

type Readers = ReadonlyMap<string, readonly Node[]>

interface Fold {
  /** In order; the last one's place is taken. */
  readonly gone: readonly Node[]
  readonly made: readonly Node[]
  readonly constants: ReadonlyMap<string, Tensor>
}

/** Folds of which no two touch the same node. */
function foldsIn(graph: Graph, { constant }: Scope, { opset, factOf, fresh }: Context): readonly Fold[] {
  const readers = consumers(graph)
  const makers = producers(graph)
  const outputs = new Set(graph.outputs)
  const kept = new Set([...graph.outputs, ...graph.inputs, ...noteReads(graph)])
  const isPrivate = (name: string) => !outputs.has(name) && readers.get(name)?.length === 1
  const look = { constant, factOf, isPrivate, maker: (name: string) => makers.get(name) ?? null }
  const folds: Fold[] = []
  const touched = new Set<Node>()
  for (const last of graph.nodes) {
    for (const input of new Set(last.inputs)) {
      const maker = makers.get(input)
      if (maker === undefined || !isPrivate(input)) continue
      const product = productOf(maker, look)
      if (product === null || !ownsWeight(product, graph, readers)) continue
      if ([...product.nodes, last].some((node) => touched.has(node))) continue
      const affine = affineOf(last, input, product, constant, opset)
      const fold = affine && foldOf(graph, product, last, affine, readers, fresh)
      if (fold === null || growthOf(fold, graph, readers, kept) > 0) continue
      folds.push(fold)
      for (const node of fold.gone) touched.add(node)
      break
    }
  }
  return folds
}

/** Bytes that the file gains: new nodes and constants less those that nothing reads any more. */
function growthOf({ gone, made, constants }: Fold, graph: Graph, readers: Readers, kept: ReadonlySet<string>): number {
  const leaving = new Set(gone)
  const still = new Set(made.flatMap((node) => node.inputs))
  let bytes = 0
  for (const node of made) if (!leaving.has(node)) bytes += nodeBytes(node)
  for (const node of gone) if (!made.includes(node)) bytes -= nodeBytes(node)
  for (const [name, tensor] of constants) bytes += tensorBytes(name, tensor)
  for (const name of new Set(gone.flatMap((node) => node.inputs))) {
    const tensor = graph.constants.get(name)
    if (tensor === undefined || kept.has(name)) continue
    const unread = !still.has(name) && readers.get(name)!.every((reader) => leaving.has(reader))
    if (unread || constants.has(name)) bytes -= tensorBytes(name, tensor)
  }
  return bytes
}

function applied(graph: Graph, folds: readonly Fold[]): Graph {
  const constants = new Map(graph.constants)
  const made = new Map<Node, readonly Node[]>()
  const old = new Set<string>()
  for (const fold of folds) {
    for (const node of fold.gone) {
      made.set(node, [])
      for (const out of node.outputs) old.add(out)
    }
    made.set(fold.gone.at(-1)!, fold.made)
    for (const [name, tensor] of fold.constants) {
      constants.set(name, tensor)
      old.add(name)
    }
  }
  for (const { made } of folds) for (const node of made) for (const out of node.outputs) old.delete(out)
  const nodes = graph.nodes.flatMap((node) => made.get(node) ?? [node])
  return sweep(dropValues({ ...graph, nodes, constants }, (name) => old.has(name)))
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

function foldOf(
  graph: Graph,
  product: Product,
  last: Node,
  affine: ChannelAffine,
  readers: Readers,
  fresh: (hint: string) => string,
): Fold | null {
  const { weight, weightName, channels, bias } = product
  const constants = new Map<string, Tensor>()
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
  return { gone: [...product.nodes, last], made: product.rebuild(biasName, last.outputs[0]!), constants }
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
