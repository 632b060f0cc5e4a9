/**
 * Parts: the constants through which the scale of a channel enters or leaves a layer. A part names one input of a node
 * and tells the channel of each of its elements, so that scaling a channel is the same loop for every op.
 */

import { intAttr } from '../../ir/attrs.js'
import { elementCount, f32, floats } from '../../ir/tensor.js'
import type { Node, Tensor } from '../../ir/types.js'

export interface Part {
  readonly node: Node
  /** Which input of the node the constant is. */
  readonly input: number
  /** As the node reads it; a bias of one number is spread to one a channel. */
  readonly tensor: Tensor
  /** Integers may stand for it later: its range counts. */
  readonly isWeight: boolean
  /** Channel of the element at a flat index. */
  channelOf(index: number): number
}

/** Where the channels of a value lie: along `axis`, each over `repeat` indices that follow each other. */
export interface Layout {
  readonly axis: number
  readonly repeat: number
}

/** Gives the float32 constant of a name that nothing else can change; null where there is none. */
export type ConstantOf = (name: string | undefined) => Tensor | null

/** A node whose output channels can be scaled by scaling constants. */
export interface Source {
  readonly node: Node
  readonly channels: number
  readonly layout: Layout
  /** The weight first. */
  readonly parts: readonly Part[]
  /** False for a normalization: it has no weight that integers will stand for. */
  readonly isLayer: boolean
}

/** What makes the channels of the node's first output; null where nothing constant does. `rank`: of that output. */
export function sourceOf(node: Node, rank: number | null, constantOf: ConstantOf): Source | null {
  if (node.domain !== '') return null
  const { op } = node
  if (op === 'LayerNormalization') return normalizationSource(node, rank, constantOf)
  const weight = constantOf(node.inputs[1])
  if (weight === null) return null
  const made = outputsOf(node, weight)
  if (made === null) return null
  const axis = op === 'MatMul' ? (rank ?? 0) - 1 : 1
  if (axis < 0) return null
  const parts: Part[] = [{ node, input: 1, tensor: weight, isWeight: true, channelOf: made.channelOf }]
  if (node.inputs[2]) {
    const bias = biasPart(node, 2, made.channels, constantOf)
    if (bias === null) return null
    parts.push(bias)
  }
  return { node, channels: made.channels, layout: { axis, repeat: 1 }, parts, isLayer: true }
}

/** Output channels of a layer's weight. */
function outputsOf(node: Node, { shape }: Tensor): (Pick<Part, 'channelOf'> & { readonly channels: number }) | null {
  switch (node.op) {
    case 'Conv': {
      const inner = elementCount(shape.slice(1))
      return shape.length < 3 ? null : { channels: shape[0]!, channelOf: (i) => Math.floor(i / inner) }
    }
    case 'Gemm': {
      const columns = shape[1]!
      return intAttr(node, 'transB', 0) === 1
        ? { channels: shape[0]!, channelOf: (i) => Math.floor(i / columns) }
        : { channels: columns, channelOf: (i) => i % columns }
    }
    case 'MatMul': {
      const columns = shape[1]!
      return shape.length === 2 ? { channels: columns, channelOf: (i) => i % columns } : null
    }
    default:
      return null
  }
}

/** LayerNormalization over the last axis: y = x̂ · scale + bias. */
function normalizationSource(node: Node, rank: number | null, constantOf: ConstantOf): Source | null {
  const axis = intAttr(node, 'axis', -1)
  const scale = constantOf(node.inputs[1])
  if (rank === null || scale === null || scale.shape.length !== 1 || (axis !== -1 && axis !== rank - 1)) return null
  const channels = scale.shape[0]!
  const parts: Part[] = [{ node, input: 1, tensor: scale, isWeight: false, channelOf: (i) => i }]
  if (node.inputs[2]) {
    const bias = biasPart(node, 2, channels, constantOf)
    if (bias === null) return null
    parts.push(bias)
  }
  return { node, channels, layout: { axis: rank - 1, repeat: 1 }, parts, isLayer: false }
}

/** One number a channel, from a bias of shape [channels], [1, channels] or of one element. */
function biasPart(node: Node, input: number, channels: number, constantOf: ConstantOf): Part | null {
  const bias = constantOf(node.inputs[input])
  if (bias === null || bias.shape.slice(0, -1).some((d) => d !== 1)) return null
  const count = elementCount(bias.shape)
  if (count !== channels && count !== 1) return null
  const tensor = count === channels ? bias : f32([channels], new Float32Array(channels).fill(floats(bias)[0]!))
  return { node, input, tensor, isWeight: false, channelOf: (i) => i }
}

/** A constant that is added along the channels of a value of this rank: scaled with them. Null where it is no such constant. */
export function addedPart(
  node: Node,
  input: number,
  channels: number,
  { axis, repeat }: Layout,
  rank: number,
  constantOf: ConstantOf,
): Part | null {
  const tensor = constantOf(node.inputs[input])
  if (tensor === null || repeat !== 1 || tensor.shape.length > rank) return null
  const own = axis - (rank - tensor.shape.length)
  if (own < 0 || tensor.shape.some((d, i) => d !== (i === own ? channels : 1))) return null
  return { node, input, tensor, isWeight: false, channelOf: (i) => i }
}

/** The weight of a layer that reads channels laid out so; null where the layer cannot take their scale in. */
export function sinkOf(node: Node, layout: Layout, rank: number | null, constantOf: ConstantOf): Part | null {
  const tensor = constantOf(node.inputs[1])
  if (node.domain !== '' || tensor === null) return null
  const channelOf = inputChannel(node, tensor, layout, rank)
  return channelOf && { node, input: 1, tensor, isWeight: true, channelOf }
}

function inputChannel(
  node: Node,
  { shape }: Tensor,
  { axis, repeat }: Layout,
  rank: number | null,
): Part['channelOf'] | null {
  switch (node.op) {
    case 'Conv': {
      if (axis !== 1 || repeat !== 1 || shape.length < 3) return null
      const [outputs, inputs] = shape as [number, number]
      const area = elementCount(shape.slice(2))
      const each = outputs / intAttr(node, 'group', 1)
      return (i) => Math.floor(Math.floor(i / (inputs * area)) / each) * inputs + (Math.floor(i / area) % inputs)
    }
    case 'Gemm': {
      const columns = shape[1]!
      if (axis !== 1 || intAttr(node, 'transA', 0) !== 0) return null
      return intAttr(node, 'transB', 0) === 1
        ? (i) => Math.floor((i % columns) / repeat)
        : (i) => Math.floor(Math.floor(i / columns) / repeat)
    }
    case 'MatMul': {
      const columns = shape[1]!
      return axis === (rank ?? 0) - 1 && shape.length === 2 ? (i) => Math.floor(Math.floor(i / columns) / repeat) : null
    }
    default:
      return null
  }
}
