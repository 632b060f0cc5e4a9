/** Nodes that multiply by a constant weight and may add a constant bias, seen alike: what folding needs to know. */

import { floatAttr, intAttr } from '../ir/attrs.js'
import { numbers } from '../ir/tensor.js'
import type { Node, Tensor } from '../ir/types.js'
import { shapeOf } from '../ops/def.js'
import type { FactOf } from './facts.js'

export interface Product {
  /** In order; the last makes the output. */
  readonly nodes: readonly Node[]
  readonly weightName: string
  readonly weight: Tensor
  readonly biasName: string | null
  /** What is added to each output channel; null where nothing is. */
  readonly bias: Float64Array | null
  readonly channels: number
  /** Rank of the output; its channels lie along axis 1. */
  readonly rank: number
  readonly isConv: boolean
  /** Output channel of the weight's element at a flat index. */
  channelOf(index: number): number
  /** The nodes again, with a bias of shape [channels] (null: none), writing to `output`. */
  rebuild(biasName: string | null, output: string): readonly Node[]
}

export interface Look {
  constant(name: string): Tensor | null
  readonly factOf: FactOf
  maker(name: string): Node | null
  /** True where this is the only reader of a value that is no output. */
  isPrivate(name: string): boolean
}

/** The product that a node ends, or null. */
export function productOf(node: Node, look: Look): Product | null {
  if (node.domain !== '') return null
  switch (node.op) {
    case 'Conv':
    case 'ConvTranspose':
      return convProduct(node, look)
    case 'Gemm':
      return gemmProduct(node, look)
    case 'MatMul':
      return matMulProduct(node, null, null, look)
    case 'Add':
      return addedProduct(node, look)
    default:
      return null
  }
}

const plainFloat = (tensor: Tensor | null): tensor is Tensor =>
  tensor !== null && (tensor.dtype === 'float32' || tensor.dtype === 'float64')

function convProduct(node: Node, look: Look): Product | null {
  const weightName = node.inputs[1] ?? ''
  const biasName = node.inputs[2] || null
  const weight = look.constant(weightName)
  if (!plainFloat(weight) || weight.shape.length < 3) return null
  const groups = intAttr(node, 'group', 1)
  const transposed = node.op === 'ConvTranspose'
  const [first, second] = weight.shape as [number, number]
  const channels = transposed ? second * groups : first
  const bias = biasName === null ? null : spread(look.constant(biasName), channels)
  if (biasName !== null && bias === null) return null
  const inner = weight.shape.slice(1).reduce((n, d) => n * d, 1)
  const kernel = inner / second
  const inputsPerGroup = first / groups
  return {
    nodes: [node],
    weightName,
    weight,
    biasName,
    bias,
    channels,
    rank: weight.shape.length,
    isConv: true,
    // Conv: [M, C/g, k…]. ConvTranspose: [C, M/g, k…], where input channel c belongs to group ⌊c / (C/g)⌋.
    channelOf: transposed
      ? (i) => Math.floor(Math.floor(i / inner) / inputsPerGroup) * second + (Math.floor(i / kernel) % second)
      : (i) => Math.floor(i / inner),
    rebuild: (b, output) => [
      { ...node, inputs: [node.inputs[0]!, weightName, ...(b === null ? [] : [b])], outputs: [output] },
    ],
  }
}

function gemmProduct(node: Node, look: Look): Product | null {
  const weightName = node.inputs[1] ?? ''
  const biasName = node.inputs[2] || null
  const weight = look.constant(weightName)
  if (!plainFloat(weight) || weight.shape.length !== 2) return null
  const transposed = intAttr(node, 'transB', 0) !== 0
  const columns = weight.shape[1]!
  const channels = transposed ? weight.shape[0]! : columns
  const raw = biasName === null ? null : spread(look.constant(biasName), channels)
  if (biasName !== null && raw === null) return null
  const beta = floatAttr(node, 'beta', 1)
  // The bias takes beta in; without the attribute it is 1.
  const { beta: _, ...attrs } = node.attrs
  return {
    nodes: [node],
    weightName,
    weight,
    biasName,
    bias: raw?.map((b) => beta * b) ?? null,
    channels,
    rank: 2,
    isConv: false,
    channelOf: transposed ? (i) => Math.floor(i / columns) : (i) => i % columns,
    rebuild: (b, output) => [
      {
        ...node,
        inputs: [node.inputs[0]!, weightName, ...(b === null ? [] : [b])],
        outputs: [output],
        attrs,
      },
    ],
  }
}

function addedProduct(add: Node, look: Look): Product | null {
  for (const [i, name] of add.inputs.entries()) {
    const matMul = look.maker(name)
    if (matMul?.op !== 'MatMul' || matMul.domain !== '' || !look.isPrivate(name)) continue
    return matMulProduct(matMul, add, add.inputs[1 - i]!, look)
  }
  return null
}

function matMulProduct(matMul: Node, add: Node | null, biasName: string | null, look: Look): Product | null {
  const weightName = matMul.inputs[1] ?? ''
  const weight = look.constant(weightName)
  if (!plainFloat(weight) || weight.shape.length !== 2) return null
  if (shapeOf(look.factOf(matMul.outputs[0]!))?.length !== 2) return null
  const channels = weight.shape[1]!
  const bias = biasName === null ? null : spread(look.constant(biasName), channels)
  if (biasName !== null && bias === null) return null
  const between = matMul.outputs[0]!
  return {
    nodes: add === null ? [matMul] : [matMul, add],
    weightName,
    weight,
    biasName,
    bias,
    channels,
    rank: 2,
    isConv: false,
    channelOf: (i) => i % channels,
    rebuild: (b, output) =>
      b === null
        ? [{ ...matMul, outputs: [output] }]
        : [
            matMul,
            { name: add?.name ?? '', domain: '', op: 'Add', inputs: [between, b], outputs: [output], attrs: {} },
          ],
  }
}

/** One number a channel, from a bias of shape [channels], [1, channels] or of one element. */
function spread(tensor: Tensor | null, channels: number): Float64Array | null {
  if (!plainFloat(tensor) || tensor.shape.length > 2) return null
  const last = tensor.shape.at(-1) ?? 1
  if (tensor.shape.slice(0, -1).some((d) => d !== 1) || (last !== 1 && last !== channels)) return null
  const data = numbers(tensor)
  return Float64Array.from({ length: channels }, (_, c) => data[last === 1 ? 0 : c]!)
}
