/** Masks units: the same shapes, with zeros where the units are read. What a cut must equal, and what training keeps. */

import { elementCount, tensorOfBytes } from '../../ir/tensor.js'
import type { Model, Tensor } from '../../ir/types.js'
import type { Slice, Unit } from './groups.js'

/** The model with zeros in the contraction slices of these units; the same model for none. */
export function maskUnits(model: Model, units: readonly Unit[]): Model {
  const zeroed = new Map<string, Slice[]>()
  for (const { slices } of units) {
    for (const slice of slices) {
      if (slice.role !== 'contraction') continue
      const list = zeroed.get(slice.constant)
      if (list) list.push(slice)
      else zeroed.set(slice.constant, [slice])
    }
  }
  if (zeroed.size === 0) return model
  const constants = new Map(model.graph.constants)
  for (const [name, slices] of zeroed) constants.set(name, withZeros(constants.get(name)!, slices))
  return { ...model, graph: { ...model.graph, constants } }
}

/** Zero is all zero bits in every type that products take. */
function withZeros(t: Tensor, slices: readonly Slice[]): Tensor {
  const bytes = Uint8Array.from(t.bytes())
  for (const { axis, indices } of slices) {
    const outer = elementCount(t.shape.slice(0, axis))
    const size = t.shape[axis]!
    const row = bytes.byteLength / (outer * size)
    for (let o = 0; o < outer; o++) {
      for (const k of indices) bytes.fill(0, (o * size + k) * row, (o * size + k + 1) * row)
    }
  }
  return { ...t, ...tensorOfBytes(t.dtype, t.shape, bytes) }
}
