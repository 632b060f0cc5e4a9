/** Nodes that show what enters layers as columns, [groups, depth, positions], and the sums over their products. */

import { int, intAttr, ints, intsAttr, stringAttr } from '../../ir/attrs.js'
import type { Builder } from '../../ir/builder.js'
import { f32, i64, tensor } from '../../ir/tensor.js'
import type { Model, Node } from '../../ir/types.js'
import { shapeOf } from '../../ops/def.js'
import type { FactOf } from '../../passes/facts.js'
import { standardOpset } from '../../passes/standard-domain.js'
import type { Layer } from './layer.js'

/** Columns of one sample that count; of more, so many are drawn. Neighbouring windows of a picture are much alike. */
export const POSITIONS = 1024

/** What tells columns apart: layers that read one value through equal windows (`kernel`: their sizes) see the same. */
export function columnsKey({ node, kind, input, groups, depth }: Layer, kernel: readonly number[]): string {
  if (kind === 'state') return `state of ${node.outputs[0]}`
  if (kind === 'input') return `${input} ${depth} for ${groups}`
  if (kind === 'product') return `${input} ${depth} ${intAttr(node, 'transA', 0)}`
  const lists = ['strides', 'dilations', 'pads'].map((name) => (intsAttr(node, name) ?? []).join())
  return [input, depth, groups, kernel.join(), stringAttr(node, 'auto_pad', 'NOTSET'), ...lists].join(' ')
}

/** Columns of one sample where their number is known; an unknown batch counts as one sample. */
export function positionsOf({ node, kind }: Layer, factOf: FactOf): number | null {
  if (kind === 'input' || kind === 'state') return null
  const shape = shapeOf(factOf(node.outputs[0]!))
  if (shape === null) return null
  const others = kind === 'conv' ? [shape[0], ...shape.slice(2)] : shape.slice(0, -1)
  const sizes = others.map((d, i) => (i === 0 && typeof d !== 'number' ? 1 : d))
  return sizes.every((d) => typeof d === 'number') ? sizes.reduce<number>((n, d) => n * (d as number), 1) : null
}

/**
 * Σ x̂ x̂ᵀ over the columns x of a layer, [groups, depth + 1, depth + 1], where x̂ is x with a 1 below: the last row holds
 * Σ x and, at its end, the number of columns. `picks`: the name of the indices of those that count.
 */
export function addMoments(b: Builder, model: Model, layer: Layer, kernel: readonly number[], picks?: string): string {
  const all = layer.kind === 'conv' ? windows(b, layer, kernel) : rowsTurned(b, layer)
  const some = picks === undefined ? all : b.op('Gather', [all, picks], { attrs: { axis: int(2) } })
  const pads = [0, 0, 0, 0, 1, 0]
  const raised =
    standardOpset(model.opsets) < 11
      ? b.op('Pad', [some], { attrs: { pads: ints(pads), value: { type: 'float', value: 1 } } })
      : b.op('Pad', [some, list(b, pads), b.constant(f32([], [1]), 'one')])
  return b.op('MatMul', [raised, b.op('Transpose', [raised], { attrs: { perm: ints([0, 2, 1]) } })])
}

const list = (b: Builder, values: readonly number[]): string => b.constant(i64([values.length], values), 'list')

const reshape = (b: Builder, x: string, shape: readonly number[]): string => b.op('Reshape', [x, list(b, shape)])

/** [..., depth] → [groups, depth, rest], the same for all groups; of a Gemm that turns its input, from [depth, rest]. */
function rowsTurned(b: Builder, layer: Layer): string {
  const { node, groups, depth } = layer
  if (intAttr(node, 'transA', 0) === 1) return reshape(b, layer.input, [1, depth, -1])
  const input = layer.kind === 'state' ? statesBefore(b, layer) : layer.input
  const columns = b.op('Transpose', [reshape(b, input, [1, -1, depth])], { attrs: { perm: ints([0, 2, 1]) } })
  return groups === 1 ? columns : b.op('Concat', Array<string>(groups).fill(columns), { attrs: { axis: int(0) } })
}

/** What a recurrent node saw of itself: its first state, where one is given, and all of Y [steps, 1, batch, hidden] but the last. */
function statesBefore(b: Builder, { node, depth }: Layer): string {
  const earlier = b.op('Slice', [node.outputs[0]!, list(b, [0]), list(b, [-1]), list(b, [0])])
  const first = node.inputs[5]
  if (!first) return earlier
  return b.op('Concat', [reshape(b, first, [1, 1, -1, depth]), earlier], { attrs: { axis: int(0) } })
}

/**
 * im2col (Chellapilla et al. 2006) as a convolution: each channel by as many kernels as the kernel has positions, each 1
 * at one of them. So strides, dilations and padding of any kind are those of the layer itself.
 */
function windows(b: Builder, { node, input, groups, depth }: Layer, kernel: readonly number[]): string {
  const area = kernel.reduce((n, d) => n * d, 1)
  const channels = (groups * depth) / area
  const unrolled = isPlain(node) && area === 1 ? input : unroll()
  const parted = reshape(b, unrolled, [0, groups, depth, -1])
  return reshape(b, b.op('Transpose', [parted], { attrs: { perm: ints([1, 2, 0, 3]) } }), [groups, depth, -1])

  function unroll(): string {
    const weight = new Float32Array(channels * area * area)
    for (let row = 0; row < channels * area; row++) weight[row * area + (row % area)] = 1
    const one = b.constant(tensor('float32', [channels * area, 1, ...kernel], weight), 'windows')
    return b.op('Conv', [input, one], { attrs: { ...node.attrs, group: int(channels) } })
  }
}

/** Each position of the output sees the same position of the input. */
const isPlain = (node: Node): boolean =>
  (intsAttr(node, 'strides') ?? []).every((s) => s === 1) && (intsAttr(node, 'pads') ?? []).every((p) => p === 0)
