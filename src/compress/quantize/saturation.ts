/**
 * Emulates AVX2 pair saturation on calibration data: which units would compute something else on a CPU without VNNI.
 * Weights that no activations at all could carry so far are cleared first; the rest is tried on real activations.
 */

import type { Grid } from '../../grids/affine.js'
import { quantizeValue } from '../../grids/affine.js'
import { intAttr, intsAttr } from '../../ir/attrs.js'
import { nodeKey } from '../../ir/graphs.js'
import { elements, floats } from '../../ir/tensor.js'
import type { Model, Tensor } from '../../ir/types.js'
import { countSaturations, maySaturate } from '../../kernels/pair-saturation.js'
import { encodeModel } from '../../onnx/codec.js'
import type { Calibration, TransformEnv } from '../transform.js'
import { withOutputs } from './calibrate.js'
import type { Grids, Unit } from './units.js'
import { FULL, unitsByWeight, unitWeight } from './weights.js'

/** Output positions tried for each sample and unit. */
const POSITIONS = 48

/** Names of the nodes whose weights must keep to the reduced range. */
export async function saturatingUnits(
  model: Model,
  units: readonly Unit[],
  grids: Grids,
  perChannel: boolean,
  calibration: Calibration,
  env: TransformEnv,
): Promise<ReadonlySet<string>> {
  const graph = model.graph
  const sharing = unitsByWeight(units)
  const suspects = units.flatMap((unit) => {
    // Depthwise kernels widen to 32 bits before they add.
    if (unit.weight === undefined || unit.kind === 'depthwise') return []
    const grid = grids.get(unit.data[0]!)!
    const q = unitWeight(sharing.get(unit.weight)!, graph, grids, perChannel, FULL)
    const rows = weightRows(unit, q.values)
    const peak = new Uint8Array(rows.depth).fill(255)
    return maySaturate(rows.values, rows.count, rows.depth, peak) ? [{ unit, grid, rows }] : []
  })
  const fired = new Set<string>()
  if (suspects.length === 0) return fired

  const names = [...new Set(suspects.map((s) => s.unit.data[0]!))]
  const inner = names.filter((n) => !graph.inputs.includes(n))
  const session = await (await env.engine()).load(
    encodeModel(withOutputs(model, inner.length > 0 ? inner : graph.outputs)).bytes,
  )
  try {
    for (const feeds of calibration.feeds) {
      const values = { ...feeds, ...(await session.run(feeds)) }
      for (const { unit, grid, rows } of suspects) {
        if (fired.has(nodeKey(unit.node))) continue
        if (fires(unit, rows, values[unit.data[0]!]!, graph.constants.get(unit.weight!)!.shape, grid))
          fired.add(nodeKey(unit.node))
      }
    }
  } finally {
    await session.close()
  }
  return fired
}

interface Rows {
  readonly values: Int8Array
  readonly count: number
  readonly depth: number
}

/** Weights in the order the kernel sums them: [output channel, kernel position, input channel] or [column, row]. */
function weightRows(unit: Unit, q: Tensor): Rows {
  const w = elements(q) as Int8Array
  if (unit.kind === 'conv') {
    const [m, c, ...kernel] = q.shape as [number, number, ...number[]]
    const area = kernel.reduce((a, b) => a * b, 1)
    const out = new Int8Array(w.length)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < c; j++)
        for (let k = 0; k < area; k++) out[(i * area + k) * c + j] = w[(i * c + j) * area + k]!
    return { values: out, count: m, depth: c * area }
  }
  const [rows, columns] = q.shape as [number, number]
  if (unit.axis === 0) return { values: w, count: rows, depth: columns }
  const out = new Int8Array(w.length)
  for (let k = 0; k < rows; k++) for (let n = 0; n < columns; n++) out[n * rows + k] = w[k * columns + n]!
  return { values: out, count: columns, depth: rows }
}

function fires(unit: Unit, rows: Rows, x: Tensor, weightShape: readonly number[], grid: Grid): boolean {
  const data = floats(x)
  if (unit.kind !== 'conv') return firesIn(rows.values, rows, vectorColumns(data, rows.depth, grid))
  const groups = intAttr(unit.node, 'group', 1)
  const each = rows.values.length / groups
  return Array.from({ length: groups }, (_, group) => group).some((group) =>
    firesIn(
      rows.values.subarray(group * each, (group + 1) * each),
      { ...rows, count: rows.count / groups },
      patchColumns(unit, data, x.shape, weightShape, group, grid),
    ),
  )
}

const firesIn = (w: Int8Array, { count, depth }: Rows, columns: Uint8Array): boolean =>
  depth > 0 && countSaturations(w, count, depth, columns, columns.length / depth) > 0

/** Some of the quantized vectors that enter a MatMul or Gemm, one after the other. */
function vectorColumns(data: Float32Array, depth: number, grid: Grid): Uint8Array {
  const vectors = depth === 0 ? 0 : data.length / depth
  const count = Math.min(vectors, POSITIONS)
  return gather(count, depth, (c, k) => quantizeValue(data[Math.floor((c * vectors) / count) * depth + k]!, grid))
}

/**
 * Some of the quantized patches that enter a Conv, each as deep as the weight rows. Positions are corners of the
 * receptive field; what leaves the image is padding, whose value is the zero point.
 */
function patchColumns(
  unit: Unit,
  data: Float32Array,
  shape: readonly number[],
  weightShape: readonly number[],
  group: number,
  grid: Grid,
): Uint8Array {
  const spatial = shape.slice(2)
  const kernel = weightShape.slice(2)
  const channels = weightShape[1]!
  const dilations = intsAttr(unit.node, 'dilations') ?? kernel.map(() => 1)
  const area = kernel.reduce((a, b) => a * b, 1)
  const size = spatial.reduce((a, b) => a * b, 1)
  const count = Math.min(size, POSITIONS)
  return gather(count, area * channels, (column, k) => {
    const channel = group * channels + (k % channels)
    let rest = Math.floor(k / channels)
    let flat = Math.floor((column * size) / count)
    let at = 0
    let stride = 1
    for (let d = spatial.length - 1; d >= 0; d--) {
      const position = (flat % spatial[d]!) + (rest % kernel[d]!) * dilations[d]!
      if (position >= spatial[d]!) return grid.zeroPoint
      at += position * stride
      stride *= spatial[d]!
      flat = Math.floor(flat / spatial[d]!)
      rest = Math.floor(rest / kernel[d]!)
    }
    return quantizeValue(data[channel * size + at]!, grid)
  })
}

function gather(columns: number, depth: number, value: (column: number, k: number) => number): Uint8Array {
  const out = new Uint8Array(columns * depth)
  for (let c = 0; c < columns; c++) for (let k = 0; k < depth; k++) out[c * depth + k] = value(c, k)
  return out
}
