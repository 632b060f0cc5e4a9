/**
 * Keeps weights clear of AVX2 pair saturation: on a CPU without VNNI a layer would compute something else than on one
 * with it. The largest value that each channel of its input took in calibration bounds every sum of two products, at
 * every position, stride and padding of every sample; where that bound leaves 16 bits, the weights of that output
 * channel get a coarser scale, and no coarser than they need.
 */

import { type Grid, quantizeValue } from '../../grids/affine.js'
import { intAttr } from '../../ir/attrs.js'
import { elements } from '../../ir/tensor.js'
import type { Graph, Tensor } from '../../ir/types.js'
import { pairReach } from '../../kernels/pair-saturation.js'
import { nextTurn } from '../../util/turns.js'
import type { Calibration, TransformEnv } from '../transform.js'
import { isSummed, peakKey } from './peaks.js'
import { NEAREST, type Rounder } from './rounder.js'
import type { Grids, Unit } from './units.js'
import {
  FULL,
  type QuantizedWeight,
  quantizeWeight,
  quantizeWholeWeight,
  REDUCED,
  unitsByWeight,
  unitWeight,
} from './weights.js'

/** Integers chosen anew for a weight that was rounded to the nearest, up to these limits. */
export type Round = (q: QuantizedWeight, limits: ArrayLike<number>) => QuantizedWeight

/** The weights of all units as integers, by name, none of which saturates on what calibration saw. Throws when cancelled. */
export async function unitWeights(
  units: readonly Unit[],
  graph: Graph,
  grids: Grids,
  perChannel: boolean,
  { peaks }: Pick<Calibration, 'peaks'>,
  { signal }: Pick<TransformEnv, 'signal'>,
  rounder: Rounder = NEAREST,
): Promise<ReadonlyMap<string, QuantizedWeight>> {
  const weights = new Map<string, QuantizedWeight>()
  for (const [name, together] of unitsByWeight(units)) {
    await nextTurn(signal)
    weights.set(name, clearWeight(together, graph, grids, perChannel, peaks, rounder))
  }
  return weights
}

/** Finest integers of one weight that are clear of saturation in all units that read it. */
function clearWeight(
  together: readonly Unit[],
  graph: Graph,
  grids: Grids,
  perChannel: boolean,
  peaks: Calibration['peaks'],
  rounder: Rounder,
): QuantizedWeight {
  const { weight, axis } = together[0]!
  const t = graph.constants.get(weight!)!
  const channels = t.shape[axis!]!
  const limits = new Uint8Array(perChannel ? channels : 1).fill(FULL)
  for (;;) {
    const plain = unitWeight(together, graph, grids, perChannel, limits)
    const q = rounder.channels(t, plain, limits, 'stored')
    const reaches = together.flatMap((unit) => {
      const grid = grids.get(unit.data[0]!)!
      return isSummed(unit) ? [reachOf(unit, q.values, grid, peaks.get(peakKey(unit)))] : []
    })
    if (!tighten(limits, reaches)) return q
  }
}

/**
 * Finest integers of a weight [depth, columns] that are clear of saturation whatever they meet: activations that each
 * run puts on a grid of its own reach 255 somewhere. One scale a column, or one for all.
 */
export function alwaysClear(
  data: Float32Array,
  shape: readonly number[],
  perChannel: boolean,
  round: Round = (q) => q,
): QuantizedWeight {
  const [depth, columns] = shape as readonly [number, number]
  const limits = new Uint8Array(perChannel ? columns : 1).fill(FULL)
  const peak = new Uint8Array(depth).fill(255)
  for (;;) {
    const plain = perChannel ? quantizeWeight(data, shape, 1, limits) : quantizeWholeWeight(data, shape, limits[0]!)
    const q = round(plain, limits)
    const rows = byColumn(elements(q.values) as Int8Array, depth, columns)
    if (!tighten(limits, [pairReach(rows, columns, depth, peak)])) return q
  }
}

/** Lowers the limits of channels that reach too far, none below what is always clear; false where none had to be. */
function tighten(limits: Uint8Array, reaches: readonly Float64Array[]): boolean {
  const before = limits.slice()
  for (const reach of reaches) {
    reach.forEach((r, channel) => {
      const c = limits.length === 1 ? 0 : channel
      if (r > 1) limits[c] = Math.max(REDUCED, Math.min(limits[c]!, before[c]! - 1, Math.floor(before[c]! / r)))
    })
  }
  return limits.some((limit, c) => limit < before[c]!)
}

/** How far the pairs of each output channel reach. Where no peaks are known, all activations count as the largest. */
function reachOf(unit: Unit, q: Tensor, grid: Grid, peaks: Float32Array | undefined): Float64Array {
  const { values, count, depth } = weightRows(unit, q)
  const groups = unit.kind === 'conv' ? intAttr(unit.node, 'group', 1) : 1
  const channels = unit.kind === 'conv' ? q.shape[1]! : depth
  const each = count / groups
  const reach = new Float64Array(count)
  // The instruction takes unsigned bytes: signed ones are moved up by 128 for it.
  const shift = grid.dtype === 'int8' ? 128 : 0
  for (let g = 0; g < groups; g++) {
    const peak = Uint8Array.from({ length: depth }, (_, k) => {
      const seen = peaks?.[g * channels + (k % channels)]
      // Padding is zero, and zero is the zero point.
      return shift + (seen === undefined ? grid.qmax : Math.max(grid.zeroPoint, quantizeValue(seen, grid)))
    })
    reach.set(pairReach(values.subarray(g * each * depth, (g + 1) * each * depth), each, depth, peak), g * each)
  }
  return reach
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
  return { values: byColumn(w, rows, columns), count: columns, depth: rows }
}

function byColumn(w: Int8Array, rows: number, columns: number): Int8Array {
  const out = new Int8Array(w.length)
  for (let k = 0; k < rows; k++) for (let n = 0; n < columns; n++) out[n * rows + k] = w[k * columns + n]!
  return out
}
