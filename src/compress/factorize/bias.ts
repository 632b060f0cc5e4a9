/** Where a layer adds a constant to each channel: what is dropped of a weight has a mean, and the constant takes it up. */

import { consumers } from '../../ir/graphs.js'
import { elementCount, f32, numbers } from '../../ir/tensor.js'
import type { Graph, Node, Tensor } from '../../ir/types.js'
import type { Layer } from '../layers/layer.js'

export interface BiasPlace {
  /** The layer's own node, or the Add that follows it. */
  readonly node: Node
  readonly input: number
  /** As it is now; null where nothing is added yet. */
  readonly constant: Tensor | null
}

/** Null where there is none: a product that no Add follows, or one whose bias is computed. */
export function biasPlace(layer: Layer, graph: Graph, readers = consumers(graph)): BiasPlace | null {
  const { node, rows } = layer
  const fits = (name: string): Tensor | null => {
    const t = graph.inputs.includes(name) ? undefined : graph.constants.get(name)
    return t?.dtype === 'float32' && isChannelwise(t.shape, rows) ? t : null
  }
  if (node.op !== 'MatMul') {
    const name = node.inputs[2] ?? ''
    const constant = name === '' ? null : fits(name)
    return name !== '' && constant === null ? null : { node, input: 2, constant }
  }
  const out = node.outputs[0]!
  const [add, ...others] = readers.get(out) ?? []
  if (add?.op !== 'Add' || add.domain !== '' || others.length > 0 || graph.outputs.includes(out)) return null
  const input = add.inputs[0] === out ? 1 : 0
  const constant = fits(add.inputs[input]!)
  return constant === null ? null : { node: add, input, constant }
}

/** One element a channel along the last axis, or one for all. */
const isChannelwise = (shape: readonly number[], rows: number): boolean =>
  elementCount(shape) === 1 || (elementCount(shape) === rows && shape.at(-1) === rows)

/** The constant with something added to each channel. */
export function raisedBias({ constant }: BiasPlace, by: Float64Array): Tensor {
  if (constant === null) return f32([by.length], by)
  const old = numbers(constant)
  const shape = constant.shape.length === 0 ? [by.length] : [...constant.shape.slice(0, -1), by.length]
  return f32(
    shape,
    by.map((v, c) => v + old[old.length === 1 ? 0 : c]!),
  )
}
