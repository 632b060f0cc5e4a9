/** Nodes that compute y = s·x + t with one s and t for each channel (axis 1). */

import { floatAttr, intAttr } from '../ir/attrs.js'
import { numbers } from '../ir/tensor.js'
import type { Node, Tensor } from '../ir/types.js'
import type { Product } from './products.js'

export interface ChannelAffine {
  /** Null stands for ones. */
  readonly scale: Float64Array | null
  /** Null stands for zeros. */
  readonly shift: Float64Array | null
}

type Constant = (name: string) => Tensor | null

/** The map that `node` applies to its input `x`, the output of a product; null where it is none. */
export function affineOf(
  node: Node,
  x: string,
  product: Product,
  constant: Constant,
  opset: number,
): ChannelAffine | null {
  if (node.domain !== '') return null
  if (node.op === 'BatchNormalization') return batchNorm(node, x, product.channels, constant, opset)
  return product.isConv ? arithmetic(node, x, product, constant) : null
}

/**
 * s = γ/√(σ² + ε), t = β − s·μ (Ioffe and Szegedy 2015, "Batch Normalization", algorithm 2; ONNX BatchNormalization).
 * Before opset 9 `spatial = 0` gave every activation its own statistics, and before 14 more outputs meant training.
 */
function batchNorm(node: Node, x: string, channels: number, constant: Constant, opset: number): ChannelAffine | null {
  if (node.inputs[0] !== x || node.outputs.slice(1).some((out) => out !== '')) return null
  if (intAttr(node, 'training_mode', 0) !== 0 || (opset < 9 && intAttr(node, 'spatial', 1) !== 1)) return null
  const parameters = node.inputs.slice(1, 5).map((name) => constant(name))
  if (parameters.length !== 4) return null
  const [gamma, beta, mean, variance] = parameters.map((p) => (isPlain(p) ? numbers(p) : null))
  if (!gamma || !beta || !mean || !variance) return null
  if ([gamma, beta, mean, variance].some((p) => p.length !== channels)) return null
  const epsilon = floatAttr(node, 'epsilon', 1e-5)
  const scale = Float64Array.from({ length: channels }, (_, c) => gamma[c]! / Math.sqrt(variance[c]! + epsilon))
  return { scale, shift: scale.map((s, c) => beta[c]! - s * mean[c]!) }
}

const isPlain = (tensor: Tensor | null | undefined): tensor is Tensor =>
  tensor?.dtype === 'float32' || tensor?.dtype === 'float64'

function arithmetic(node: Node, x: string, product: Product, constant: Constant): ChannelAffine | null {
  if (node.inputs.length !== 2) return null
  const at = node.inputs[0] === x ? 0 : 1
  const other = perChannel(constant(node.inputs[1 - at]!), product)
  if (other === null) return null
  switch (node.op) {
    case 'Add':
      return { scale: null, shift: other }
    case 'Sub':
      return at === 0
        ? { scale: null, shift: other.map((v) => -v) }
        : { scale: new Float64Array(product.channels).fill(-1), shift: other }
    case 'Mul':
      return { scale: other, shift: null }
    case 'Div':
      return at === 0 ? { scale: other.map((v) => 1 / v), shift: null } : null
    default:
      return null
  }
}

/** One number a channel, from a constant that broadcasts along every axis but axis 1 and adds no axis. */
function perChannel(tensor: Tensor | null, { rank, channels }: Product): Float64Array | null {
  if (!isPlain(tensor) || tensor.shape.length > rank) return null
  const axis = tensor.shape.length - (rank - 1)
  const isFlat = tensor.shape.every((d, i) => d === 1 || (i === axis && d === channels))
  if (!isFlat) return null
  const data = numbers(tensor)
  return Float64Array.from({ length: channels }, (_, c) => data[data.length === 1 ? 0 : c]!)
}
